"""Addresses that lead nowhere: one sentence each, and never the password."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from pymysql.protocol import MysqlPacket  # type: ignore[import-untyped]
from small_hospital import settings_for

from core.errors import ConfigurationError, MophClaimError
from extract.errors import SourceError
from extract.failures import translate_errors
from extract.settings import HisSettings
from extract.source import open_source
from extract.watch import CutOff

ON_SERVERS = pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)
PASSWORD = "Sup3r$ecret"


def _refusal(url: str, kind: type[MophClaimError], **more: object) -> str:
    with pytest.raises(kind) as error, open_source(settings_for(url, **more)):
        pass
    chain = repr(error.value) + repr(error.value.__cause__) + repr(error.value.__context__)
    assert PASSWORD not in chain
    assert error.value.message.th != error.value.message.en
    assert "{" not in str(error.value)
    return error.value.message.en


def _spell(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def test_no_address_is_said() -> None:
    assert "is not set" in _refusal("", ConfigurationError)


def test_connection_lost_before_anything_is_read_is_said_in_a_whole_sentence() -> None:
    def lost() -> None:
        raise CutOff("interrupted")

    with pytest.raises(SourceError, match="lost while reading the database: nothing is lost"):
        translate_errors("here", "", lost)


@pytest.mark.parametrize("read", ["read_uint8", "read_uint16", "check_error"])
def test_bytes_that_make_no_sense_to_the_driver_are_said(read: str) -> None:
    """As a server, or what is taken for one, may send them at any time."""
    packet = MysqlPacket(b"\xff" if read == "check_error" else b"", "utf8")
    for doing in ("", "labs.sql"):
        with pytest.raises(SourceError, match="answers at here is no database") as error:
            translate_errors("here", doing, getattr(packet, read))
        assert error.value.__context__ is None


def test_fault_of_ours_is_not_called_the_servers() -> None:
    with pytest.raises(IndexError):
        translate_errors("here", "labs.sql", [].pop)


@pytest.mark.parametrize("url", ["nonsense", "mysql://reader:p@ss@host:port/hos", "://"])
def test_malformed_address_is_said(url: str) -> None:
    assert "malformed" in _refusal(url, ConfigurationError)


@pytest.mark.parametrize(
    ("new_database", "options"),
    [("mariadb", "foo=1"), ("mariadb", "ssl_ca=/no/such/file"), ("postgresql", "foo=1"), ("postgresql", "sslmode=x")],
    indirect=["new_database"],
)
def test_options_that_the_driver_cannot_use_are_said(new_database: Callable[[], str], options: str) -> None:
    said = _refusal(f"{new_database()}?{options}", MophClaimError)
    assert "The options behind the ? of the setting his.url cannot be used" in said


@pytest.mark.parametrize("url", [f"oracel://a:{PASSWORD}@b/c", f"mysql+nodriver://a:{PASSWORD}@b/c"])
def test_unknown_driver_is_said(url: str) -> None:
    assert "unknown or whose driver is not installed" in _refusal(url, ConfigurationError)


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "postgresql", "postgres"])
def test_server_that_does_not_answer_is_said(scheme: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    said = _refusal(f"{scheme}://reader:{PASSWORD}@127.0.0.1:{port}/hos", SourceError, connect_timeout_seconds=2)
    assert f"does not answer (127.0.0.1:{port}/hos)" in said


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_host_without_a_name_is_said(scheme: str) -> None:
    assert "does not answer" in _refusal(
        f"{scheme}://a@no-such-host.invalid/hos", SourceError, connect_timeout_seconds=2
    )


@ON_SERVERS
def test_wrong_password_is_said(hospital: str) -> None:
    url = sa.make_url(hospital).set(username="nobody_of_ours", password=PASSWORD)
    said = _refusal(_spell(url), SourceError)
    assert "refuses the user name or password" in said


@ON_SERVERS
def test_unknown_database_is_said(hospital: str) -> None:
    assert "no such database" in _refusal(_spell(sa.make_url(hospital).set(database="no_such_his")), SourceError)


def test_missing_sqlite_file_is_said_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "his.db"
    assert str(path) in _refusal(f"sqlite:///{path}", SourceError)
    assert not path.exists()


def test_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "his.db"
    path.write_text("นี่ไม่ใช่ฐานข้อมูล " * 100, encoding="utf-8")
    assert "is no SQLite database" in _refusal(f"sqlite:///{path}", SourceError)


def test_unknown_charset_is_said() -> None:
    assert "his.charset" in _refusal("mysql://root@127.0.0.1:3306/test", ConfigurationError, charset="klingon")


def test_missing_sql_folder_is_said(hospital: str, tmp_path: Path) -> None:
    assert "his.sql_folder" in _refusal(hospital, ConfigurationError, sql_folder=tmp_path / "none")


def test_unknown_his_is_said(hospital: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"his\.kind"),
        open_source(settings_for(hospital, kind="hosxq")),
    ):
        pass


@pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)
def test_tis620_connection_reads_thai(hospital: str) -> None:
    with open_source(settings_for(hospital, charset="tis620")) as source:
        assert source.facility().name == "โรงพยาบาลตัวอย่าง"


def test_short_address_gets_our_drivers(hospital: str) -> None:
    url = sa.make_url(hospital)
    with open_source(settings_for(_spell(url.set(drivername=url.get_backend_name())))) as source:
        assert source.facility().hcode == "10953"


def test_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError):
        HisSettings.model_validate({"urll": "sqlite://"})


def test_address_is_secret_in_settings() -> None:
    assert PASSWORD not in repr(settings_for(f"mysql://a:{PASSWORD}@b/c"))


def test_every_setting_is_described() -> None:
    assert all((field.description or "").endswith(".") for field in HisSettings.model_fields.values())

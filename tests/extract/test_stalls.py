"""A hospital's server that stalls, drips or sends without end: reading ends, in a sentence, whatever the server does."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_hospital import ALL, DAY, settings_for
from valve import Trouble, speechless_server, valve_before

from core.mojibake import MOJIBAKE
from extract.errors import SourceError
from extract.source import open_source
from extract.values import LONGEST, as_text

SERVERS = [pytest.param("mariadb", marks=pytest.mark.slow), "postgresql"]
MYSQL_GREETING = b"\xff\xff\x00\x00\x0a5.5.5-10.6.0-MariaDB\x00" + b"\x01" * 2000
POSTGRESQL_GREETING = b"N" + b"R" * 2000
LABS = "lab_order_result"


@pytest.fixture(autouse=True)
def short_notice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second after the server's own time-out, not ten."""
    monkeypatch.setattr("extract.session.NOTICE_SECONDS", 1)
    yield


def _refusal(url: str, **more: object) -> str:
    with pytest.raises(SourceError) as error, open_source(settings_for(url, **more)) as source:
        source.read_day(DAY, ALL)
    assert error.value.__context__ is None
    assert "{" not in str(error.value)
    return error.value.message.en


@pytest.mark.parametrize(
    ("new_database", "trouble"),
    [
        ("postgresql", "stall"),
        pytest.param("mariadb", "drip", marks=pytest.mark.slow),
        pytest.param("postgresql", "drip", marks=pytest.mark.slow),
        pytest.param("mariadb", "stall", marks=pytest.mark.slow),
    ],
    indirect=["new_database"],
)
def test_server_that_stalls_in_an_answer_is_given_up(hospital: str, trouble: Trouble) -> None:
    """The connection lives and all is acknowledged: neither the server's time-outs nor the network's notice it."""
    with valve_before(hospital, trouble, LABS) as (valve, url):
        said = _refusal(url, statement_timeout_seconds=1)
        assert valve.turned.is_set()
        assert not valve.closed.is_set()
    assert "Reading labs.sql from" in said
    assert "took longer than allowed" in said


@pytest.mark.parametrize("new_database", SERVERS, indirect=True)
def test_day_that_takes_too_long_is_given_up(hospital: str) -> None:
    """A server may keep within each statement's limit, and still never come to an end."""
    with valve_before(hospital, "drip", LABS) as (_, url):
        said = _refusal(url, statement_timeout_seconds=600, day_timeout_seconds=1)
    assert f"Reading {DAY} from" in said
    assert "his.day_timeout_seconds" in said


@pytest.mark.parametrize(
    ("scheme", "greeting"),
    [
        pytest.param("mysql", MYSQL_GREETING, id="mysql-drip"),
        pytest.param("mysql", b"", id="mysql-silent", marks=pytest.mark.slow),
        pytest.param("postgresql", b"", id="postgresql-silent", marks=pytest.mark.slow),
        pytest.param("postgresql", POSTGRESQL_GREETING, id="postgresql-drip", marks=pytest.mark.slow),
    ],
)
def test_server_that_accepts_and_does_not_come_to_the_point_does_not_answer(scheme: str, greeting: bytes) -> None:
    with speechless_server(greeting) as port:
        url = f"{scheme}://reader:secret@127.0.0.1:{port}/hos"
        said = _refusal(url, connect_timeout_seconds=1, statement_timeout_seconds=600)
    assert "does not answer" in said


@pytest.mark.parametrize("new_database", SERVERS, indirect=True)
def test_ctrl_c_ends_the_reading_of_a_server_that_stalls(hospital: str) -> None:
    with valve_before(hospital, "stall", LABS) as (valve, url):
        valve.interrupt_when_turned(signal.SIGINT)
        settings = settings_for(url, statement_timeout_seconds=600)
        with pytest.raises(KeyboardInterrupt), open_source(settings) as source:
            source.read_day(DAY, ALL)
        assert not valve.closed.is_set()


def test_day_of_too_many_rows_is_not_cut_but_refused(hospital: str) -> None:
    said = _refusal(hospital, most_rows_a_day=3)
    assert f"gave more rows for {DAY} than are allowed (labs.sql)" in said
    assert "his.most_rows_a_day" in said


def test_rows_are_counted_by_the_day(hospital: str) -> None:
    with open_source(settings_for(hospital)) as source:
        most = max(len(frame) for frame in source.read_frames(DAY, ALL)[0].values())
    with open_source(settings_for(hospital, most_rows_a_day=most)) as source:
        assert len(source.read_day(DAY, ALL).visits) == len(source.read_day(DAY, ALL).visits) > 0


LARGE_VALUE = {"sqlite": "hex(zeroblob(1000000))"}


def test_values_of_megabytes_are_not_read(hospital: str) -> None:
    value = LARGE_VALUE.get(sa.make_url(hospital).get_backend_name(), "repeat('x', 2000000)")
    with open_source(settings_for(hospital, most_megabytes_a_day=1)) as source:
        reader = source.reader
        with pytest.raises(SourceError, match=f"sent more for {DAY}"), reader.snapshot():
            reader.query("labs.sql", lambda: reader.connection.exec_driver_sql(f"SELECT {value}").all(), DAY)


def test_text_too_long_to_be_a_value_is_unreadable() -> None:
    assert as_text("ก" * LONGEST) == "ก" * LONGEST
    cut = as_text("ก" * (LONGEST + 1)) or ""
    assert len(cut) < LONGEST
    assert MOJIBAKE.search(cut)


MEASURED = """
import resource, sys
from datetime import date
from pydantic import SecretStr
from core.errors import MophClaimError
from extract.contract import Wanted
from extract.reader import open_reader
from extract.settings import HisSettings

def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

with open_reader(HisSettings(url=SecretStr(sys.argv[1]), kind="hosxp", sql_folder=sys.argv[2])) as reader:
    before = megabytes()
    try:
        with reader.snapshot():
            reader.rows("labs.sql", Wanted(), {"day": date(2026, 9, 21)})
    except MophClaimError as error:
        print(megabytes() - before, error.message.en)
"""
ENDLESS = {
    "mariadb": "SELECT a.seq vn, {value} result FROM seq_1_to_20000000 a WHERE :day IS NOT NULL",
    "postgresql": "SELECT a vn, {value} result FROM generate_series(1, 20000000) a WHERE CAST(:day AS date) IS NOT NULL",
}


@pytest.mark.slow
@pytest.mark.parametrize("value", ["1", "repeat('x', 1000000)"])
@pytest.mark.parametrize("new_database", SERVERS, indirect=True)
def test_memory_is_bounded_whatever_is_sent(hospital: str, tmp_path: Path, value: str) -> None:
    """Twenty million rows: without a limit they take gigabytes."""
    name = sa.make_url(hospital).get_backend_name()
    (tmp_path / "labs.sql").write_text(ENDLESS[{"mysql": "mariadb"}.get(name, name)].format(value=value))
    command = [sys.executable, "-c", MEASURED, hospital, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    grown, sentence = said.split(" ", 1)
    assert "more" in sentence
    assert int(grown) < 500

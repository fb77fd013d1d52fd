"""That we only read is proven by the server: by the account's rights, by the session, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_hospital import settings_for

from core.errors import ConfigurationError
from extract import session
from extract.read_only_account import Protection, prove_read_only
from extract.reader import open_reader

USER = "moph_guest"


@contextmanager
def _account(url: str, right: str) -> Iterator[str]:
    """The same database as an account that has one right on all its tables."""
    owner = sa.make_url(url)
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    name = f"{USER}_{right.lower()}_{str(owner.database)[-6:]}"
    mysql = engine.dialect.name == "mysql"
    account = f"'{name}'@'%%'" if mysql else name
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE USER {account}" + ("" if mysql else " LOGIN"))
        on = f"{owner.database}.*" if mysql else "ALL TABLES IN SCHEMA public"
        rights = "SELECT" if right == "SELECT" else "SELECT, DELETE"
        connection.exec_driver_sql(f"GRANT {rights} ON {on} TO {account}")
        try:
            yield owner.set(username=name).render_as_string(hide_password=False)
        finally:
            if not mysql:
                connection.exec_driver_sql(f"DROP OWNED BY {account}")
            connection.exec_driver_sql(f"DROP USER {account}")
    engine.dispose()


def _protection(url: str, **more: object) -> Protection:
    with open_reader(settings_for(url, **more)) as reader:
        return prove_read_only(reader).protection


ON_SERVERS = pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)


@ON_SERVERS
def test_account_that_may_only_select_is_the_barrier(hospital: str) -> None:
    with _account(hospital, "SELECT") as guest:
        assert _protection(guest) is Protection.ACCOUNT


@ON_SERVERS
def test_session_is_the_barrier_where_the_account_could_write(hospital: str) -> None:
    with _account(hospital, "DELETE") as guest:
        assert _protection(guest) is Protection.SESSION


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_file_is_opened_for_reading_alone(hospital: str) -> None:
    assert _protection(hospital) is Protection.FILE


@pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)
def test_server_that_knows_no_read_only_session_and_an_account_that_may_write_are_no_barrier(
    hospital: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_SESSION", {})  # as on a MySQL before 5.6
    engine = sa.create_engine(hospital, poolclass=sa.NullPool)
    with engine.connect() as connection:
        before = connection.execute(sa.text("SELECT COUNT(*) FROM opdconfig")).scalar_one()
        with open_reader(settings_for(hospital)) as reader:
            guest = prove_read_only(reader)
            assert not guest.is_proven
            assert "put an account that may only SELECT into his.url" in guest.message.en
        assert connection.execute(sa.text("SELECT COUNT(*) FROM opdconfig")).scalar_one() == before
    engine.dispose()


def test_statement_of_the_facility_without_a_table_leaves_it_untried(hospital: str, tmp_path: Path) -> None:
    (tmp_path / "his.toml").write_text(
        'name = "x"\nservers = ["mysql", "postgresql", "sqlite"]\nfacility = "SELECT \'10953\' AS hcode, \'x\' AS hospital_name"\n'
    )
    assert _protection(hospital, sql_folder=tmp_path) is Protection.UNTRIED


def test_template_that_cannot_be_used_is_said(hospital: str, tmp_path: Path) -> None:
    (tmp_path / "his.toml").write_text(
        'name = "x"\nservers = ["mysql", "postgresql", "sqlite"]\nfacility = "DROP TABLE x"\n'
    )
    with pytest.raises(ConfigurationError, match="it must be one SELECT"):
        _protection(hospital, sql_folder=tmp_path)

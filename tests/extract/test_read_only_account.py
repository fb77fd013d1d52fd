"""A guest in the hospital's production: accounts that may only read, servers that take no writing, one connection."""

import uuid
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from small_hospital import ALL, DAY, settings_for

from extract import contract
from extract.contract import DayTables
from extract.errors import SourceError
from extract.his_file import read_his_file
from extract.session import read_only_connection
from extract.source import open_source
from extract.statements import BUILT_IN

HOSXP = read_his_file(BUILT_IN / "hosxp" / "his.toml")
PASSWORD = "Sup3r$ecret"
ON_SERVERS = pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)

MAKE = {
    "mysql": ("CREATE USER {name} IDENTIFIED BY '{password}'", "GRANT SELECT ON {database}.* TO {name}"),
    "postgresql": (
        "CREATE ROLE {name} LOGIN PASSWORD '{password}'",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
    ),
}
DROP = {"mysql": ("DROP USER {name}",), "postgresql": ("DROP OWNED BY {name}", "DROP ROLE {name}")}
OURS = {
    "mysql": "SELECT COUNT(*) FROM information_schema.processlist WHERE user = :name",
    "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = :name",
}
BEHIND_VIEWS = {
    "mysql": (
        ("CREATE DATABASE {name}", "REVOKE SELECT ON {database}.* FROM {name}", "GRANT SELECT ON {name}.* TO {name}"),
        "CREATE VIEW {name}.{table} AS SELECT * FROM {database}.{table}",
        "DROP DATABASE {name}",
    ),
    "postgresql": (
        (
            "CREATE SCHEMA {name}",
            "REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM {name}",
            "GRANT USAGE ON SCHEMA {name} TO {name}",
            "ALTER ROLE {name} SET search_path = {name}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO {name}",
        ),
        "CREATE VIEW {name}.{table} AS SELECT * FROM public.{table}",
        "DROP SCHEMA {name} CASCADE",
    ),
}
"""How an account is kept to views of the tables: what comes first, each view, how they are dropped."""
WRITES = (
    "UPDATE ovst SET hn = '1' WHERE vn = '690921080000'",
    "INSERT INTO opdconfig (hospitalcode) VALUES ('1')",
    "DELETE FROM ovst",
    "CREATE TABLE ours (a int)",
    "CREATE INDEX ours ON ovst (hn)",
)


def _as_administrator(url: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def account(hospital: str) -> Iterator[Callable[..., sa.URL]]:
    """Makes an account that may only read, changed by further statements about {name}; gives the address with it."""
    url = sa.make_url(hospital)
    made: list[str] = []

    def make(*changes: str) -> sa.URL:
        name = f"guest_{uuid.uuid4().hex[:12]}"
        words = {"name": name, "password": PASSWORD, "database": url.database}
        _as_administrator(url, *(line.format(**words) for line in (*MAKE[url.get_backend_name()], *changes)))
        made.append(name)
        return url.set(username=name, password=PASSWORD)

    yield make
    for name in made:
        _as_administrator(url, *(line.format(name=name) for line in DROP[url.get_backend_name()]))


def _spelt(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def _refusal(url: sa.URL) -> str:
    """The one sentence that opening and reading ends with."""
    with pytest.raises(SourceError) as error, open_source(settings_for(_spelt(url))) as source:
        source.facility()
    assert PASSWORD not in str(error.value)
    assert error.value.__context__ is None
    return error.value.message.en


def _same(read: DayTables, expected: DayTables) -> bool:
    return all(getattr(read, table).equals(getattr(expected, table)) for table in contract.TABLES)


@ON_SERVERS
@pytest.mark.parametrize("statement", WRITES)
def test_server_refuses_to_write_in_our_session(hospital: str, statement: str) -> None:
    with read_only_connection(settings_for(hospital), HOSXP) as (connection, _):
        with pytest.raises(sa.exc.DBAPIError) as error:
            connection.exec_driver_sql(statement)
        # 1792, 25006: it is the transaction that is read-only, not the account (that is the administrator's).
        assert getattr(error.value.orig, "sqlstate", None) == "25006" or error.value.orig.args[0] == 1792


@ON_SERVERS
def test_account_that_may_only_read_is_enough(account: Callable[..., sa.URL], day: DayTables) -> None:
    with open_source(settings_for(_spelt(account()))) as source:
        assert source.missing_tables() == []
        assert _same(source.read_day(DAY, ALL), day)


@ON_SERVERS
def test_one_connection_is_all_that_is_ever_open(hospital: str, account: Callable[..., sa.URL], day: DayTables) -> None:
    url, watcher = account(), sa.create_engine(hospital, poolclass=sa.NullPool)
    seen: list[int] = []

    def count(*_: object) -> None:
        with watcher.connect() as connection:
            seen.append(connection.scalar(sa.text(OURS[url.get_backend_name()]), {"name": url.username}) or 0)

    with open_source(settings_for(_spelt(url))) as source:
        sa.event.listen(source.reader.connection, "after_cursor_execute", count)
        assert source.facility().hcode == "10953"
        for _ in range(2):
            assert _same(source.read_day(DAY, ALL), day)
    assert len(seen) > 8
    assert set(seen) == {1}
    with watcher.connect() as connection:
        assert connection.scalar(sa.text(OURS[url.get_backend_name()]), {"name": url.username}) == 0


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_replica_that_takes_no_writing_is_read(account: Callable[..., sa.URL], day: DayTables) -> None:
    url = account("ALTER ROLE {name} SET default_transaction_read_only = on")
    with open_source(settings_for(_spelt(url))) as source:
        assert source.reader.connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on"
        assert _same(source.read_day(DAY, ALL), day)


@pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)
def test_expired_password_is_said(account: Callable[..., sa.URL]) -> None:
    said = _refusal(account("ALTER USER {name} PASSWORD EXPIRE"))
    assert said.startswith("The password of the hospital database's account has expired (127.0.0.1:")
    assert "let its administrator renew it" in said


@pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)
def test_locked_account_is_said(account: Callable[..., sa.URL]) -> None:
    said = _refusal(account("ALTER USER {name} ACCOUNT LOCK"))
    assert said.startswith("The hospital database's account is locked (127.0.0.1:")


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_role_that_may_not_log_in_is_said(account: Callable[..., sa.URL]) -> None:
    said = _refusal(account("ALTER ROLE {name} NOLOGIN"))
    assert said.startswith("The hospital database's account is locked (127.0.0.1:")


@ON_SERVERS
def test_a_guest_who_may_read_views_alone_reads_the_same(hospital: str, account: Callable[..., sa.URL]) -> None:
    with open_source(settings_for(hospital)) as source:
        expected = source.read_day(DAY, ALL)
    url = account()
    first, view, last = BEHIND_VIEWS[url.get_backend_name()]
    words = {"name": url.username, "database": url.database}
    administrator = sa.make_url(hospital)
    _as_administrator(administrator, *(line.format(**words) for line in first))
    engine = sa.create_engine(administrator, poolclass=sa.NullPool)
    tables = [t for t in sa.inspect(engine).get_table_names() if t != "user"]
    _as_administrator(administrator, *(view.format(**words, table=table) for table in tables))
    on_views = url.set(database=url.username) if url.get_backend_name() == "mysql" else url
    try:
        with open_source(settings_for(_spelt(on_views))) as source:
            assert _same(source.read_day(DAY, ALL), expected)
    finally:
        _as_administrator(administrator, last.format(**words))


@ON_SERVERS
def test_a_table_that_may_not_be_read_is_named_though_it_could_be_done_without(
    hospital: str, account: Callable[..., sa.URL]
) -> None:
    administrator, url = sa.make_url(hospital), account()
    words = {"name": url.username, "database": url.database}
    engine = sa.create_engine(administrator, poolclass=sa.NullPool)
    others = [table for table in sa.inspect(engine).get_table_names() if table != "ovst_vaccine"]
    if url.get_backend_name() == "mysql":
        rights = ["REVOKE SELECT ON {database}.* FROM {name}"]
        rights += [f"GRANT SELECT ON {{database}}.{table} TO {{name}}" for table in others]
    else:
        rights = ["REVOKE SELECT ON ovst_vaccine FROM {name}"]
    _as_administrator(administrator, *(line.format(**words) for line in rights))
    for read in (lambda of: of.read_day(DAY, ALL), lambda of: of.reader.check_statements()):
        with pytest.raises(SourceError) as error, open_source(settings_for(_spelt(url))) as source:
            read(source)
        said = error.value.message.en
        assert said.startswith("The account of his.url may not read the table ovst_vaccine (or there is none)")
        assert error.value.__context__ is None

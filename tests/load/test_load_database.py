"""Opening and migrating the audit database."""

import sqlite3
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import SQLITE_FIRST
from load_night import make_claim, night, standing
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.schema import CreateTable

from core.errors import ConfigurationError, MophClaimError
from load.database import connect, open_audit
from load.errors import AuditError
from load.settings import ApiSettings
from load.tables import metadata
from load.transactions import transaction
from load.verify import verify
from sandbox.process import Sandbox

TABLES = {"run", "facility_lock", "claim", "claim_history", "submission", "issue", "workbook_row", "alembic_version"}
TABLES |= {"former_payload", "seal", "sealed_row", "access"}


def refused(url: str) -> MophClaimError:
    with pytest.raises(MophClaimError) as error:
        open_audit(url)
    assert error.value.__cause__ is None
    return error.value


def test_an_empty_database_gets_all_tables_and_a_second_opening_changes_nothing(new_database: Callable[[], str]):
    url = new_database()
    for _ in range(2):
        engine = open_audit(url)
        assert set(inspect(engine).get_table_names()) == TABLES
        engine.dispose()


@pytest.mark.parametrize("backend", SQLITE_FIRST)
def test_the_migrations_finish_what_was_made_halfway_as_the_code_knows_it(
    database_on: Callable[[str], str], backend: str
):
    url = database_on(backend)
    made = metadata.sorted_tables[:4]
    with connect(url).begin() as connection:
        for table in made:
            connection.execute(CreateTable(table))
            for index in table.indexes if table is not made[-1] else ():
                index.create(connection)
    engine = open_audit(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    assert verify(engine, "sandbox").mismatch is None
    engine.dispose()


def test_several_programs_may_open_a_new_audit_at_once(new_database: Callable[[], str]):
    url = new_database()
    together = threading.Barrier(4)

    def open_it(_: int) -> set[str]:
        together.wait()
        engine = open_audit(url)
        try:
            return set(inspect(engine).get_table_names())
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(open_it, range(4))) == [TABLES] * 4


@pytest.mark.parametrize("new_database", ["mariadb"], indirect=True)
def test_who_waits_for_a_migration_finds_it_done(new_database: Callable[[], str]):
    url, found = new_database(), []
    looking = create_engine(url, poolclass=NullPool)

    def look(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "release_lock" in statement:
            with looking.connect() as connection:
                found.append(connection.scalar(text("select version_num from alembic_version")))

    event.listen(Engine, "before_cursor_execute", look)
    try:
        open_audit(url).dispose()
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    with looking.connect() as connection:
        assert found == [connection.scalar(text("select version_num from alembic_version"))]


def test_what_stands_in_the_audit_outlives_its_opening(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    url = new_database()
    engine = open_audit(url)
    night(engine, api, [make_claim()])
    engine.dispose()
    again = open_audit(url)
    assert standing(again) == {"accepted": 1}
    again.dispose()


def test_an_audit_of_a_newer_version_is_one_sentence(new_database: Callable[[], str]):
    url = new_database()
    engine = open_audit(url)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    error = refused(url)
    assert isinstance(error, AuditError)
    assert "newer version" in error.message.en


# SQLite.


def test_the_file_and_its_folder_are_made_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "audit.sqlite"
    engine = open_audit(f"sqlite:///{path}")
    with engine.connect():
        modes = {file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    engine.dispose()
    assert modes == {0o600}


def test_every_commit_reaches_the_disk(audit: Engine):
    with audit.connect() as connection:
        pragma = {name: connection.execute(text(f"pragma {name}")).scalar() for name in ("journal_mode", "synchronous")}
    assert pragma == {"journal_mode": "wal", "synchronous": 2}


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "audit.sqlite", tmp_path):
        error = refused(f"sqlite:///{path}")
        assert isinstance(error, AuditError)
        assert str(path) in error.message.en
        assert "กรุณา" in error.message.th


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path):
    path = tmp_path / "audit.sqlite"
    path.write_text("a shopping list, and not a short one " * 100)
    assert "cannot be used" in refused(f"sqlite:///{path}").message.en


def test_a_file_that_another_program_has_made_read_only_is_one_sentence(audit: Engine):
    with audit.connect() as connection:
        connection.execute(text("pragma query_only = on"))
        connection.commit()
        with pytest.raises(AuditError, match="SQLITE_READONLY"), transaction(audit) as mine:
            mine.execute(text("pragma query_only = on"))
            mine.execute(text("delete from run"))


def test_a_full_disk_is_one_sentence_and_what_was_written_is_kept(audit: Engine):
    with pytest.raises(AuditError, match="is full"), transaction(audit) as connection:
        connection.exec_driver_sql("pragma max_page_count = 1")
        connection.execute(text("create table more (t text)"))
        connection.execute(text("insert into more select hex(zeroblob(100000))"))
    with sqlite3.connect(audit.url.database or "") as plain:
        assert plain.execute("pragma integrity_check").fetchone() == ("ok",)


# Addresses.


@pytest.mark.parametrize(
    "url",
    [
        "",
        "audit.sqlite",
        "oracle://h/d",
        "nosuch+driver://h/d",
        "postgresql+nosuch://h/d",
        "mysql+pymysql://root@h:port/d",
        "mysql://u:secret-77@h/d",
    ],
)
def test_an_address_that_is_none_names_the_setting(url: str):
    error = refused(url)
    assert isinstance(error, ConfigurationError)
    assert "audit.url" in error.message.en
    assert "secret-77" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://root:secret-77@127.0.0.1:1/audit",
        "postgresql+psycopg://postgres:secret-77@127.0.0.1:1/audit",
        "mysql+pymysql://nobody:secret-77@no-such-host.invalid/audit",
        "postgresql+psycopg://nobody:secret-77@no-such-host.invalid/audit",
    ],
)
def test_a_server_that_is_not_there_is_one_sentence_without_the_password(url: str):
    error = refused(url)
    assert isinstance(error, AuditError)
    assert str(make_url(url).host) in error.message.en
    assert "secret-77" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("backend", ["mariadb", "postgresql"])
def test_a_database_that_is_missing_is_one_sentence(database_on: Callable[[str], str], backend: str):
    url = make_url(database_on(backend)).set(database="moph_there_is_none").render_as_string(hide_password=False)
    assert "moph_there_is_none cannot be used" in refused(url).message.en


def test_an_error_of_the_driver_quotes_no_row(each_audit: Engine, hcode: str):
    row = {"environment": "sandbox", "hcode": hcode, "run_id": "สมชาย-1100000000001", "expires_at": None}
    with pytest.raises(AuditError) as error, transaction(each_audit) as connection:
        connection.execute(metadata.tables["facility_lock"].insert().values(**row))
    shown = "".join(traceback.format_exception(error.value)) + repr(error.value)
    assert "1100000000001" not in shown

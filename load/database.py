"""The audit database: SQLite, PostgreSQL or MariaDB by URL, its connections set up and its tables migrated."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from core.errors import ConfigurationError
from core.messages import Message
from load.errors import AuditError
from load.tables import metadata
from load.transactions import within
from load.triggers import make_triggers

# How long opening waits for a database that is away: a wrong address should be reported soon.
_OPENING_SECONDS = 15.0
# When the network fails, the other side sends nothing: without time-outs a run would wait for ever.
_TIME_OUTS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    },
    # Longer than InnoDB waits for a lock, and than a migration waits for another.
    "mysql": {"connect_timeout": 10, "read_timeout": 75, "write_timeout": 75},
}
# Idle-transaction time-out of 15 s, so that dead clients release their locks (the servers' default is hours). Two such
# waits in a row are shorter than MariaDB's lock wait time-out. Hidden from MySQL, which has no such variable, by `/*M! */`.
_IDLE_TIME_OUT = {
    "postgresql": "set idle_in_transaction_session_timeout = '15s'",
    **dict.fromkeys(("mysql", "mariadb"), "set @moph_claim = 1 /*M!, session idle_transaction_timeout = 15 */"),
}
_LOCK_NAME = "moph_claim_migration_"
_LOCK_NUMBER = 7_060_245  # an arbitrary number for PostgreSQL's advisory lock


def open_audit(url: str, *, patience_seconds: float = 0) -> Engine:
    """Open the audit database and bring its tables up to date.

    Args:
        url: SQLAlchemy URL; a SQLite file is created if missing, readable by its owner only.
        patience_seconds: How long the engine's transactions wait for a database that has gone away.

    Returns:
        An engine to give to `Ledger` and the queries; dispose of it when done.

    Raises:
        ConfigurationError: The URL is malformed, or of a database that is not supported.
        AuditError: The database cannot be reached or written.
    """
    engine = connect(url).execution_options(patience=patience_seconds)
    file = engine.dialect.name == "sqlite" and not _in_memory(engine.url)
    # Alembic changes a SQLite table by creating it anew; with foreign keys on, that would count as a deletion.
    migrating = connect(url, foreign_keys=False) if file else engine
    try:
        within(migrating.execution_options(patience=min(patience_seconds, _OPENING_SECONDS)), _migrate)
    except BaseException:
        engine.dispose()
        raise
    finally:
        if file:
            migrating.dispose()
    return engine


@contextmanager
def audit_engine(url: str, *, patience_seconds: float = 0) -> Iterator[Engine]:
    """The audit database as `open_audit` opens it, open while the block lasts.

    Raises:
        ConfigurationError: As `open_audit`.
        AuditError: As `open_audit`.
    """
    engine = open_audit(url, patience_seconds=patience_seconds)
    try:
        yield engine
    finally:
        engine.dispose()


def _migrate(connection: Connection) -> None:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _migration_lock(connection):
            # What is new is made as it is now, which takes a fraction of the time of all the steps that led there.
            if not metadata.tables.keys() & set(inspect(connection).get_table_names()):
                metadata.create_all(connection)
                make_triggers(connection)
                command.stamp(config, "head")
            else:
                command.upgrade(config, "head")
    except CommandError:
        raise AuditError(_NEWER) from None


def connect(url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine for the audit database, not migrated; only a missing SQLite file is created, empty.

    Args:
        url: SQLAlchemy URL; `sqlite:///:memory:` exists as long as the engine, and is for measurements.
        foreign_keys: Whether SQLite enforces foreign keys.

    Raises:
        ConfigurationError: The URL is malformed, or of a database that is not supported.
        AuditError: The SQLite file cannot be written.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigurationError(_UNKNOWN_URL) from None
    if backend not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise ConfigurationError(_UNKNOWN_URL)
    if backend == "sqlite":
        _create_file(parsed)
    try:
        engine = create_engine(parsed, hide_parameters=True, **_options(parsed, backend))
    except (SQLAlchemyError, ImportError):
        raise ConfigurationError(_UNKNOWN_URL) from None
    if backend in _IDLE_TIME_OUT:
        event.listen(engine, "connect", partial(_execute, _IDLE_TIME_OUT[backend]))
    if backend == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite if foreign_keys else _set_up_sqlite_to_migrate)
        event.listen(engine, "begin", _begin)
    return engine


def _options(url: URL, backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        connect_args = {"timeout": 30, "check_same_thread": False}
        # A database in memory exists in one connection only, which the threads share in turn.
        one_connection = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0} if _in_memory(url) else {}
        return {"connect_args": connect_args, **one_connection}
    return {
        "connect_args": {**_TIME_OUTS["mysql" if backend == "mariadb" else backend]},
        # READ COMMITTED: MariaDB's default locks gaps, and two facilities would wait for each other.
        "isolation_level": "READ COMMITTED",
        # Every transaction is ended explicitly; a second rollback on a lost connection would only log a traceback.
        "pool_reset_on_return": None,
    }


def _in_memory(url: URL) -> bool:
    return not url.database or url.database == ":memory:"


def _create_file(url: URL) -> None:
    if not url.database or _in_memory(url):
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise AuditError(
            Message(
                f"เขียนฐานข้อมูลตรวจสอบ {path} ไม่ได้ ({error.strerror}) ยังไม่ได้ส่งรายการใด กรุณาแก้สิทธิ์หรือพื้นที่ดิสก์ แล้วสั่งใหม่",
                f"The audit database {path} cannot be written ({error.strerror}); nothing was sent: mend its rights or the "
                "disk and start again.",
            )
        ) from None


def _execute(statement: str, connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.commit()


def _set_up_sqlite_to_migrate(connection: Any, _record: object) -> None:
    # The driver begins transactions too late for a lock, so `_begin` does it.
    connection.isolation_level = None
    # FULL: an intent must survive a power cut, or the claim would be sent twice.
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _set_up_sqlite(connection: Any, record: object) -> None:
    _set_up_sqlite_to_migrate(connection, record)
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


@contextmanager
def _migration_lock(connection: Connection) -> Iterator[None]:
    """Keep two runs that start together from migrating together. On SQLite the transaction itself is the lock."""
    backend = connection.dialect.name
    if backend == "sqlite":
        yield
    elif backend == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
        yield
    else:
        # MariaDB's lock is of the whole server, so its name holds the database's.
        if connection.scalar(text("select get_lock(concat(:name, md5(database())), 60)"), {"name": _LOCK_NAME}) != 1:
            raise AuditError(_MIGRATING)
        try:
            yield
            # The lock is no part of the transaction: commit before the next one gets it.
            connection.exec_driver_sql("commit")
        finally:
            with suppress(SQLAlchemyError):  # if the connection is lost, so is the lock
                connection.execute(text("select release_lock(concat(:name, md5(database())))"), {"name": _LOCK_NAME})


_NEWER = Message(
    "ฐานข้อมูลตรวจสอบถูกปรับโดยโปรแกรมรุ่นใหม่กว่า กรุณาปรับรุ่นโปรแกรมนี้ หรือแก้ audit.url",
    "The audit database was brought up to date by a newer version of the program: update this one, or correct audit.url.",
)
_MIGRATING = Message(
    "โปรแกรมอื่นกำลังปรับฐานข้อมูลตรวจสอบอยู่ กรุณารอสักครู่แล้วสั่งใหม่",
    "Another program is bringing the audit database up to date: wait a moment and start again.",
)
_UNKNOWN_URL = Message(
    "ที่อยู่ฐานข้อมูลตรวจสอบ (audit.url) ไม่ถูกต้อง ต้องขึ้นต้นด้วย sqlite:/// หรือ postgresql+psycopg:// หรือ mysql+pymysql://",
    "The address of the audit database (audit.url) is malformed: it begins with sqlite:///, postgresql+psycopg:// or "
    "mysql+pymysql://.",
)

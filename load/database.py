"""The audit database: SQLite, PostgreSQL or MariaDB by URL, migrated to the present schema; its transactions.

A database that goes away for a while is ridden out: a piece of work marked `in_transaction` is done again as a whole
until it is committed or the engine's patience is over.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Integer, QueuePool, create_engine, event, literal, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from core.errors import ConfigurationError
from core.messages import Message
from load.errors import AuditAway, AuditError
from load.tables import Instant

# Bound parameters a statement may hold: SQLite's old limit is 999.
BATCH = 500
T = TypeVar("T")
P = ParamSpec("P")
_LONGEST_PAUSE_SECONDS = 2.0
_OPENING_SECONDS = 15.0
# A network cable that was pulled sends no farewell: without these a run would wait for ever.
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
# A machine that was cut off in mid-transaction holds its locks until the server misses it, by default for hours. Twice
# this, for two connections one behind the other, is less than MariaDB's patience with a lock. MySQL does not know the
# word, and takes it for a comment.
_FORGET_THE_CUT_OFF = {
    "postgresql": "set idle_in_transaction_session_timeout = '15s'",
    **dict.fromkeys(("mysql", "mariadb"), "set @moph_claim = 1 /*M!, session idle_transaction_timeout = 15 */"),
}
# MariaDB's numbers for: cannot connect, gone away, lost, shutting down, too many, network, deadlock, disk full.
_MARIADB_AWAY = frozenset(
    {
        3,
        28,
        1021,
        1026,
        1040,
        1053,
        1077,
        1114,
        1152,
        *range(1158, 1162),
        1203,
        1205,
        1213,
        1927,
        2002,
        2003,
        2006,
        2013,
        2014,
        2055,
    }
)
# PostgreSQL's classes for: connection, resources (disk, memory, places), rollback, lock, shutting down; None is a
# connection that was not made or broke.
_POSTGRESQL_AWAY = ("08", "53", "40", "55P03", "57P", "58", "25006")
_SQLITE_AWAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL")
_LOCK_NAME = "moph_claim_migration_"
_LOCK_NUMBER = 7_060_245  # any number of our own for PostgreSQL's advisory lock


def open_audit(url: str, *, patience_seconds: float = 0) -> Engine:
    """Open the audit database and bring its tables up to date.

    Args:
        url: SQLAlchemy URL; a SQLite file is made where there is none, readable by its owner only.
        patience_seconds: How long the engine's transactions ride out a database that has gone away.

    Returns:
        An engine to give to `Ledger` and the queries; dispose of it when done.

    Raises:
        ConfigurationError: The URL is none, or names a database the program cannot speak to.
        AuditError: The database cannot be reached or written.
    """
    engine = connect(url).execution_options(patience=patience_seconds)
    file = engine.dialect.name == "sqlite" and not _in_memory(engine.url)
    # SQLite changes a table by making it anew, which its foreign keys would take for a deletion.
    migrating = connect(url, foreign_keys=False) if file else engine
    try:
        # A wrong address should not look like one that is away for a moment.
        within(migrating.execution_options(patience=min(patience_seconds, _OPENING_SECONDS)), _migrate)
    except BaseException:
        engine.dispose()
        raise
    finally:
        if file:
            migrating.dispose()
    return engine


def _migrate(connection: Connection) -> None:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _alone(connection):
            command.upgrade(config, "head")
    except CommandError:
        raise AuditError(_NEWER) from None


def connect(url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine for the audit database as it stands; nothing is made but an empty SQLite file.

    Args:
        url: SQLAlchemy URL; `sqlite:///:memory:` lives as long as the engine, and is for measurements.
        foreign_keys: Whether SQLite holds to them.

    Raises:
        ConfigurationError: The URL is none, or names a database the program cannot speak to.
        AuditError: The SQLite file cannot be written.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigurationError(_UNKNOWN_URL) from None
    options: dict[str, Any] = {
        "hide_parameters": True,
        "connect_args": {**_TIME_OUTS.get("mysql" if backend == "mariadb" else backend, {})},
    }
    if backend == "sqlite":
        _make_file(parsed)
        if _in_memory(parsed):
            # It lives in its one connection, which its threads take in turn.
            options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
        options["connect_args"] = {"timeout": 30, "check_same_thread": False}
    elif backend in ("postgresql", "mysql", "mariadb"):
        # READ COMMITTED: MariaDB's default locks gaps, and two facilities would wait for each other.
        options["isolation_level"] = "READ COMMITTED"
        # Every transaction is ended by who began it: to roll back once more what was cut off would log a traceback.
        options["pool_reset_on_return"] = None
    else:
        raise ConfigurationError(_UNKNOWN_URL)
    try:
        engine = create_engine(parsed, **options)
    except (SQLAlchemyError, ImportError):
        raise ConfigurationError(_UNKNOWN_URL) from None
    if backend in _FORGET_THE_CUT_OFF:
        event.listen(engine, "connect", partial(_say, _FORGET_THE_CUT_OFF[backend]))
    elif backend == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite if foreign_keys else _set_up_sqlite_to_migrate)
        event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def transaction(engine: Engine, *, reading: bool = False) -> Iterator[Connection]:
    """A transaction whose database errors come out as one sentence.

    Args:
        engine: The audit database.
        reading: Nothing will be written, so nobody who writes need be waited for.

    Raises:
        AuditError: The database cannot be reached, written, or has lost its connection.
    """
    try:
        with engine.execution_options(reading=reading).begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        kind = AuditAway if _is_away(error) else AuditError
        raise kind(_sentence(engine.url, error)) from None


class _OnAudit(Protocol):
    _engine: Engine


S = TypeVar("S", bound=_OnAudit)


def within(engine: Engine, work: Callable[[Connection], T], *, reading: bool = False) -> T:
    """Do a piece of work in one transaction; again as a whole, while the database is away and patience lasts.

    Args:
        engine: The audit database.
        work: What to do; it must bear to be done again where its commit was not answered.
        reading: Nothing will be written.

    Raises:
        AuditError: The database cannot be used, or stays away.
    """
    again = Retrying(
        retry=retry_if_exception_type(AuditAway),
        stop=stop_after_delay(engine.get_execution_options().get("patience", 0)),
        wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
        reraise=True,
    )
    for attempt in again:
        with attempt, transaction(engine, reading=reading) as connection:
            result = work(connection)
    return result


def in_transaction(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], T]:
    """Make a method of something with an audit a piece of work: see `within`."""

    @wraps(method)
    def done(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return within(self._engine, lambda connection: method(self, connection, *args, **kwargs))

    return done


class DatabaseTime(FunctionElement[datetime]):
    """The database's own clock, so many seconds from now: machines that share an audit may differ."""

    type = Instant()
    inherit_cache = True

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(literal(round(seconds * 1000), Integer()))


@compiles(DatabaseTime, "sqlite")
def _time_of_sqlite(element: DatabaseTime, compiler: SQLCompiler, **_: Any) -> str:
    # As SQLAlchemy stores a moment in SQLite: with six decimals.
    milliseconds = compiler.process(element.clauses)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', ({milliseconds} / 1000.0) || ' seconds')"


@compiles(DatabaseTime, "postgresql")
def _time_of_postgresql(element: DatabaseTime, compiler: SQLCompiler, **_: Any) -> str:
    return f"(clock_timestamp() at time zone 'utc' + {compiler.process(element.clauses)} * interval '1 millisecond')"


@compiles(DatabaseTime, "mysql", "mariadb")
def _time_of_mariadb(element: DatabaseTime, compiler: SQLCompiler, **_: Any) -> str:
    return f"date_add(utc_timestamp(6), interval {compiler.process(element.clauses)} * 1000 microsecond)"


def _in_memory(url: URL) -> bool:
    return not url.database or url.database == ":memory:"


def _make_file(url: URL) -> None:
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


def _say(statement: str, connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.commit()


def _set_up_sqlite_to_migrate(connection: Any, _record: object) -> None:
    # The driver's own transactions start too late for a lock: we begin them ourselves.
    connection.isolation_level = None
    # FULL: an intent must outlive a power cut, or the claim would go twice.
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _set_up_sqlite(connection: Any, record: object) -> None:
    _set_up_sqlite_to_migrate(connection, record)
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


def batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows in portions that fit the parameters of one statement."""
    return (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Two runs that start together must not migrate together. SQLite's transaction is the lock already."""
    backend = connection.dialect.name
    if backend == "sqlite":
        yield
    elif backend == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
        yield
    else:
        # MariaDB's lock is the whole server's, not a database's.
        if connection.scalar(text("select get_lock(concat(:name, md5(database())), 60)"), {"name": _LOCK_NAME}) != 1:
            raise AuditError(_MIGRATING)
        try:
            yield
            # It knows of no transaction: who waited for it must find what was done.
            connection.exec_driver_sql("commit")
        finally:
            with suppress(SQLAlchemyError):  # with its connection the lock is gone as well
                connection.execute(text("select release_lock(concat(:name, md5(database())))"), {"name": _LOCK_NAME})


def _is_away(error: SQLAlchemyError) -> bool:
    """Whether the same may succeed in a moment: not so a wrong password or a missing table."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = _code(error)
    if isinstance(code, int):
        return code in _MARIADB_AWAY
    if code is None:  # the driver itself has lost or not made its connection
        return isinstance(error, OperationalError) or error.connection_invalidated
    return code.startswith(_SQLITE_AWAY if code.startswith("SQLITE") else _POSTGRESQL_AWAY)


def _code(error: SQLAlchemyError) -> str | int | None:
    driver_error = getattr(error, "orig", None)
    # MariaDB's own number first: its SQLSTATE calls a lock that was waited for in vain a general error.
    if driver_error is not None and driver_error.args and isinstance(driver_error.args[0], int):
        return int(driver_error.args[0])
    code: str | None = getattr(driver_error, "sqlite_errorname", None) or getattr(driver_error, "sqlstate", None)
    return code


def _sentence(url: URL, error: SQLAlchemyError) -> Message:
    """What happened, without the driver's words: they may quote a row."""
    place = url.database if url.get_backend_name() == "sqlite" else f"{url.host}/{url.database}"
    code = _code(error) or type(getattr(error, "orig", None) or error).__name__
    if code == _MAY_NOT_MAKE_TRIGGERS:
        return _NO_TRIGGERS.fill(place=place)
    return Message(
        f"ใช้ฐานข้อมูลตรวจสอบ {place} ไม่ได้ ({code}) กรุณาตรวจสอบการเชื่อมต่อ สิทธิ์ และพื้นที่ดิสก์ แล้วสั่งใหม่ รายการที่บันทึกไว้แล้วยังอยู่ครบ",
        f"The audit database {place} cannot be used ({code}): check the connection, its rights and the disk, and start "
        "again; what was written is kept.",
    )


_MAY_NOT_MAKE_TRIGGERS = 1419
_NO_TRIGGERS = Message(
    "ฐานข้อมูลตรวจสอบ {place} ไม่อนุญาตให้สร้าง trigger กรุณาให้ผู้ดูแลสั่ง set global log_bin_trust_function_creators = 1 แล้วสั่งใหม่",
    "The audit database {place} does not let us create triggers: have its administrator run "
    "set global log_bin_trust_function_creators = 1, then start again.",
)
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


@contextmanager
def audit_engine(url: str, *, patience_seconds: float = 0) -> Iterator[Engine]:
    """The audit database, as `open_audit` opens it, while the block lasts."""
    engine = open_audit(url, patience_seconds=patience_seconds)
    try:
        yield engine
    finally:
        engine.dispose()

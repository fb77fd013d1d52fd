"""Opening the audit database: SQLite, PostgreSQL or MariaDB by URL, migrated to the present schema."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from extract.errors import ConfigurationError
from extract.messages import Message
from load.errors import AuditError

# Bound parameters a statement may hold: SQLite's old limit is 999.
BATCH = 500
T = TypeVar("T")
_LOCK_NAME = "moph_claim_migration"
_LOCK_NUMBER = 7_060_245  # any number of our own for PostgreSQL's advisory lock


def open_audit(url: str) -> Engine:
    """Open the audit database and bring its tables up to date.

    Args:
        url: SQLAlchemy URL; a SQLite file is made where there is none, readable by its owner only.

    Returns:
        An engine to give to `Ledger` and the queries; dispose of it when done.

    Raises:
        ConfigurationError: The URL is none, or names a database the program cannot speak to.
        AuditError: The database cannot be reached or written.
    """
    engine = connect(url)
    try:
        with transaction(engine) as connection, _alone(connection):
            config = Config()
            folder = str(Path(__file__).parent / "migrations")
            config.set_main_option("script_location", folder.replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        engine.dispose()
        raise AuditError(_NEWER) from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect(url: str) -> Engine:
    """An engine for the audit database as it stands; nothing is made but an empty SQLite file.

    Raises:
        ConfigurationError: The URL is none, or names a database the program cannot speak to.
        AuditError: The SQLite file cannot be written.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigurationError(_UNKNOWN_URL) from None
    options: dict[str, Any] = {"hide_parameters": True}
    if backend == "sqlite":
        _make_file(parsed)
        options["connect_args"] = {"timeout": 30}
    elif backend in ("mysql", "mariadb", "postgresql"):
        options.update(pool_pre_ping=True, isolation_level="READ COMMITTED")
    else:
        raise ConfigurationError(_UNKNOWN_URL)
    try:
        engine = create_engine(parsed, **options)
    except (SQLAlchemyError, ImportError):
        raise ConfigurationError(_UNKNOWN_URL) from None
    if backend == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
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
        raise AuditError(_sentence(engine.url, error)) from None


def _make_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
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


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions start too late for a lock: we begin them ourselves.
    connection.isolation_level = None
    # FULL: an intent must outlive a power cut, or the claim would go twice.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


def batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows in portions that fit the parameters of one statement."""
    return (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Two runs that start together must not migrate together. SQLite's transaction is the lock already."""
    backend = connection.dialect.name
    if backend == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
    elif backend != "sqlite" and connection.scalar(text("select get_lock(:name, 60)"), {"name": _LOCK_NAME}) != 1:
        raise AuditError(_MIGRATING)
    yield
    if backend not in ("postgresql", "sqlite"):
        connection.execute(text("select release_lock(:name)"), {"name": _LOCK_NAME})


def _sentence(url: URL, error: SQLAlchemyError) -> Message:
    """What happened, without the driver's words: they may quote a row."""
    place = url.database if url.get_backend_name() == "sqlite" else f"{url.host}/{url.database}"
    driver_error = getattr(error, "orig", None)
    code = getattr(driver_error, "sqlite_errorname", None) or getattr(driver_error, "sqlstate", None)
    if code is None and driver_error is not None and driver_error.args:
        code = driver_error.args[0] if isinstance(driver_error.args[0], int) else None
    code = code or type(driver_error or error).__name__
    return Message(
        f"ใช้ฐานข้อมูลตรวจสอบ {place} ไม่ได้ ({code}) กรุณาตรวจสอบการเชื่อมต่อ สิทธิ์ และพื้นที่ดิสก์ แล้วสั่งใหม่ รายการที่บันทึกไว้แล้วยังอยู่ครบ",
        f"The audit database {place} cannot be used ({code}): check the connection, its rights and the disk, and start "
        "again; what was written is kept.",
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

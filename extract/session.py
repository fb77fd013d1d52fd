"""One read-only connection to a hospital's production database, with a time limit on every statement.

Never a lock, never a change. What a server is too old to know (MySQL before 5.6 has no read-only session, before 5.7
no statement time-out) it does without: give it an account that may only read.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pymysql.charset import charset_by_name  # type: ignore[import-untyped]
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from extract.errors import ConfigurationError, SourceError
from extract.failures import BAD_CHARSET, plainly
from extract.messages import Message
from extract.settings import HisSettings

LABEL = "/* moph-claim */ "
"""Starts every statement, so that the hospital's administrator sees in the process list whose it is."""

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
_NOTICE_SECONDS = 10
_SQLITE_STEPS = 10_000

NO_URL = Message(
    th="ยังไม่ได้ตั้งค่าที่อยู่ฐานข้อมูลโรงพยาบาล กรุณาตั้งค่า his.url เช่น mysql://ผู้ใช้:รหัสผ่าน@เครื่อง/ฐานข้อมูล",
    en="The address of the hospital database is not set: set his.url, such as mysql://user:password@host/database.",
)
BAD_URL = Message(
    th="ค่า his.url ผิดรูปแบบ กรุณาใช้รูปแบบ mysql://ผู้ใช้:รหัสผ่าน@เครื่อง/ฐานข้อมูล (อักขระพิเศษในรหัสผ่านต้องเขียนเป็น %xx)",
    en="The setting his.url is malformed: write mysql://user:password@host/database "
    "(special characters of the password as %xx).",
)
NO_DRIVER = Message(
    th="ไม่รู้จักฐานข้อมูลชนิด {driver} ในค่า his.url หรือยังไม่ได้ติดตั้งไดรเวอร์ กรุณาใช้ mysql, mariadb, postgresql หรือ sqlite",
    en="The setting his.url names a database {driver} that is unknown or whose driver is not installed: "
    "use mysql, mariadb, postgresql or sqlite.",
)
NO_FILE = Message(
    th="ไม่พบไฟล์ฐานข้อมูล {at} กรุณาตรวจค่า his.url",
    en="There is no database file {at}: check the setting his.url.",
)


def where(url: sa.URL) -> str:
    """The address a person may see: no user, no password, no query."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    port = f":{url.port}" if url.port else ""
    return f"{url.host or 'localhost'}{port}/{url.database or ''}"


def parse_url(settings: HisSettings) -> sa.URL:
    """The database's address with the drivers this program comes with.

    Raises:
        ConfigurationError: It is not set, or cannot be understood.
    """
    written = settings.url.get_secret_value().strip()
    if not written:
        raise ConfigurationError(NO_URL)
    with suppress(ArgumentError, ValueError):
        url = sa.make_url(written)
        return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    raise ConfigurationError(BAD_URL)


@contextmanager
def read_only_connection(settings: HisSettings) -> Iterator[sa.Connection]:
    """One connection, open while the block lasts; nothing is read yet, nothing can be written.

    Args:
        settings: Address, character set and time-outs.

    Raises:
        ConfigurationError: The address is missing, malformed, or names an unknown driver.
        SourceError: The database cannot be reached or opened.
    """
    url = parse_url(settings)
    engine = _engine(url, settings)
    connection = plainly(where(url), "", engine.connect)
    try:
        yield connection
    finally:
        with suppress(sa.exc.SQLAlchemyError):
            connection.close()
        engine.dispose()


def _engine(url: sa.URL, settings: HisSettings) -> sa.Engine:
    backend = url.get_backend_name()
    options: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True}
    if backend == "sqlite":
        options["creator"] = lambda: _open_sqlite(url, settings)
    else:
        # One snapshot a service day: all four tables tell of the same instant.
        options |= {"isolation_level": "REPEATABLE READ", "connect_args": _connect_arguments(backend, url, settings)}
    engine = _create_engine(url, options)
    sa.event.listen(engine, "before_cursor_execute", _label, retval=True)
    if backend in _SESSION:
        sa.event.listen(engine, "connect", lambda connection, _: _SESSION[backend](connection, settings))
    return engine


def _create_engine(url: sa.URL, options: dict[str, Any]) -> sa.Engine:
    try:
        return sa.create_engine(url, **options)
    except (NoSuchModuleError, ImportError):
        message = NO_DRIVER.fill(driver=url.drivername)
    except (ArgumentError, TypeError, ValueError):
        message = BAD_URL
    raise ConfigurationError(message)


def _connect_arguments(backend: str, url: sa.URL, settings: HisSettings) -> dict[str, Any]:
    patience = settings.statement_timeout_seconds + _NOTICE_SECONDS
    if backend in ("mysql", "mariadb"):
        charset = settings.charset or url.query.get("charset") or "utf8mb4"
        if charset_by_name(charset) is None:
            raise ConfigurationError(BAD_CHARSET.fill(at=where(url)))
        # The read time-out is the only limit where the server knows none, and notices a pulled cable.
        return {"charset": charset, "connect_timeout": settings.connect_timeout_seconds, "read_timeout": patience}
    if backend == "postgresql":
        return {
            "client_encoding": "utf8",
            "connect_timeout": settings.connect_timeout_seconds,
            "keepalives_idle": _NOTICE_SECONDS,
            "tcp_user_timeout": patience * 1000,
        }
    return {}


def _label(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    return LABEL + statement, parameters


def _prepare_mysql(connection: Any, settings: HisSettings) -> None:
    seconds = settings.statement_timeout_seconds
    with connection.cursor() as cursor:
        for statement in (
            "SET SESSION TRANSACTION READ ONLY",
            f"SET SESSION max_statement_time = {seconds}",  # MariaDB
            f"SET SESSION max_execution_time = {seconds * 1000}",  # MySQL
        ):
            with suppress(connection.Error):
                cursor.execute(LABEL + statement)


def _prepare_postgresql(connection: Any, settings: HisSettings) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"{LABEL}SET default_transaction_read_only = on")
        # Joins in the order written, from the day's few visits on: with stale statistics the planner starts elsewhere.
        cursor.execute(f"{LABEL}SET join_collapse_limit = 1")
        cursor.execute(f"{LABEL}SET statement_timeout = {settings.statement_timeout_seconds * 1000}")
    connection.commit()


_SESSION = {"mysql": _prepare_mysql, "mariadb": _prepare_mysql, "postgresql": _prepare_postgresql}


def _open_sqlite(url: sa.URL, settings: HisSettings) -> sqlite3.Connection:
    path = Path(url.database or "")
    if not path.is_file():
        raise SourceError(NO_FILE.fill(at=where(url)))
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=settings.connect_timeout_seconds, factory=_LimitedSqlite
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA schema_version")  # opening reads nothing: this tells whether it is a database at all
    # SQLite's own decoding error quotes the text.
    connection.text_factory = lambda stored: stored.decode("utf-8", errors="replace")
    connection.limit_seconds(settings.statement_timeout_seconds)
    return connection


class _LimitedSqlite(sqlite3.Connection):
    """A connection that gives a statement up after so many seconds, as the servers do."""

    def limit_seconds(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self.set_progress_handler(lambda: time.monotonic() > self._deadline, _SQLITE_STEPS)

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        # SQLAlchemy takes a new cursor for each statement.
        self._deadline = time.monotonic() + getattr(self, "_seconds", _NOTICE_SECONDS)
        return super().cursor(*arguments, **named)

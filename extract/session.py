"""One read-only connection to a hospital's production database, with limits on every statement.

It takes no locks and changes nothing. Old servers lack some of the protection (MySQL before 5.6 has no read-only
session, before 5.7 no statement time-out), so the account should only have the right to read.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-untyped]
import sqlalchemy as sa
from pymysql.charset import charset_by_name  # type: ignore[import-untyped]
from pymysql.cursors import SSCursor  # type: ignore[import-untyped]
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from core.clock import BANGKOK
from core.errors import ConfigurationError
from core.messages import Message
from extract.errors import SourceError
from extract.failures import BAD_CHARSET, BAD_OPTIONS, translate_errors
from extract.his_file import HisFile
from extract.settings import HisSettings
from extract.watch import NOTICE_SECONDS, Watch

LABEL = "/* moph-claim */ "
"""Put in front of every statement, so that the hospital's administrator recognises it in the process list."""

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
# Joins in the order written, beginning with the day's few visits, each row looked up by an index, on one core. By default
# the planner may read whole tables where it thinks that faster; on a production server a day must cost the same every year.
_POSTGRESQL_SETTINGS = (
    "join_collapse_limit = 1",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "enable_seqscan = off",
    "enable_bitmapscan = off",
    "random_page_cost = 0",
    "max_parallel_workers_per_gather = 0",
    "jit = off",
)
_SQLITE_STEPS = 10_000
MEGABYTE = 1_000_000

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


def display_address(url: sa.URL) -> str:
    """The address without user, password and query, as it may be shown."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    port = f":{url.port}" if url.port else ""
    return f"{url.host or 'localhost'}{port}/{url.database or ''}"


def parse_url(settings: HisSettings) -> sa.URL:
    """The database's address, with the driver that this program installs.

    Raises:
        ConfigurationError: It is not set, or cannot be understood.
    """
    text = settings.url.get_secret_value().strip()
    if not text:
        raise ConfigurationError(NO_URL)
    with suppress(ArgumentError, ValueError):
        url = sa.make_url(text)
        return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    raise ConfigurationError(BAD_URL)


@dataclass(frozen=True, slots=True)
class _Limits:
    """Character sets and time-outs of a session: the site's settings, else those of the HIS's folder."""

    charset: str
    stored_charset: str
    connect_seconds: int
    statement_seconds: int
    most_bytes: int


@contextmanager
def read_only_connection(settings: HisSettings, his: HisFile) -> Iterator[tuple[sa.Connection, Watch]]:
    """One connection that cannot write, open while the block lasts, and the watch that its queries are to be run by.

    Args:
        settings: Address, character set and time-outs.
        his: Has the character set and time-out to use if the site sets none.

    Raises:
        ConfigurationError: The address is missing, malformed, or names an unknown driver.
        SourceError: The database cannot be reached or opened.
    """
    url = parse_url(settings)
    limits = _Limits(
        settings.charset or str(url.query.get("charset") or his.charset),
        settings.stored_charset,
        settings.connect_timeout_seconds,
        settings.statement_timeout_seconds or his.statement_timeout_seconds,
        settings.most_megabytes_a_day * MEGABYTE,
    )
    watch = Watch(limits.statement_seconds + NOTICE_SECONDS, settings.day_timeout_seconds, limits.most_bytes)
    engine = _engine(url, limits, watch)
    connection = _connect(engine, url, limits, watch)
    try:
        yield connection, watch
    finally:
        with suppress(sa.exc.SQLAlchemyError):
            watch.close(connection)
        engine.dispose()


def _connect(engine: sa.Engine, url: sa.URL, limits: _Limits, watch: Watch) -> sa.Connection:
    hosts = 1 + sum(names.count(",") for names in (url.host or "", f"{url.query.get('host', '')}"))
    seconds = limits.connect_seconds * hosts + NOTICE_SECONDS
    try:
        return translate_errors(display_address(url), "", lambda: watch.run(engine.connect, seconds, "connecting"))
    except (TypeError, ValueError, OSError):  # the driver does not know an option, or a file it names is missing
        raise ConfigurationError(BAD_OPTIONS.fill(at=display_address(url))) from None


def _engine(url: sa.URL, limits: _Limits, watch: Watch) -> sa.Engine:
    backend = url.get_backend_name()
    # Connections are closed when returned; resetting a broken one would only log a traceback.
    options: dict[str, Any] = {"poolclass": NullPool, "pool_reset_on_return": None, "hide_parameters": True}
    if backend == "sqlite":
        options["creator"] = lambda: _open_sqlite(url, limits)
    else:
        # One snapshot per service day, so that all four tables are of the same instant.
        options |= {"isolation_level": "REPEATABLE READ", "connect_args": _connect_arguments(backend, url, limits)}
    engine = _create_engine(url, options)
    sa.event.listen(engine, "before_cursor_execute", _label, retval=True)
    sa.event.listen(engine, "before_cursor_execute", lambda *_: watch.begin_statement())
    sa.event.listen(engine, "connect", lambda connection, _: watch.adopt(connection))
    if backend in _SESSION:
        sa.event.listen(engine, "connect", lambda connection, _: _SESSION[backend](connection, limits))
    return engine


def _create_engine(url: sa.URL, options: dict[str, Any]) -> sa.Engine:
    try:
        return sa.create_engine(url, **options)
    except (NoSuchModuleError, ImportError):
        message = NO_DRIVER.fill(driver=url.drivername)
    except (ArgumentError, TypeError, ValueError):
        message = BAD_URL
    raise ConfigurationError(message)


def _connect_arguments(backend: str, url: sa.URL, limits: _Limits) -> dict[str, Any]:
    seconds = limits.statement_seconds + NOTICE_SECONDS
    if backend in ("mysql", "mariadb"):
        if None in map(charset_by_name, filter(None, (limits.charset, limits.stored_charset))):
            raise ConfigurationError(BAD_CHARSET.fill(at=display_address(url)))
        return {
            "charset": limits.charset,
            "connect_timeout": limits.connect_seconds,
            "read_timeout": 2 * seconds,  # the watch is earlier; this ends what it had to leave behind
            "cursorclass": _StreamingCursor,
        }
    if backend == "postgresql":
        return {
            "client_encoding": "utf8",
            "connect_timeout": limits.connect_seconds,
            "keepalives_idle": NOTICE_SECONDS,
            "tcp_user_timeout": seconds * 1000,
        }
    return {}


class _StreamingCursor(SSCursor):  # type: ignore[misc]
    """Reads rows as they are asked for: by default PyMySQL reads all of them first, however many there are."""

    connection: Any

    def close(self) -> None:
        """As PyMySQL's, which reads the rest of the rows; of a connection that is lost there is none."""
        result = self._result
        if self.connection is not None and self.connection.open:
            with suppress(pymysql.Error):
                super().close()
        self.connection = None
        if result is not None:
            result.unbuffered_active = False

    __del__ = close


def _label(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    return LABEL + statement, parameters


def _prepare_mysql(connection: Any, limits: _Limits) -> None:
    seconds = limits.statement_seconds
    with connection.cursor() as cursor:
        for statement in (
            "SET SESSION TRANSACTION READ ONLY",
            f"SET SESSION max_statement_time = {seconds}",  # MariaDB
            f"SET SESSION max_execution_time = {seconds * 1000}",  # MySQL
            # MariaDB: otherwise it scans the index of all days to find which of a person's few visits are earlier.
            "SET SESSION optimizer_switch = 'rowid_filter=off'",
        ):
            with suppress(connection.Error):
                cursor.execute(LABEL + statement)
        if limits.stored_charset:
            cursor.execute(f"{LABEL}SET character_set_results = NULL")  # bytes as stored
            connection.encoding = charset_by_name(limits.stored_charset).encoding


def _prepare_postgresql(connection: Any, limits: _Limits) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"{LABEL}SET default_transaction_read_only = on")
        # Stored instants are returned in Bangkok time, whatever the server's time zone.
        cursor.execute(f"{LABEL}SET timezone = '{BANGKOK.key}'")
        for setting in _POSTGRESQL_SETTINGS:
            cursor.execute(f"{LABEL}SET {setting}")
        cursor.execute(f"{LABEL}SET statement_timeout = {limits.statement_seconds * 1000}")
    connection.commit()


# The statement that sets hash joins, its value while they are wanted, and its value otherwise.
_HASH_JOINS = {
    "mysql": ("SET join_cache_level = {}", "4", "2"),
    "mariadb": ("SET join_cache_level = {}", "4", "2"),
    "postgresql": ("SET LOCAL enable_hashjoin = {}", "on", "off"),
}


def can_hash_join(connection: sa.Connection) -> bool:
    """Whether `hash_joins` has an effect on this server."""
    return connection.dialect.name in _HASH_JOINS


@contextmanager
def hash_joins(connection: sa.Connection) -> Iterator[None]:
    """Allow hash joins while the block lasts: a table that must be read whole is read once, not once per visit."""
    setting, meanwhile, in_general = _HASH_JOINS[connection.dialect.name]
    with suppress(sa.exc.OperationalError):  # MySQL has no such setting; newer versions use hash joins anyway
        connection.exec_driver_sql(setting.format(meanwhile))
    yield  # after an error the rollback resets PostgreSQL's setting too
    with suppress(sa.exc.OperationalError):
        connection.exec_driver_sql(setting.format(in_general))


_SESSION = {"mysql": _prepare_mysql, "mariadb": _prepare_mysql, "postgresql": _prepare_postgresql}


def _open_sqlite(url: sa.URL, limits: _Limits) -> sqlite3.Connection:
    path = Path(url.database or "")
    if not path.is_file():
        raise SourceError(NO_FILE.fill(at=display_address(url)))
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=limits.connect_seconds,
        factory=_LimitedSqlite,
        check_same_thread=False,  # the watch runs each query in a thread of its own, one after the other
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA schema_version")  # fails if the file is not a database; opening alone does not read it
    # SQLite's own decoding error would quote the text.
    connection.text_factory = lambda stored: stored.decode("utf-8", errors="replace")
    connection.limit_seconds(limits.statement_seconds)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.most_bytes)
    return connection


class _LimitedSqlite(sqlite3.Connection):
    """A connection with a time-out per statement, as the servers have."""

    def limit_seconds(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self.set_progress_handler(lambda: time.monotonic() > self._deadline, _SQLITE_STEPS)

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        # SQLAlchemy opens a new cursor for each statement.
        self._deadline = time.monotonic() + getattr(self, "_seconds", NOTICE_SECONDS)
        return super().cursor(*arguments, **named)

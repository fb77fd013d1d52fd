"""Transactions of the audit database: their errors become one sentence each, and an outage is waited out.

A piece of work in `within` (or a method marked `in_transaction`) is done again as a whole until it is committed or the
engine's patience is over.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from core.messages import Message
from load.errors import AuditAway, AuditError, AuditFull

# Bound parameters in one statement: SQLite's limit was 999 in older versions.
BATCH = 500
T = TypeVar("T")
P = ParamSpec("P")
_LONGEST_PAUSE_SECONDS = 2.0
# MariaDB's error numbers: cannot connect, gone away, lost, shutting down, too many connections, network, lock wait,
# deadlock, disk full.
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
# PostgreSQL's SQLSTATE classes: connection, resources (disk, memory, connections), rollback, lock, shutting down, system,
# read only.
_POSTGRESQL_AWAY = ("08", "53", "40", "55P03", "57P", "58", "25006")
# Of these, that the disk is full.
_FULL = frozenset({28, 1021, 1114, "SQLITE_FULL", "53100"})
_SQLITE_AWAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL")
_MAY_NOT_MAKE_TRIGGERS = 1419
_NO_TRIGGERS = Message(
    "ฐานข้อมูลตรวจสอบ {place} ไม่อนุญาตให้สร้าง trigger กรุณาให้ผู้ดูแลสั่ง set global log_bin_trust_function_creators = 1 แล้วสั่งใหม่",
    "The audit database {place} does not let us create triggers: have its administrator run "
    "set global log_bin_trust_function_creators = 1, then start again.",
)
_DISK_FULL = Message(
    "ดิสก์ของฐานข้อมูลตรวจสอบ {place} เต็ม จึงหยุดส่ง กรุณาเพิ่มพื้นที่ว่าง แล้วสั่งใหม่ รายการที่บันทึกไว้แล้วยังอยู่ครบ",
    "The disk of the audit database {place} is full, so nothing more is sent: make room and start again; what was written is "
    "kept.",
)


@contextmanager
def transaction(engine: Engine, *, reading: bool = False) -> Iterator[Connection]:
    """A transaction whose database errors are raised as an `AuditError` of one sentence.

    Args:
        engine: The audit database.
        reading: Nothing will be written, so SQLite need not wait for a writer.

    Raises:
        AuditError: The database cannot be reached, written, or has lost its connection.
    """
    try:
        with engine.execution_options(reading=reading).begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _kind(error)(_sentence(engine.url, error)) from None


class _HasEngine(Protocol):
    _engine: Engine


S = TypeVar("S", bound=_HasEngine)


def within(engine: Engine, work: Callable[[Connection], T], *, reading: bool = False, wait_for_room: bool = True) -> T:
    """Do a piece of work in one transaction, and again as a whole while the database is away and patience lasts.

    Args:
        engine: The audit database.
        work: What to do; it is done again where the answer to its commit was lost, so it must allow for that.
        reading: Nothing will be written.
        wait_for_room: A full disk is waited out as well.

    Raises:
        AuditError: The database cannot be used, or is away for too long.
    """

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, AuditAway) and (wait_for_room or not isinstance(error, AuditFull))

    again = Retrying(
        retry=retry_if_exception(may_pass),
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
    """Let a method that takes a connection be called without one: each call is a piece of work, see `within`."""

    @wraps(method)
    def done(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return within(self._engine, lambda connection: method(self, connection, *args, **kwargs))

    return done


def batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split rows into portions that fit into the parameters of one statement."""
    return (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


def _kind(error: SQLAlchemyError) -> type[AuditError]:
    if not _is_away(error):
        return AuditError
    return AuditFull if _code(error) in _FULL else AuditAway


def _is_away(error: SQLAlchemyError) -> bool:
    """Whether the same may succeed in a moment, unlike after a wrong password or with a missing table."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = _code(error)
    if isinstance(code, int):
        return code in _MARIADB_AWAY
    if code is None:  # raised by the driver: its connection was lost or not made
        return isinstance(error, OperationalError) or error.connection_invalidated
    return code.startswith(_SQLITE_AWAY if code.startswith("SQLITE") else _POSTGRESQL_AWAY)


def _code(error: SQLAlchemyError) -> str | int | None:
    driver_error = getattr(error, "orig", None)
    # MariaDB's own number first: its SQLSTATE for a lock wait time-out is that of a general error.
    if driver_error is not None and driver_error.args and isinstance(driver_error.args[0], int):
        return int(driver_error.args[0])
    code: str | None = getattr(driver_error, "sqlite_errorname", None) or getattr(driver_error, "sqlstate", None)
    return code


def _sentence(url: URL, error: SQLAlchemyError) -> Message:
    """What happened, without the driver's own text, which may quote a row."""
    place = url.database if url.get_backend_name() == "sqlite" else f"{url.host}/{url.database}"
    code = _code(error) or type(getattr(error, "orig", None) or error).__name__
    if code in _FULL:
        return _DISK_FULL.fill(place=place)
    if code == _MAY_NOT_MAKE_TRIGGERS:
        return _NO_TRIGGERS.fill(place=place)
    return Message(
        f"ใช้ฐานข้อมูลตรวจสอบ {place} ไม่ได้ ({code}) กรุณาตรวจสอบการเชื่อมต่อ สิทธิ์ และพื้นที่ดิสก์ แล้วสั่งใหม่ รายการที่บันทึกไว้แล้วยังอยู่ครบ",
        f"The audit database {place} cannot be used ({code}): check the connection, its rights and the disk, and start "
        "again; what was written is kept.",
    )

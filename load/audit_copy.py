"""Copies of a SQLite audit: made while a service writes to it, verified, and put in its place again.

The file alone is no copy: what was committed last lies in the file beside it (-wal).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, make_url

from core.clock import now
from core.messages import Message
from load.errors import AuditError
from load.high_water_mark import sync_folder
from load.transactions import transaction

_TABLES = {"alembic_version", "run", "claim", "submission"}
_BESIDE = ("-wal", "-shm", "-journal")
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")


def file_of(url: str) -> Path | None:
    """The file of a SQLite audit; None for another database."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def copy_audit(audit: Path, copy: Path) -> None:
    """Copy a SQLite audit as it is at one moment, whoever writes to it meanwhile.

    Args:
        audit: Its file.
        copy: The file to make; there must be none. It holds everything, for its owner alone.

    Raises:
        AuditError: The audit cannot be read, is not whole, or the file cannot be written.
    """
    try:
        # Nothing is ever written over, and nobody else can read it while it is being made.
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise AuditError(_EXISTS.fill(path=copy)) from None
    except OSError as error:
        raise AuditError(_NOT_WRITTEN.fill(path=copy, why=error.strerror or "?")) from None
    try:
        with _errors_of(audit, copy), closing(_open(audit)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            # One file, without others beside it.
            target.execute("pragma journal_mode = delete")
        check_copy(copy)
        _sync(copy)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


def check_copy(copy: Path) -> None:
    """Make sure that a file is an audit, and whole.

    Raises:
        AuditError: It is not.
    """
    with _errors_of(copy), closing(_open(copy)) as connection:
        faults = [row[0] for row in connection.execute("pragma integrity_check(1)")]
        tables = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
    if faults != ["ok"]:
        raise AuditError(_DAMAGED.fill(path=copy))
    if not tables >= _TABLES:
        raise AuditError(_NO_AUDIT.fill(path=copy))


@contextmanager
def reading_copy(copy: Path) -> Iterator[Connection]:
    """A connection to a copy of the audit, which stays as it is.

    Raises:
        AuditError: It cannot be read.
    """
    engine = create_engine("sqlite://", creator=lambda: _open(copy), poolclass=NullPool)
    with transaction(engine, reading=True) as connection:
        yield connection


def put_in_place(copy: Path, audit: Path) -> Path | None:
    """Put a copy in the place of an audit that nobody uses; the present one is kept beside it.

    Args:
        copy: A copy; it stays as it is.
        audit: The audit's file; it may be missing or damaged.

    Returns:
        Where the present audit lies now; None if there was none.

    Raises:
        AuditError: The copy is no whole audit, a run is under way, a program has the audit open, or it cannot be written.
    """
    check_copy(copy)
    audit = audit.resolve()  # a link to another disk stays one
    new = audit.with_name(f"{audit.name}.restoring")
    new.unlink(missing_ok=True)
    copy_audit(copy, new)
    try:
        with _nobody_uses(audit):
            aside = _keep_aside(audit, now())
            new.replace(audit)
            sync_folder(audit.parent)
    except OSError as error:
        raise AuditError(_NOT_WRITTEN.fill(path=audit, why=error.strerror or "?")) from None
    finally:
        new.unlink(missing_ok=True)
    return aside


def _keep_aside(audit: Path, at: datetime) -> Path | None:
    """Give the audit another name too, so that there is one at each moment; what lies beside it is moved there."""
    if not audit.exists():
        return None
    aside = audit.with_name(f"{audit.name}.before-restore-{at:%Y%m%d-%H%M%S}")
    try:
        aside.hardlink_to(audit)
    except OSError:  # a file system without links
        audit.rename(aside)
    # Those of a damaged audit: taken for the new one's, they would damage it as well.
    for beside in _BESIDE:
        present = audit.with_name(audit.name + beside)
        if present.exists():
            present.rename(aside.with_name(aside.name + beside))
    return aside


@contextmanager
def _nobody_uses(audit: Path) -> Iterator[None]:
    """Keep everybody out of the audit while the block lasts; one that is damaged or missing keeps nobody.

    Raises:
        AuditError: A run holds a facility, or a program has the audit open.
    """
    if not audit.exists():
        yield
        return
    with closing(_open(audit)) as connection:
        try:
            # Leaving the write-ahead log needs the file for oneself, and brings all that is committed into it.
            (mode,) = connection.execute("pragma journal_mode = delete").fetchone()
            if mode != "delete":
                raise AuditError(_IN_USE.fill(path=audit))
            connection.execute("begin exclusive")
            _check_no_run(connection)
        except sqlite3.DatabaseError as error:
            if _name(error).startswith(_LOCKED):
                raise AuditError(_IN_USE.fill(path=audit)) from None
            # Damaged, or no database at all: that is why a backup is restored.
        yield


def _check_no_run(connection: sqlite3.Connection) -> None:
    alive = "select run_id from facility_lock where expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now') limit 1"
    if row := connection.execute(alive).fetchone():
        raise AuditError(_RUN_UNDER_WAY.fill(run=row[0]))


def _open(file: Path) -> sqlite3.Connection:
    """A connection to a file that exists; it is not made."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=5)


@contextmanager
def _errors_of(file: Path, written: Path | None = None) -> Iterator[None]:
    """Errors of SQLite as one sentence about the file that is read, or the one that is written."""
    try:
        yield
    except sqlite3.Error as error:
        if written and _name(error) == "SQLITE_FULL":
            raise AuditError(_NOT_WRITTEN.fill(path=written, why=_name(error))) from None
        unreadable = isinstance(error, sqlite3.OperationalError) and not _name(error).startswith("SQLITE_CORRUPT")
        sentence = _UNREADABLE if unreadable else _DAMAGED
        raise AuditError(sentence.fill(path=file, why=_name(error))) from None


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def _sync(file: Path) -> None:
    opened = os.open(file, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    sync_folder(file.parent)


_EXISTS = Message(
    "มีไฟล์ {path} อยู่แล้ว จึงไม่เขียนทับ กรุณาใช้ชื่ออื่น",
    "There is a file {path} already, and it is not written over: name another.",
)
_NOT_WRITTEN = Message(
    "เขียน {path} ไม่ได้ ({why}) กรุณาตรวจสอบสิทธิ์และพื้นที่ดิสก์ แล้วสั่งใหม่",
    "{path} cannot be written ({why}): check its rights and the disk, and start again.",
)
_UNREADABLE = Message(
    "อ่านไฟล์ {path} ไม่ได้ ({why}) กรุณาตรวจสอบชื่อไฟล์ สิทธิ์ และพื้นที่ดิสก์",
    "The file {path} cannot be read ({why}): check its name, its rights and the disk.",
)
_DAMAGED = Message(
    "ไฟล์ {path} เสียหายหรือไม่ใช่ฐานข้อมูลตรวจสอบ กรุณาใช้สำเนาอื่น",
    "The file {path} is damaged, or no audit database: take another copy.",
)
_NO_AUDIT = Message(
    "ไฟล์ {path} ไม่ใช่ฐานข้อมูลตรวจสอบของโปรแกรมนี้ กรุณาใช้สำเนาอื่น",
    "The file {path} is no audit database of this program: take another copy.",
)
_IN_USE = Message(
    "มีโปรแกรมเปิดฐานข้อมูลตรวจสอบ {path} อยู่ กรุณาหยุด moph-claim up และโปรแกรมอื่นที่ใช้ไฟล์นี้ แล้วสั่งใหม่",
    "A program has the audit database {path} open: stop `moph-claim up` and whatever else uses it, and start again.",
)
_RUN_UNDER_WAY = Message(
    "มีการทำงาน (run {run}) กำลังดำเนินอยู่ หรือเพิ่งหยุดกลางคัน กรุณารอให้เสร็จ (audit.lease_seconds) แล้วสั่งใหม่",
    "A run is under way (run {run}), or has just died: wait until it ends (audit.lease_seconds), and start again.",
)

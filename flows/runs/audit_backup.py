"""`moph-claim audit backup` and `audit restore`: copies of the audit, and what a copy proves."""

from pathlib import Path

from sqlalchemy import Engine, select

from core.clock import now
from core.errors import ConfigurationError
from core.messages import Message
from flows.settings.model import Settings
from load.accesses import record_access
from load.audit_copy import check_copy, copy_audit, file_of, put_in_place, reading_copy
from load.audit_dump import dump_audit
from load.audit_ends import (
    check_is_free,
    ends_file,
    first_claim_unlike,
    first_missing_end,
    is_copy,
    read_ends,
    write_ends,
)
from load.database import audit_engine
from load.errors import AuditError
from load.high_water_mark import Mark, MarkFile, marks_of, read_marks
from load.settings import Environment
from load.tables import run
from load.transactions import transaction


def back_up(settings: Settings, file: Path) -> Message:
    """Copy the audit while runs may be under way, verify the copy, and write the audit's ends beside it.

    Args:
        settings: The settings in force.
        file: The file to make; nothing is written over.

    Returns:
        What was made.

    Raises:
        AuditError: The audit cannot be read, or the files not be written.
    """
    url = settings.audit_url()
    audit = file_of(url)
    if audit and not audit.exists():
        raise AuditError(_NONE.fill(path=audit))
    for path in (file, ends_file(file)):
        check_is_free(path)
    with audit_engine(url, patience_seconds=settings.audit.outage_seconds) as engine:
        # Before the copy is made: what it holds is then not less.
        with transaction(engine, reading=True) as connection:
            ends = list(marks_of(connection))
        for environment in {end.environment for end in ends}:
            record_access(engine, environment, "audit backup", str(file.absolute()))
        if audit:
            copy_audit(audit, file)
        else:
            dump_audit(url, file)
    write_ends(file, ends)
    return _MADE.fill(file=file, ends=ends_file(file), bytes=f"{file.stat().st_size:,}", facilities=len(ends))


def restore(settings: Settings, file: Path) -> Message:
    """Put a backup in the place of the audit; what was there is kept beside it, and nothing is sent until a person says so.

    Args:
        settings: The settings in force.
        file: A backup; it stays as it is.

    Returns:
        What was done, and what is to do.

    Raises:
        ConfigurationError: The audit is on a server: its own programs restore it.
        AuditError: It is no whole backup, somebody uses the audit, or it cannot be written.
    """
    audit = file_of(settings.audit_url())
    if audit is None:
        raise ConfigurationError(_OF_A_SERVER)
    check_copy(file)
    with reading_copy(file) as connection:
        if ends_file(file).exists() and first_missing_end(connection, read_ends(ends_file(file))):
            raise AuditError(_OTHER_ENDS.fill(file=file, ends=ends_file(file)))
        facilities = connection.execute(select(run.c.environment, run.c.hcode).distinct()).all()
    aside = put_in_place(file, audit)
    for environment, hcode in facilities:
        mark = Mark.of_restored(environment, hcode, now())
        MarkFile(settings.marks_folder(), environment, hcode).write(mark)
    with audit_engine(settings.audit_url()) as engine:
        for environment in {environment for environment, _ in facilities}:
            record_access(engine, environment, "audit restore", str(file.absolute()))
    return (_RESTORED if aside else _RESTORED_ALONE).fill(file=file, audit=audit, aside=aside)


def ends_to_compare(settings: Settings, environment: Environment, against: Path | None) -> list[Mark]:
    """The ends that an audit must have: those of a file, and this machine's own marks; read before the audit is.

    Args:
        settings: The settings in force.
        environment: Only its facilities.
        against: A backup, or the ends beside it.

    Raises:
        AuditError: The file, or a mark, cannot be read.
    """
    ends = [*(read_ends(against) if against else ()), *read_marks(settings.marks_folder())]
    return [end for end in ends if end.environment == environment]


def what_is_cut_off(
    engine: Engine, ends: list[Mark], environment: Environment, against: Path | None = None
) -> Message | None:
    """What the audit lacks of these ends, or has otherwise than a copy of SQLite; None if neither.

    Raises:
        AuditError: The audit, or the copy, cannot be read.
    """
    with transaction(engine, reading=True) as connection:
        if (lack := first_missing_end(connection, ends)) or not (against and is_copy(against)):
            return lack
        with reading_copy(against) as copy:
            return first_claim_unlike(connection, copy, environment)


_NONE = Message(
    "ยังไม่มีฐานข้อมูลตรวจสอบที่ {path} กรุณาตรวจสอบ data_folder และ audit.url",
    "There is no audit database at {path}: check data_folder and audit.url.",
)
_MADE = Message(
    "สำเนาฐานข้อมูลตรวจสอบอยู่ที่ {file} ({bytes} ไบต์ ตรวจแล้วครบถ้วน {facilities} หน่วยบริการ) ท้ายสายโซ่อยู่ที่ {ends} กรุณาเก็บทั้งสองไฟล์ไว้ที่อื่น มีข้อมูลส่วนบุคคล",
    "The audit was copied to {file} ({bytes} bytes, whole, {facilities} facilities), and its ends to {ends}: keep both "
    "elsewhere; the copy holds personal data.",
)
_OF_A_SERVER = Message(
    "ฐานข้อมูลตรวจสอบอยู่บนเซิร์ฟเวอร์ ให้ผู้ดูแลกู้คืนด้วย pg_restore หรือ mariadb ตาม docs/operations.md แล้วสั่ง moph-claim audit accept-restored",
    "The audit is on a database server: have its administrator restore it with pg_restore or mariadb as docs/operations.md "
    "says, then `moph-claim audit accept-restored`.",
)
_OTHER_ENDS = Message(
    "ไฟล์ {file} ไม่ตรงกับ {ends} ที่อยู่คู่กัน จึงไม่กู้คืน กรุณาใช้สำเนาอื่น",
    "The file {file} does not fit {ends} beside it, so nothing was restored: take another copy.",
)
_RESTORED_ALONE = Message(
    "กู้คืน {audit} จาก {file} แล้ว จะไม่ส่งรายการใดจนกว่าจะสั่ง moph-claim audit accept-restored",
    "{audit} was restored from {file}. Nothing is sent until you say `moph-claim audit accept-restored`.",
)
_RESTORED = Message(
    f"{_RESTORED_ALONE.th} ฐานข้อมูลเดิมเก็บไว้ที่ {{aside}}",
    f"{_RESTORED_ALONE.en} The former one is kept at {{aside}}.",
)

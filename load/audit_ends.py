"""The ends of an audit in a file beside a backup: whoever keeps it elsewhere can tell later that nothing was cut off since."""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, select

from core.messages import Message
from load.audit_copy import check_copy, reading_copy
from load.errors import AuditError
from load.high_water_mark import Mark, lack_of, marks_of
from load.states import State
from load.tables import claim
from load.transactions import BATCH

_ENDS = TypeAdapter(list[Mark])
_SQLITE = b"SQLite format 3\0"
# The ends of a few thousand facilities: what is larger is no such file.
_LONGEST_FILE = 4_000_000


def ends_file(backup: Path) -> Path:
    """The file of the ends beside a backup."""
    return backup.with_name(f"{backup.name}.ends.json")


def check_is_free(path: Path) -> None:
    """Make sure that there is no file of this name, and a folder for it.

    Raises:
        AuditError: There is one, or no folder.
    """
    if path.exists() or not path.parent.is_dir():
        raise AuditError(_NOT_WRITTEN.fill(path=path, why="exists" if path.exists() else "no folder"))


def write_ends(backup: Path, ends: list[Mark]) -> Path:
    """Write the ends beside a backup, for its owner alone; returns the file.

    Raises:
        AuditError: It is there already, or cannot be written.
    """
    path = ends_file(backup)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_ENDS.dump_json(ends, indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise AuditError(_NOT_WRITTEN.fill(path=path, why=error.strerror or "?")) from None
    return path


def is_copy(path: Path) -> bool:
    """Whether a file is a database of SQLite.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read_ends(path: Path) -> list[Mark]:
    """The ends in a file.

    Args:
        path: Such a file, a backup of SQLite, or any other backup that has its ends beside it.

    Raises:
        AuditError: It is none of these, or cannot be read.
    """
    try:
        if is_copy(path):
            check_copy(path)
            with reading_copy(path) as connection:
                return list(marks_of(connection))
        if ends_file(path).exists():
            path = ends_file(path)
        with path.open("rb") as file:
            return _ENDS.validate_json(file.read(_LONGEST_FILE))
    except OSError as error:
        raise AuditError(_UNREADABLE.fill(path=path, why=error.strerror or "?")) from None
    except ValidationError:
        raise AuditError(_NO_ENDS.fill(path=path)) from None


def first_missing_end(connection: Connection, ends: Iterable[Mark]) -> Message | None:
    """What the audit lacks of these ends, as one sentence; None if it has all."""
    for end in ends:
        if lack := lack_of(connection, end):
            return Message(
                _CUT_OFF.th.format(hcode=end.hcode, lack=lack.th), _CUT_OFF.en.format(hcode=end.hcode, lack=lack.en)
            )
    return None


def first_claim_unlike(connection: Connection, copy: Connection, environment: str) -> Message | None:
    """The first claim that was accepted when a copy was made and is another now, as one sentence; None if there is none.

    What is accepted stays as it is, amount and number: so whoever appends a seal of their own is found by the copy.
    """
    c = claim.c
    columns = [c.id, c.hcode, c.kind, c.vn, c.item, c.service_date, c.baht, c.state, c.transaction_uid]
    accepted = (
        select(*columns).where(c.environment == environment, c.state == State.ACCEPTED).order_by(c.id).limit(BATCH)
    )
    after = 0
    while then := copy.execute(accepted.where(c.id > after)).all():
        after = then[-1].id
        now = {r.id: r for r in connection.execute(select(*columns).where(c.id.between(then[0].id, after)))}
        for row in then:
            if now.get(row.id) != row:
                return _UNLIKE.fill(claim=" ".join(filter(None, [row.kind, row.item, "VN", row.vn])), hcode=row.hcode)
    return None


_UNLIKE = Message(
    "รายการเบิก {claim} ของหน่วยบริการ {hcode} รับแล้วในสำเนา แต่ปัจจุบันจำนวนเงิน เลขธุรกรรม สถานะ หรือรหัสต่างออกไป กรุณาเก็บฐานข้อมูลไว้ตามเดิม",
    "The claim {claim} of facility {hcode} was accepted when the copy was made, and its amount, number, state or key is "
    "another now. Keep the audit as it is.",
)
_CUT_OFF = Message(
    "ฐานข้อมูลตรวจสอบของหน่วยบริการ {hcode} ขาดข้อมูลที่เคยมี: {lack} กรุณาเก็บฐานข้อมูลไว้ตามเดิม แล้วเทียบกับสำเนา",
    "The audit lacks what it once had of facility {hcode}: {lack}. Keep it as it is, and compare it with a backup.",
)
_NOT_WRITTEN = Message(
    "เขียน {path} ไม่ได้ ({why}) ไฟล์ที่มีอยู่แล้วจะไม่ถูกเขียนทับ กรุณาตรวจสอบชื่อ สิทธิ์ และพื้นที่ดิสก์",
    "{path} cannot be written ({why}), and what is there is never written over: check its name, its rights and the disk.",
)
_UNREADABLE = Message(
    "อ่านไฟล์ {path} ไม่ได้ ({why}) กรุณาตรวจสอบชื่อและสิทธิ์",
    "The file {path} cannot be read ({why}): check its name and its rights.",
)
_NO_ENDS = Message(
    "ไฟล์ {path} ไม่ใช่ไฟล์ .ends.json ที่ moph-claim audit backup เขียน และไม่ใช่สำเนาฐานข้อมูลตรวจสอบ",
    "The file {path} is neither a file .ends.json as `moph-claim audit backup` writes it, nor a copy of an audit.",
)

"""How far a facility's audit has come, kept in a file outside of it: an audit that has gone back in time is noticed.

A run writes the mark before it sends its first byte, with each chunk, and when it has ended. The next run looks for it in
the audit first. A mark that is behind the audit is right: other machines may share the audit, each with its own marks.
The file holds no personal data.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, Engine, select, update

from core.clock import BANGKOK, now
from core.messages import Message
from load.chain import ChainEnd, beginning
from load.errors import AuditError, AuditGoneBack
from load.runs import Run
from load.seals import last_seal
from load.tables import run as run_table
from load.tables import seal, submission
from load.transactions import within


class Mark(BaseModel):
    """The end of a facility's audit at a moment.

    Args:
        environment: sandbox, uat or prd.
        hcode: The facility.
        at: The moment.
        run_id: The last run.
        exchanges: How many exchanges of that run were committed.
        chain_hash: The hash of the last of them; of none, as `load.chain.beginning`.
        seals: How many seals there were: each covers what one run has written (`load.seals`).
        seal_hash: The hash of the last of them.
        restored: The audit has been replaced since by a backup, on purpose.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str
    hcode: str
    at: datetime
    run_id: str
    exchanges: int
    chain_hash: str
    seals: int
    seal_hash: str
    restored: bool = False

    @classmethod
    def of_restored(cls, environment: str, hcode: str, at: datetime) -> "Mark":
        """The mark of an audit that was replaced by a backup at this moment: no run fits it."""
        nothing = {"run_id": "", "exchanges": 0, "chain_hash": "", "seals": 0, "seal_hash": ""}
        return cls.model_validate({"environment": environment, "hcode": hcode, "at": at, "restored": True, **nothing})


class MarkFile:
    """The file with a facility's mark.

    Args:
        folder: The folder of all marks of this machine.
        environment: sandbox, uat or prd.
        hcode: The facility.
    """

    def __init__(self, folder: Path, environment: str, hcode: str) -> None:
        self.path = folder / f"{environment}-{hcode}.json"
        self._environment, self._hcode = environment, hcode

    def read(self) -> Mark | None:
        """The mark; None where there is no file.

        Raises:
            AuditGoneBack: The file cannot be read, so nothing is known about the audit.
        """
        try:
            mark = Mark.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            mark = None
        # One of another facility says nothing about this one's audit.
        if mark is None or (mark.environment, mark.hcode) != (self._environment, self._hcode):
            raise AuditGoneBack(_fault(self._hcode, _NO_MARK_FILE.fill(path=self.path)))
        return mark

    def fault_of(self, connection: Connection) -> Message | None:
        """Why nothing may be sent: what this audit lacks that this machine knows was in it; None if it has all."""
        try:
            mark = self.read()
        except AuditGoneBack as unreadable:
            return unreadable.message
        lack = lack_of(connection, mark) if mark else _lack_without_mark(connection, self._environment, self._hcode)
        return lack and _fault(self._hcode, lack)

    def write(self, mark: Mark) -> None:
        """Replace the file as a whole, and wait until the disk has it.

        Raises:
            AuditError: It cannot be written.
        """
        new = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(mark.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise AuditError(_NOT_WRITTEN.fill(path=self.path, why=error.strerror or "?")) from None


def read_marks(folder: Path) -> list[Mark]:
    """All marks of this machine.

    Raises:
        AuditGoneBack: As `MarkFile.read`.
    """
    files = [MarkFile(folder, *path.stem.split("-", 1)) for path in sorted(folder.glob("*-*.json"))]
    return [mark for file in files if (mark := file.read())]


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names of a folder's files."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class MarkKeeper:
    """Checks the audit against the mark of a run's facility, and moves the mark on.

    Args:
        engine: The audit database.
        run: The run that holds the facility; its row is committed.
        folder: The folder of all marks of this machine.
    """

    def __init__(self, engine: Engine, run: Run, folder: Path) -> None:
        self._engine = engine
        self._run = run
        self._file = MarkFile(folder, run.environment, run.hcode)
        self._seal = self._last_seal()

    def begin(self) -> None:
        """Check the audit, and mark this run. Nothing may be sent before.

        Raises:
            AuditGoneBack: The audit lacks what this machine knows of: a person must look.
            AuditError: The audit cannot be read, or the mark not written.
        """
        if fault := within(self._engine, self._file.fault_of, reading=True):
            raise AuditGoneBack(fault)
        self.advance()
        self.promise()

    def promise(self) -> None:
        """Let the audit know that this machine keeps a mark: one that is missing later is lost, or left on another machine."""
        mine = update(run_table).where(run_table.c.id == self._run.id)
        within(self._engine, lambda connection: connection.execute(mine.values(marked=True)))

    def advance(self) -> None:
        """Mark how far the run has come; only what is committed counts.

        Raises:
            AuditError: The mark cannot be written.
        """
        self._file.write(_mark(self._run.environment, self._run.hcode, self._run.id, self._run.chain, self._seal))

    def end(self) -> None:
        """Mark the run's end, once that is in the audit.

        Raises:
            AuditError: The audit cannot be read, or the mark not written.
        """
        self._seal = self._last_seal()
        self.advance()

    def _last_seal(self) -> ChainEnd:
        environment, hcode = self._run.environment, self._run.hcode
        return within(self._engine, lambda connection: last_seal(connection, environment, hcode), reading=True)


def _mark(environment: str, hcode: str, run_id: str, exchanges: ChainEnd, seals: ChainEnd) -> Mark:
    return Mark(
        environment=environment,
        hcode=hcode,
        at=now(),
        run_id=run_id,
        exchanges=exchanges.number,
        chain_hash=exchanges.hash,
        seals=seals.number,
        seal_hash=seals.hash,
    )


def _fault(hcode: str, lack: Message) -> Message:
    return Message(_FAULT.th.format(hcode=hcode, lack=lack.th), _FAULT.en.format(hcode=hcode, lack=lack.en))


def lack_of(connection: Connection, mark: Mark) -> Message | None:
    """What an audit lacks that has come as far as this mark, as part of a sentence; None if it has all."""
    r, s = run_table.c, submission.c
    of_run = select(r.id).where(r.id == mark.run_id, r.environment == mark.environment, r.hcode == mark.hcode)
    exchange = select(s.hash).where(s.run_id == mark.run_id, s.number == mark.exchanges)
    sealed = select(seal.c.hash).where(
        seal.c.environment == mark.environment, seal.c.hcode == mark.hcode, seal.c.number == mark.seals
    )
    if mark.restored:
        lack: Message | None = _RESTORED
    elif connection.scalar(of_run) is None:
        lack = _GONE_BACK
    else:
        of_exchanges = _same(connection.scalar(exchange), mark.chain_hash) if mark.exchanges else None
        lack = of_exchanges or (_same(connection.scalar(sealed), mark.seal_hash) if mark.seals else None)
    return lack and lack.fill(run=mark.run_id, at=_minute(mark.at))


def _same(found: str | None, expected: str) -> Message | None:
    if found is None:
        return _GONE_BACK
    return None if found == expected else _ANOTHERS


def _lack_without_mark(connection: Connection, environment: str, hcode: str) -> Message | None:
    """An audit that has been marked was moved here, or its mark is lost; one of an older version has none yet."""
    r = run_table.c
    marked = select(r.started_at).where(r.environment == environment, r.hcode == hcode, r.marked)
    last = connection.scalar(marked.order_by(r.started_at.desc()).limit(1))
    return last and _UNMARKED.fill(at=_minute(last))


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(BANGKOK):%Y-%m-%d %H:%M}"


def marks_of(connection: Connection) -> Iterator[Mark]:
    """The end of every facility's audit, as it is now.

    Args:
        connection: To the audit, in a transaction that sees one moment.
    """
    r, s = run_table.c, submission.c
    for environment, hcode in connection.execute(select(r.environment, r.hcode).distinct()).all():
        of_facility = select(r.id).where(r.environment == environment, r.hcode == hcode)
        run_id = connection.execute(of_facility.order_by(r.started_at.desc(), r.id).limit(1)).scalar_one()
        exchanges = select(s.number, s.hash).where(s.run_id == run_id).order_by(s.number.desc()).limit(1)
        last = connection.execute(exchanges).first()
        end = ChainEnd(last.number, last.hash) if last else beginning(run_id)
        yield _mark(environment, hcode, run_id, end, last_seal(connection, environment, hcode))


_FAULT = Message(
    "ฐานข้อมูลตรวจสอบของหน่วยบริการ {hcode} ไม่ตรงกับที่เครื่องนี้ทราบ: {lack} จึงไม่ส่งรายการใด ถ้า audit.url ผิดให้แก้ หรือนำฐานข้อมูลที่ถูกต้องกลับมา ถ้าตั้งใจกู้คืนจากสำเนา ให้สั่ง moph-claim audit accept-restored",
    "The audit of facility {hcode} is not what this machine knows: {lack}. Nothing is sent: correct audit.url, or put the "
    "right database back; if it was restored on purpose, say so with `moph-claim audit accept-restored`.",
)
_GONE_BACK = Message(
    "การทำงานล่าสุดที่ทราบ {run} เวลา {at} ไม่มีอยู่หรือไม่ครบ (กู้คืนจากสำเนาเก่า ถูกล้าง หรือเป็นคนละฐานข้อมูล)",
    "the last known run {run}, of {at}, is not in it or not whole (an old backup was restored, it was emptied, or it is "
    "another database)",
)
_ANOTHERS = Message(
    "การทำงานล่าสุดที่ทราบ {run} เวลา {at} มีเนื้อหาต่างออกไป (เป็นคนละฐานข้อมูล หรือถูกแก้ไข)",
    "up to the last known run {run}, of {at}, it has other content (it is another database, or was changed)",
)
_RESTORED = Message(
    "ถูกกู้คืนจากสำเนาเมื่อ {at} และยังไม่มีผู้ยืนยัน", "it was restored from a backup at {at}, and nobody has accepted that yet"
)
_UNMARKED = Message(
    "มีการทำงานถึง {at} แต่เครื่องนี้ไม่มีเครื่องหมายของการทำงานเหล่านั้น (ย้ายมาจากเครื่องอื่น กู้คืนจากสำเนา หรือไฟล์ใน audit-marks ถูกลบ)",
    "it has runs up to {at} of which this machine has no mark (it came from another machine or a backup, or the files in "
    "audit-marks were removed)",
)
_NO_MARK_FILE = Message(
    "อ่านเครื่องหมายในไฟล์ {path} ไม่ได้", "the mark of how far it had come, in the file {path}, cannot be read"
)
_NOT_WRITTEN = Message(
    "เขียนไฟล์ {path} ไม่ได้ ({why}) จึงไม่ส่งต่อ รายการที่บันทึกแล้วยังอยู่ครบ กรุณาตรวจสอบสิทธิ์และพื้นที่ดิสก์ แล้วสั่งใหม่",
    "The file {path} cannot be written ({why}), so no more is sent; what was written is kept: check its rights and the disk, "
    "and start again.",
)

"""What `audit verify` can find wrong, and where."""

from dataclasses import dataclass
from datetime import datetime

from core.clock import BANGKOK
from core.messages import Message

# Of a run's exchanges.
CHANGED = Message("เนื้อหาถูกแก้ไขหลังบันทึก", "its content was changed after it was written")
MISSING = Message("แถวก่อนหน้านี้หายไป", "rows before it are missing")
OUT_OF_ORDER = Message(
    "ไม่ต่อจากแถวก่อนหน้า แถวใดแถวหนึ่งถูกแทรก สลับ หรือเขียนทับ",
    "it does not follow the row before it: one of the two was inserted, exchanged or replaced",
)
ADDED = Message("ถูกเพิ่มต่อท้ายหลังจบการทำงาน", "it was added behind the end of the run's chain")
END = Message(
    "ท้ายสายโซ่ไม่ตรงกับที่การทำงานบันทึกไว้ (บันทึก {said} พบ {found}) แถวท้ายอาจถูกลบ",
    "the chain does not end as the run wrote down (it wrote {said}, {found} are there): rows may be cut off, or the "
    "run's own row was changed",
)
CLAIM_GONE = Message("รายการเบิกของแถวนี้หายไป", "the claim it is of is missing")
BODY_GONE = Message("ข้อมูลที่ส่งในแถวนี้หายไปหรือถูกแก้ไข", "the payload that it sent is missing, or was changed")
# Of claims and issues.
STEP = Message("ประวัติสถานะไม่ต่อเนื่องหรือผิดกติกา", "a step of its history does not follow the one before, or cannot be")
STATE = Message("สถานะไม่ตรงกับประวัติ", "its state is not the one its history ends with")
UNPROVEN = Message(
    "บันทึกว่ารับแล้ว แต่ไม่มีคำตอบที่ให้เลขธุรกรรมนี้",
    "it stands as accepted, but no answer gives it that transaction number",
)
NOT_AS_ANSWERED = Message(
    "สถานะไม่ตรงกับคำตอบของ MOPH Claim ที่บันทึกไว้", "its state is not what the answers to it say, and no person changed it"
)
PAYLOAD = Message("ข้อมูลที่จะส่งหรือส่งแล้วไม่ตรงกับค่าแฮช", "its payload does not have the hash that stands beside it")
COLUMNS = Message("คอลัมน์ {names} ไม่ตรงกับข้อมูลที่ส่ง", "its columns are not what its payload says: {names}")
ROW = Message("แถวถูกแก้ไขหลังจากการทำงานที่เขียนแถวนี้จบลง", "its row was changed after the run that wrote it had ended")
ISSUE_ROW = Message(
    "แถวปัญหา (issue) ของรายการนี้ถูกแก้ไขหรือเพิ่มหลังการทำงานจบลง",
    "the row of its issue was changed or added after the run that wrote it had ended",
)
ROW_GONE = Message("แถวหมายเลข {row} ของตาราง {table} หายไป", "row {row} of the table {table} is missing")
# Of runs and seals.
RUN_CHANGED = Message("แถวของการทำงาน (run) ถูกแก้ไข", "the run's own row was changed: its times, counts, state or words")
RUN_GONE = Message("แถวของการทำงาน (run) หายไป", "the run's own row is missing")
NO_SEAL = Message("การทำงานจบแล้วแต่ไม่มีตราประทับ (seal)", "the run has ended, but its seal is missing")
HISTORY = Message("ประวัติสถานะของการทำงานนี้ถูกแก้ไข เพิ่ม หรือลบ", "history of this run was changed, removed or inserted")
WORKBOOK_ROWS = Message(
    "แถวไฟล์นำเข้าของการทำงานนี้ถูกแก้ไข เพิ่ม หรือลบ", "rows of this run's workbook were changed, removed or inserted"
)
NOT_ERASED = Message(
    "ข้อมูลถูกลบทิ้งโดยไม่ใช่การลบของคำสั่ง audit erase", "texts were taken out otherwise than by `audit erase`"
)
SEAL_CHANGED = Message("ตราประทับ (seal) ถูกแก้ไข", "the seal was changed")
SEAL_MISSING = Message("ตราประทับ (seal) ก่อนหน้านี้หายไป", "seals before it are missing")
ACCESS = Message(
    "บันทึกการเข้าดูแถวที่ {number} ถูกแก้ไข เพิ่ม หรือลบ", "the record of accesses was changed, cut or added to at row {number}"
)
# Of the database itself.
TRIGGER = Message(
    "ทริกเกอร์ {name} หายไป ถูกปิด หรือไม่ใช่แบบที่โปรแกรมสร้าง",
    "the trigger {name} is missing, switched off, or not as the program made it",
)
FOREIGN_TRIGGER = Message("มีทริกเกอร์ {name} ที่โปรแกรมไม่ได้สร้าง", "there is a trigger {name} that the program has not made")
SWITCH = Message(
    "ฐานข้อมูลมี {name} ซึ่งทำให้กฎที่โปรแกรมสร้างไว้ไม่มีผล",
    "the database has something by which the program's rules need not act: {name}",
)
CONSTRAINT = Message(
    "ข้อกำหนด {name} ของตาราง {table} หายไปหรือถูกแก้ไข",
    "the constraint {name} of the table {table} is missing or was changed",
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first thing that is wrong.

    Args:
        what: What is wrong, one of the sentences of this module.
        run_id: The run of the exchange, the change of state or the seal, where it is known.
        number: The exchange's place in the run's chain, from 1.
        kind: The claim's kind.
        vn: The claim's visit number.
        item: The claim's vaccine code, or empty.
        at: When the exchange was sent, the state changed, or the seal was made.
        seal: The facility and the seal's place in its chain, from 1.
    """

    what: Message
    run_id: str | None = None
    number: int | None = None
    kind: str | None = None
    vn: str | None = None
    item: str | None = None
    at: datetime | None = None
    seal: str | None = None

    @property
    def place(self) -> Message:
        """Where it is: seal, run, exchange, claim and time, each if there is one."""
        at = self.at and f"{self.at.astimezone(BANGKOK):%Y-%m-%d %H:%M:%S}"
        of_claim = self.vn and " ".join(filter(None, [self.kind, self.item, "VN", self.vn]))
        parts = (
            (self.seal, "ตราประทับ {}", "seal {}"),
            (self.run_id, "run {}", "run {}"),
            (self.number, "แถวที่ {}", "exchange {}"),
            (of_claim, "รายการ {}", "claim {}"),
            (at, "เวลา {}", "of {}"),
        )
        there = [(th.format(value), en.format(value)) for value, th, en in parts if value]
        return Message(" ".join(th for th, _ in there), ", ".join(en for _, en in there))

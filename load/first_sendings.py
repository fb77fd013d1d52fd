"""What the answers to first sendings show of others who send for the same facility.

No call tells who sent a claim. But a claim that this audit has never sent, and that MOPH Claim refuses as claimed already,
was claimed by somebody else: singly that is everyday (another hospital, the HIS itself), in numbers it is a second
installation, a restored or copied audit, or a person with another program.
"""

from dataclasses import dataclass

from core.messages import Message
from load.batch import SubmissionResult
from load.queue import DueClaim
from load.states import State

LOOKS_SHARED = Message(
    "MOPH Claim แจ้งว่าเคยเบิกแล้ว {claimed} จาก {answered} รายการที่ระบบนี้เพิ่งส่งเป็นครั้งแรก อาจมีเครื่องอื่น ฐานข้อมูลตรวจสอบชุดอื่น หรือเจ้าหน้าที่ส่งของหน่วยบริการเดียวกัน "
    "กรุณาตรวจสอบให้เหลือระบบเดียวที่ส่ง แล้วตรวจรายการเหล่านี้กับหน้าเว็บ MOPH Claim และบันทึกผลด้วย `moph-claim settle`",
    "MOPH Claim calls {claimed} of {answered} claims claimed already that were sent from here for the first time: another "
    "installation, another audit database or a person may be sending for the same facility. See to it that only one sends, "
    "look these claims up on MOPH Claim's own pages, and say what you found with `moph-claim settle`.",
)
FEWEST = 5
_ANSWERED = (State.ACCEPTED, State.HELD, State.CORRECTABLE, State.FINAL)


@dataclass
class FirstSendings:
    """Counts of claims that a run sent for the first time.

    Args:
        answered: That were answered.
        claimed: Of these, refused as claimed already.
    """

    answered: int = 0
    claimed: int = 0

    def count(self, due: DueClaim, result: SubmissionResult) -> None:
        """Count a result."""
        if due.state is State.READY and not due.possibly_accepted and result.state in _ANSWERED:
            self.answered += 1
            self.claimed += result.state is State.FINAL and result.meaning.already_claimed

    def looks_shared(self) -> Message | None:
        """The sentence where it looks as if others sent for this facility: at least five claims, and more than half."""
        if self.claimed < FEWEST or 2 * self.claimed <= self.answered:
            return None
        return Message(
            LOOKS_SHARED.th.format(claimed=self.claimed, answered=self.answered),
            LOOKS_SHARED.en.format(claimed=self.claimed, answered=self.answered),
        )

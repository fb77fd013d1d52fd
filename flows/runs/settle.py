"""`moph-claim settle`: a person decides a claim's state, having looked it up on MOPH Claim's own pages, or takes it back."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row

from core.errors import ConfigurationError
from core.messages import Message
from flows.settings.model import Settings
from load.claim_history import claim_histories
from load.database import audit_engine
from load.display_names import STATE_NAMES
from load.ledger import Ledger
from load.runs import start_run
from load.states import Cause, State, transitions

DECISIONS = {
    "accepted": State.ACCEPTED,
    "refused": State.FINAL,
    "again": State.READY,
    "withdrawn": State.WITHDRAWN,
}
NOTE_LIMIT = 500
UID_LIMIT = 64


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """What a person has decided.

    Args:
        vn: The visit.
        kind: Which of its claims: dm, ht, epi or dt; empty: the only one that can be settled.
        item: The vaccine code; empty: as for the kind.
        state: accepted, final, ready or withdrawn.
        uid: The transaction number of one accepted, or empty.
        note: How the person knows.
    """

    vn: str
    kind: str
    item: str
    state: State
    uid: str
    note: str

    @classmethod
    def of(cls, vn: str, word: str, *, note: str, kind: str = "", item: str = "", uid: str = "") -> "SettleRequest":
        """The options of the command, checked.

        Raises:
            ConfigurationError: One cannot be used.
        """
        note, uid = note.strip(), uid.strip()
        if word not in DECISIONS:
            raise ConfigurationError(
                Message(
                    f"--as {word} ใช้ไม่ได้ ให้เป็น accepted, refused, again หรือ withdrawn",
                    f"--as {word} cannot be used: it is accepted, refused, again or withdrawn.",
                )
            )
        if not 0 < len(note) <= NOTE_LIMIT:
            raise ConfigurationError(
                Message(
                    f"--note ต้องมีข้อความไม่เกิน {NOTE_LIMIT} ตัวอักษร: ทราบได้อย่างไร",
                    f"--note must say how you know, in at most {NOTE_LIMIT} characters.",
                )
            )
        if uid and (word != "accepted" or len(uid) > UID_LIMIT):
            raise ConfigurationError(
                Message(
                    f"--uid ใช้กับ --as accepted เท่านั้น และยาวไม่เกิน {UID_LIMIT} ตัวอักษร",
                    f"--uid goes with --as accepted only, and has at most {UID_LIMIT} characters.",
                )
            )
        return cls(vn, kind, item, DECISIONS[word], uid, note)


def settle_claim(settings: Settings, request: SettleRequest) -> Message:
    """Settle one claim, as a run of its own.

    Returns:
        What was changed.

    Raises:
        ConfigurationError: There is no such claim, there are several, or a person may not change its state so.
        FacilityBusy: A run is under way.
        AuditError: The audit cannot be used.
    """
    with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:
        hcode = _find_claim(engine, settings, request).hcode
        at_once = settings.audit.model_copy(update={"lock_wait_seconds": 0})
        environment, parameters = settings.api.environment, {"state": request.state}
        of_run = {"environment": environment, "hcode": hcode, "flow": "settle", "parameters": parameters}
        with start_run(engine, at_once, **of_run) as run:
            # Read again now that this run holds the facility: a run that ended just now may have changed it.
            claim = _find_claim(engine, settings, request)
            ledger = Ledger(engine, run)
            if request.state is State.WITHDRAWN and claim.origin != "workbook":
                raise ConfigurationError(_OF_THE_HIS.fill(claim=_key(claim)))
            if request.state is State.WITHDRAWN and claim.maybe_taken:
                raise ConfigurationError(_MAY_BE_TAKEN.fill(claim=_key(claim)))
            if request.state is State.READY and claim.erased_by:
                raise ConfigurationError(_ERASED.fill(claim=_key(claim)))
            if request.uid and ledger.queue.is_uid_of_another_claim(request.uid, claim.id):
                raise ConfigurationError(_ANOTHERS.fill(uid=request.uid))
            ledger.writer.settle([claim.id], request.state, transaction_uid=request.uid or None, note=request.note)
            run.counts["settled"] = 1
    before, after = STATE_NAMES[State(claim.state)], STATE_NAMES[request.state]
    key = _key(claim)
    return Message(f"{key}: {before.th} → {after.th}", f"{key}: {before.en} → {after.en}")


def _find_claim(engine: Engine, settings: Settings, request: SettleRequest) -> Row[Any]:
    """Of the visit's claims that fit, the only one that a person may change so."""
    found = [
        life.claim for life in claim_histories(engine, settings.api.environment, request.vn, settings.facility.hcode)
    ]
    fitting = [c for c in found if c.vn == request.vn and request.kind in ("", c.kind) and request.item in ("", c.item)]
    if not fitting:
        raise ConfigurationError(_NONE.fill(vn=request.vn, kind=request.kind, item=request.item))
    changeable = [c for c in fitting if (State(c.state), request.state, Cause.PERSON) in set(transitions())]
    if len(changeable) == 1:
        return changeable[0]
    several = len({c.hcode for c in changeable or fitting}) > 1
    names = [(_key(c, c.hcode if several else ""), STATE_NAMES[State(c.state)]) for c in changeable or fitting]
    th = ", ".join(f"{key} ({state.th})" for key, state in names)
    en = ", ".join(f"{key} ({state.en})" for key, state in names)
    if changeable:
        raise ConfigurationError(
            Message(
                f"มีหลายรายการ: {th} กรุณาระบุ --kind และ --item" + (" หรือ --facility" if several else ""),
                f"There are several: {en}; say which with --kind and --item" + (" or --facility." if several else "."),
            )
        )
    raise ConfigurationError(
        Message(f"เปลี่ยนตามที่สั่งไม่ได้จากสถานะปัจจุบัน: {th}", f"It cannot be moved so from where it stands: {en}.")
    )


def _key(claim: Row[Any], hcode: str = "") -> str:
    return " ".join(filter(None, [hcode, claim.kind, claim.item, "VN", claim.vn]))


_NONE = Message(
    "ไม่พบรายการเบิกของ VN {vn} {kind} {item}",
    "There is no claim of the visit {vn} {kind} {item}; `moph-claim audit show` says what there is.",
)
_ERASED = Message(
    "ข้อมูลส่วนบุคคลของรายการ {claim} ถูกลบตามกำหนดแล้ว จึงส่งอีกไม่ได้",
    "The personal data of {claim} was erased as it was too old, so it cannot be sent again.",
)
_OF_THE_HIS = Message(
    "รายการ {claim} มาจาก HIS จึงถอนที่นี่ไม่ได้ ให้แก้หรือลบใน HIS แล้วระบบจะถอนเองในรอบถัดไป",
    "The claim {claim} comes from the HIS and cannot be taken back here: mend or delete it there, and the next run withdraws it.",
)
_MAY_BE_TAKEN = Message(
    "MOPH Claim อาจรับรายการ {claim} แล้ว จึงถอนไม่ได้ กรุณาตรวจกับหน้าเว็บ MOPH Claim แล้วบันทึกว่า accepted หรือ refused",
    "MOPH Claim may have taken the claim {claim}, so it cannot be taken back: look it up on MOPH Claim's own pages, and say "
    "accepted or refused.",
)
_ANOTHERS = Message(
    "เลขธุรกรรม {uid} เป็นของรายการอื่น กรุณาตรวจสอบ", "The transaction number {uid} is another claim's: look it up again."
)

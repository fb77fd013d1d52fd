"""The audit in words: the result of its verification, and a claim's history as a timeline in Bangkok time."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from textwrap import indent
from typing import Any

from rich.text import Text
from sqlalchemy import Row

from core.clock import BANGKOK
from core.masking import mask_identity_numbers
from core.messages import Language, Message
from load.claim_history import ClaimHistory
from load.display_names import CAUSE_NAMES, KIND_NAMES, STATE_NAMES
from load.states import Cause, State
from load.verify import VerificationResult

_CALLS = {
    "submit": Message("ส่งรายการ", "sent"),
    "eligibility": Message("สอบถามสิทธิ", "eligibility asked"),
    "status": Message("สอบถามสถานะธุรกรรม", "status asked"),
}


def verification_message(checked: VerificationResult, run: str = "") -> Message:
    """One sentence: everything fits, or the first thing that does not.

    Args:
        checked: What was found.
        run: The run that was verified, if it was only one.
    """
    if mismatch := checked.mismatch:
        place, what = mismatch.place, mismatch.what
        return Message(
            f"บันทึกตรวจสอบไม่ถูกต้อง จุดแรก: {place.th}: {what.th} กรุณาเก็บฐานข้อมูลไว้ตามเดิม แล้วเทียบกับสำเนาสำรอง",
            f"The audit does not fit, first at {place.en}: {what.en}. Keep the database as it is and compare it with a backup.",
        )
    if run:
        return Message(
            f"สายโซ่ของ run {run} ถูกต้องครบถ้วน: {checked.exchanges:,} การรับส่ง",
            f"The chain of run {run} proves itself: {checked.exchanges:,} exchanges were checked, and all of them fit.",
        )
    open_th, open_en = "", ""
    if n := checked.under_way:
        open_th = f" ยกเว้นสิ่งที่ {n:,} การทำงานที่ยังไม่จบเขียน จะพิสูจน์ได้เมื่อจบ"
        open_en = (
            f" What {n:,} of the runs have written is proven when they have ended: under way, or dead until the next."
        )
    return Message(
        f"บันทึกตรวจสอบถูกต้องครบถ้วน: {checked.runs:,} การทำงาน {checked.exchanges:,} การรับส่ง {checked.claims:,} รายการเบิก "
        f"{checked.issues:,} ปัญหา{open_th}",
        f"The audit proves itself: {checked.runs:,} runs, {checked.exchanges:,} exchanges, {checked.claims:,} claims and "
        f"{checked.issues:,} issues were checked, and all of them fit.{open_en}",
    )


def render_history(history: ClaimHistory, language: Language, *, bodies: bool) -> Iterator[Text]:
    """A claim's history for the screen: a heading, then one line an event, in order of time.

    Args:
        history: The claim and its events.
        language: The language.
        bodies: Show requests and answers as well, which are personal data; without them nothing personal appears.
    """
    c = history.claim
    key = " ".join(filter(None, [KIND_NAMES[c.kind].say(language), c.item, "VN", c.vn]))
    baht = Message(f"{c.baht:,} บาท", f"{c.baht:,} baht").say(language)
    uid = c.transaction_uid and f"UID {c.transaction_uid}"
    yield Text(
        "  ".join(filter(None, [key, c.hcode, f"{c.service_date}", baht, uid, _state(c.state, language)])), "bold"
    )
    events = [(s.at, _step(s, language), s) for s in history.changes]
    events += [(e.sent_at, _exchange(e, language), e) for e in history.exchanges]
    events += [(r.started_at, _origin(r, language), r) for r in history.workbook_rows]
    for at, line, row in sorted(events, key=lambda event: event[0]):
        yield Text(f"  {_moment(at)}  {line}  · {_run(row, language)}")
        if bodies and "request" in row._mapping:
            yield from _bodies(row)


def _step(step: Row[Any], language: Language) -> str:
    """A change of state: from, to, why, and the note of a person."""
    before = _state(step.before, language) if step.before else "–"
    note = f" “{mask_identity_numbers(step.message)}”" if step.cause == Cause.PERSON and step.message else ""
    return f"{before} → {_state(step.after, language)}: {CAUSE_NAMES[Cause(step.cause)].say(language)}{note}"


def _origin(r: Row[Any], language: Language) -> str:
    """A row of a workbook that gave the claim."""
    name, sheet, number = mask_identity_numbers(r.file_name), r.sheet, r.row_number
    return Message(
        f"จากไฟล์ “{name}” แผ่นงาน {sheet} แถว {number}", f"from workbook “{name}”, sheet {sheet}, row {number}"
    ).say(language)


def _exchange(e: Row[Any], language: Language) -> str:
    """An exchange: the call and its answer."""
    said = f"“{mask_identity_numbers(e.message)}”" if e.message else None
    uid = e.transaction_uid and f"UID {e.transaction_uid}"
    came = [e.http_status and f"HTTP {e.http_status}", e.failure, f"{e.duration_ms:,} ms", e.outcome, said, uid]
    call = _CALLS[e.call].say(language)
    return f"{e.attempt}. {call} {e.path} ⇒ " + "  ".join(str(part) for part in came if part)


def render_accesses(rows: Sequence[Row[Any]]) -> Iterator[Text]:
    """The record of accesses for the screen, one line each."""
    for row in rows:
        by = f"  · run {row.run_id[:8]}" if row.run_id else ""
        subject = mask_identity_numbers(row.subject)
        yield Text(f"{_moment(row.at)}  {row.who}  {row.action}: {' '.join(filter(None, [row.hcode, subject]))}{by}")


def _bodies(e: Row[Any]) -> Iterator[Text]:
    for mark, body in (("→", e.request if e.request is not None else e.payload), ("←", e.response)):
        if body:
            yield Text(indent(_pretty(body), f"      {mark} "), "dim")


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:  # a gateway's page
        return body


def _state(state: str, language: Language) -> str:
    return STATE_NAMES[State(state)].say(language)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(BANGKOK):%Y-%m-%d %H:%M:%S}"


def _run(row: Row[Any], language: Language) -> str:
    if row.started_at is None:
        return row.run_id or Message("ก่อนมีประวัติ", "before histories were kept").say(language)
    begun = Message("เริ่ม", "started").say(language)
    return f"{row.flow} {row.run_id[:8]} ({begun} {_moment(row.started_at)})"

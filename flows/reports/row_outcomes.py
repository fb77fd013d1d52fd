"""The outcome of each row of a workbook, in words, for the result workbook and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.errors import MophClaimError
from core.messages import Message
from extract.workbook.layout import layouts
from extract.workbook.rows import Row
from flows.reports.reasons import reason_of, rule_advice_for_workbook
from flows.runs.import_workbook import ImportRun, join_sentences
from load.display_names import STATE_NAMES
from load.queue import RegisteredClaim
from load.states import ACCEPTED_STATES, State
from load.workbook.result_content import Mark, RowOutcome
from load.workbook.style import OutcomeCategory
from transform.claim import Issue
from transform.labs import RESULT_LENGTH
from transform.rules import registry
from transform.text import shown
from transform.workbook_rows import ItemKey

CATEGORIES: Mapping[State, OutcomeCategory] = {
    State.ACCEPTED: "accepted",
    State.CORRECTABLE: "refused",
    State.FINAL: "aside",
    State.GIVEN_UP: "aside",
    State.WITHDRAWN: "aside",
}
REFUSED = Message("ยังเบิกไม่ได้", "not claimed")
NOTHING_TO_CLAIM = Message("ไม่ต้องเบิก", "nothing to claim")
REPEATED = Message("ซ้ำกับแถวอื่น", "repeats another row")
SAME_AS = Message("เหมือนแผ่นงาน {sheet} แถว {number}", "The same as sheet {sheet}, row {number}.")
NO_REASON = Message("แถวนี้ไม่เข้าเงื่อนไขของรายการใด", "The row does not make any claim.")
ACCEPTED_OTHERWISE = Message("รับแล้ว ด้วยข้อมูลเดิม", "taken, with other content")
NOT_SENT_AGAIN = Message(
    "รายการนี้รับไปแล้วด้วยข้อมูลที่ต่างจากแถวนี้ จึงไม่ได้ส่งแถวนี้ หากมีผลต่อการเบิกกรุณาแจ้ง MOPH Claim",
    "The claim was taken with other content than this row's, which was not sent: if it matters, tell MOPH Claim.",
)
GOES_LATER = Message("รายการนี้จะส่งเองในรอบถัดไป", "It goes by itself in the next run.")
WOULD_GO = Message("จะส่ง (ทดลอง)", "would be sent")


def row_outcomes(run: ImportRun, failure: MophClaimError | None = None) -> list[RowOutcome]:
    """The outcome of every row of the run's workbook, in order.

    Args:
        run: The run.
        failure: Why it stopped, if it did.
    """
    standing = run.standing()
    return [_row_outcome(run, row, standing, failure) for row in run.reading.rows]


def _row_outcome(
    run: ImportRun, row: Row, standing: Mapping[ItemKey, RegisteredClaim], failure: MophClaimError | None
) -> RowOutcome:
    if row.repeats:
        sheet, number = row.repeats
        return _said(row, "aside", REPEATED, [SAME_AS.fill(sheet=sheet, number=number)])
    key = run.rows_by_claim.key_of_row.get((row.sheet, row.number))
    if key is None:
        return _refused(row, [])
    issues, claim, s = run.issues.get(key, []), run.claims.get(key), standing.get(key)
    if s and s.state in ACCEPTED_STATES and (claim is None or claim.payload_hash != s.payload_hash):
        return _said(row, "aside", ACCEPTED_OTHERWISE, [NOT_SENT_AGAIN], uid=s.transaction_uid)
    if claim is None:
        return _refused(row, [i for i in issues if i.severity == "error"])
    if s is None or claim.key in run.registrar.would_send:
        return _said(row, "waiting", WOULD_GO, [message_for_workbook(i) for i in issues])
    return _of_standing(row, s, failure)


def _of_standing(row: Row, s: RegisteredClaim, failure: MophClaimError | None) -> RowOutcome:
    category = CATEGORIES.get(s.state, "waiting")
    reason = reason_of(s.state, s.meaning_th, s.meaning_en, s.message, in_workbook=True)
    reasons = [] if s.state is State.ACCEPTED else [reason]
    if s.state is State.READY and failure:
        reasons = [failure.message, GOES_LATER]
    said = _said(row, category, STATE_NAMES[s.state], reasons, uid=s.transaction_uid)
    return replace(said, mendable=category == "refused")


def _refused(row: Row, errors: list[Issue]) -> RowOutcome:
    """A row that is no claim."""
    rules = registry()
    layout = layouts()[row.layout]
    faulty = {layout.column(f.column).field for f in row.faults}
    # What is wrong with another row of the claim is said here too; it is marked there.
    marked = [i for i in errors if i.rule in rules and i.column not in faulty and _is_here(row, i)]
    marks = [Mark(f.column, f.message) for f in row.faults] + [m for i in marked if (m := _mark(row, i))]
    reasons = [f.message for f in row.faults] + [message_for_workbook(i) for i in errors]
    # What can be mended is nothing where something else keeps the row from ever being a claim.
    nobody = any(i.rule in rules and not rules[i.rule].calls_for_a_person for i in errors)
    if nobody:
        return _said(row, "aside", NOTHING_TO_CLAIM, reasons, marks)
    return replace(_said(row, "refused", REFUSED, reasons or [NO_REASON], marks), mendable=True)


def _said(
    row: Row,
    category: OutcomeCategory,
    outcome: Message,
    reasons: Sequence[Message],
    marks: Sequence[Mark] = (),
    uid: str | None = None,
) -> RowOutcome:
    return RowOutcome(row.sheet, row.number, category, outcome, uid, join_sentences(reasons), tuple(marks))


def _is_here(row: Row, issue: Issue) -> bool:
    """Whether an issue is about this row's own cell: among several results of a claim it names those that cannot be used."""
    return issue.column != "labs.result" or f"“{shown(row.values.get('result'), RESULT_LENGTH)}”" in issue.message.en


def _mark(row: Row, issue: Issue) -> Mark | None:
    column = layouts()[row.layout].column_of(issue.column)
    return Mark(column.name, message_for_workbook(issue)) if column else None


def message_for_workbook(issue: Issue) -> Message:
    """An issue's sentence for the row of a workbook."""
    rule = registry().get(issue.rule)
    if rule is None:
        return issue.message
    advice = rule_advice_for_workbook(rule)
    wrong = Message(issue.message.th.removesuffix(rule.advice.th), issue.message.en.removesuffix(rule.advice.en))
    return Message(wrong.th + advice.th, wrong.en + advice.en)

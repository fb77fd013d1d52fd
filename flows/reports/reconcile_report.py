"""The report of a reconciling run: what it resolved, gave up and asked, and what is left."""

from core.errors import MophClaimError
from core.messages import Language, Message
from core.text import escape_markdown
from flows.reports.reasons import status_words
from flows.reports.report import Report, Section, compose_report, quoted
from flows.reports.sections import (
    LedgerCounts,
    asked_line,
    by_kind,
    ledger_counts,
    left_line,
    next_steps,
    refusals_by_reason,
    sent_line,
)
from flows.runs.reconcile import ReconcileRun
from load.display_names import STATE_NAMES
from load.queries import affected_days, sent_by, transaction_statuses
from load.states import DUE, State

# Statuses that a report tells apart: which there are is not public.
MOST_STATUSES = 10


def report_reconcile_run(run: ReconcileRun, failure: MophClaimError | None) -> Report:
    """The report of a reconciling run, over the days of all claims that it worked on or leaves to the next run or a person.

    Args:
        run: The run.
        failure: Why it stopped, if it did.
    """
    audit_run, language = run.audit_run, run.settings.language
    days = affected_days(run.engine, audit_run)
    counts = ledger_counts(run, *(days or (run.selection.first, run.selection.first)))
    summary = _done(run) if run.sends else _planned(run)
    presumed = counts.claims(State.PRESUMED_ACCEPTED)
    summary += [
        Message(
            f"น่าจะรับแล้ว รอเจ้าหน้าที่ตรวจ **{presumed}** รายการ", f"Presumed accepted, left for a person: **{presumed}**"
        ),
        left_line(counts),
    ]
    steps = next_steps(run, counts, failure)
    if trouble := run.inquiry.trouble:
        steps.append(quoted(trouble))
    sections = [
        by_kind(counts, {}, language),
        refusals_by_reason(counts.refused, language),
        Section(Message("สถานะธุรกรรม", "What became of transactions"), _statuses(run, counts, language)),
    ]
    of_days = Message(f" {days[0]} ถึง {days[1]}", f", {days[0]} to {days[1]}") if days else Message("", "")
    title = Message(
        f"MOPH Claim {audit_run.hcode}: ตรวจทาน{of_days.th}", f"MOPH Claim {audit_run.hcode}: reconciled{of_days.en}"
    )
    return compose_report(run, title, summary, steps, sections, counts.for_a_person)


def _planned(run: ReconcileRun) -> list[Message]:
    would = run.would_send
    n = sum(would.values())
    th = ", ".join(f"{STATE_NAMES[state].th} {would[state]}" for state in DUE if would[state])
    en = ", ".join(f"{STATE_NAMES[state].en} {would[state]}" for state in DUE if would[state])
    days = run.settings.reconcile.held_days
    return [
        Message(
            f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{n}** รายการ" + (f" ({th})" if th else ""),
            f"Dry run: **{n}** claims would be sent" + (f" ({en})" if en else ""),
        ),
        *asked_line(run),
        Message(
            f"จะเลิกรอปิดสิทธิ **{run.given_up}** รายการที่เกิน {days} วัน หากส่งแล้วยังไม่พบการปิดสิทธิ",
            f"Would be given up, after {days} days, if there is still no closing code: **{run.given_up}**",
        ),
        Message(
            f"จะสอบถามสถานะ **{run.would_ask}** ธุรกรรม",
            f"Transactions that would be asked about: **{run.would_ask}**",
        ),
    ]


def _done(run: ReconcileRun) -> list[Message]:
    inquiry, days = run.inquiry, run.settings.reconcile.held_days
    sent = sent_by(run.engine, run.audit_run)

    def tried(before: State, *, still: tuple[State, ...] = ()) -> int:
        of_state = sent[(sent["before"] == before) & ~sent["state"].isin(still)]
        return int(of_state["claims"].sum())

    doubt, held = tried(State.IN_DOUBT), tried(State.HELD)
    resolved = tried(State.IN_DOUBT, still=(State.IN_DOUBT, State.SENDING))
    came = held - tried(State.HELD, still=(State.ACCEPTED, State.PRESUMED_ACCEPTED))
    lines = [
        sent_line(run),
        *asked_line(run),
        Message(
            f"ไม่แน่ใจ: สอบถามแล้ว **{doubt}** รู้ผลแล้ว **{resolved}**",
            f"In doubt: **{doubt}** tried, **{resolved}** resolved",
        ),
        Message(f"รอปิดสิทธิ: ส่งใหม่ **{held}** รับแล้ว **{came}**", f"Held: **{held}** tried again, **{came}** accepted"),
        Message(
            f"เลิกรอปิดสิทธิ **{run.given_up}** รายการที่เกิน {days} วัน",
            f"Given up, after {days} days without a closing code: **{run.given_up}**",
        ),
        Message(
            f"สอบถามสถานะ **{inquiry.asked}** ธุรกรรม ได้คำตอบ **{inquiry.answered}**",
            f"Transactions asked about: **{inquiry.asked}**, answered **{inquiry.answered}**",
        ),
    ]
    if n := run.recovered:
        lines.insert(
            1, Message(f"การทำงานที่หยุดกลางคันทิ้งไว้ **{n}** รายการ", f"Left in mid-sending by a run that died: **{n}**")
        )
    if n := inquiry.proved:
        lines.append(
            Message(f"น่าจะรับแล้ว ยืนยันด้วยสถานะ **{n}** รายการ", f"Presumed accepted, proved by their status: **{n}**")
        )
    return lines


def _statuses(run: ReconcileRun, counts: LedgerCounts, language: Language) -> list[str]:
    environment, hcode = run.audit_run.environment, run.audit_run.hcode
    statuses = transaction_statuses(run.engine, environment, first=counts.first, last=counts.last, hcode=hcode)
    lines = [
        f"**{r.claims}** {escape_markdown(status_words(r.status, r.status_th, language))}"
        for r in statuses.itertuples()
    ]
    more = len(lines) - MOST_STATUSES
    if more > 0:
        rest = Message(f"และอีก {more} สถานะ ดูด้วย `moph-claim status`", f"{more} more: see `moph-claim status`")
        lines[MOST_STATUSES:] = [rest.say(language)]
    return lines

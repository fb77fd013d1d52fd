"""The report of a nightly run."""

from core.errors import MophClaimError
from core.messages import Message
from flows.reports.report import Report, compose_report
from flows.reports.sections import (
    LedgerCounts,
    asked_line,
    by_kind,
    codes_to_map,
    expected_line,
    ledger_counts,
    left_line,
    next_steps,
    records_to_look_at,
    refusals_by_reason,
    sent_line,
)
from flows.runs.submit import SubmitRun
from load.queries import issue_counts, issue_counts_by_message
from transform.claims import CLAIMED_BY_HIS, WITHOUT_VISIT
from transform.rules import registry


def report_submit_run(run: SubmitRun, failure: MophClaimError | None) -> Report:
    """The report of a nightly run, from what the audit holds of its days and kinds.

    Args:
        run: The run.
        failure: Why it stopped, if it did.
    """
    audit_run, language = run.audit_run, run.settings.language
    first, last, kinds = run.selection.first, run.selection.last, run.selection.kinds
    counts, planned = ledger_counts(run, first, last), run.registrar.counts.planned
    of_run = (run.engine, audit_run.environment, audit_run.hcode, first, last, kinds)
    issues = issue_counts(*of_run)
    about_codes = {code for code, rule in registry().items() if rule.of_code}
    to_mend = [code for code, rule in registry().items() if rule.severity == "error" and rule.calls_for_a_person]
    errors = int(issues.loc[issues["rule"].isin(to_mend), "records"].sum())
    steps = next_steps(run, counts, failure)
    if errors:
        steps.append(
            Message(
                f"มี {errors} รายการในข้อมูลที่ยังเบิกไม่ได้ ดูรายตัวด้วย `moph-claim issues` แล้วแก้ใน HIS",
                f"{errors} records cannot be claimed as they are: `moph-claim issues` lists them; mend them in the HIS.",
            )
        )
    sections = [
        by_kind(counts, planned, language),
        refusals_by_reason(counts.refused, language),
        codes_to_map(issue_counts_by_message(*of_run, about_codes), language),
        records_to_look_at(issues[~issues["rule"].isin(about_codes)], language),
    ]
    title = Message(
        f"MOPH Claim {audit_run.hcode}: {first} ถึง {last}", f"MOPH Claim {audit_run.hcode}: {first} to {last}"
    )
    return compose_report(run, title, _summary(run, counts), steps, sections, errors + counts.for_a_person)


def _summary(run: SubmitRun, counts: LedgerCounts) -> list[Message]:
    would_send = run.registrar.counts.would_send
    dry_run = Message(
        f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{would_send}** รายการ", f"Dry run: **{would_send}** claims would be sent"
    )
    lines = [
        sent_line(run) if run.sends else dry_run,
        *asked_line(run),
        expected_line(run.registrar, counts),
        left_line(counts),
    ]
    if n := run.registrar.counts.besides[CLAIMED_BY_HIS]:
        lines.append(Message(f"HIS เบิกไปเองแล้ว **{n}** รายการ", f"Claimed by the HIS itself: **{n}**"))
    if n := run.registrar.counts.besides[WITHOUT_VISIT]:
        lines.append(
            Message(
                f"วัคซีนที่ไม่ได้ผูกกับการรับบริการ จึงเบิกไม่ได้ **{n}** เข็ม",
                f"Doses without a visit, which cannot be claimed: **{n}**",
            )
        )
    return lines

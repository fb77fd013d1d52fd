"""The report of an import; it names nobody."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from core.clock import BANGKOK
from core.errors import MophClaimError
from core.messages import Message
from extract.workbook.reader import ANSWERED
from flows.reports.reasons import NEXT_STEPS
from flows.reports.report import Report, compose_report, quoted
from flows.reports.sections import (
    LedgerCounts,
    by_kind,
    expected_line,
    left_line,
    next_steps,
    records_to_look_at,
    refusals_by_reason,
    sent_line,
)
from flows.runs.import_workbook import ImportRun
from load.states import ACCEPTED_STATES, State
from load.workbook.result_content import RowOutcome


def report_import_run(
    run: ImportRun, outcomes: list[RowOutcome], failure: MophClaimError | None, also: Sequence[Message] = ()
) -> Report:
    """The report of an import, from what the audit holds of its claims.

    Args:
        run: The run.
        outcomes: What became of every row.
        failure: Why it stopped, if it did.
        also: What else a person should do.
    """
    hcode, language = run.audit_run.hcode, run.settings.language
    counts = _ledger_counts(run)
    mendable = sum(a.mendable for a in outcomes)
    # The general advice for claims to correct is for those of the HIS.
    steps = [step for step in next_steps(run, counts, failure) if step != NEXT_STEPS[State.CORRECTABLE]]
    steps += [*mending_steps(run, mendable), *map(quoted, also)]
    summary = [sent_sentence(run), _rows(run, outcomes), expected_line(run.registrar, counts), left_line(counts)]
    sections = [
        by_kind(counts, {} if run.imported_before else run.registrar.counts.planned, language),
        refusals_by_reason(counts.refused, language, of_workbook=True),
        records_to_look_at(_issue_counts(run), language, of_workbook=True),
    ]
    file, first, last = run.reading.file_hash[:8], run.selection.first, run.selection.last
    title = Message(
        f"MOPH Claim {hcode}: ไฟล์นำเข้า {file}, {first} ถึง {last}",
        f"MOPH Claim {hcode}: workbook {file}, {first} to {last}",
    )
    return compose_report(run, title, summary, steps, sections, mendable + counts.for_a_person)


def mending_steps(run: ImportRun, mendable: int) -> list[Message]:
    """What the HIS could not be asked, where the rows are to be mended, and a warning where they were mended in a sheet that is not read."""
    steps = [run.not_asked] if run.not_asked else []
    if n := len(sheets_of_earlier_results(run)):
        steps.append(
            Message(
                f"ไม่ได้อ่าน {n} แผ่นงานที่เป็นผลการนำเข้าครั้งก่อน สิ่งที่แก้ในนั้นไม่มีผล ให้แก้ในแผ่นงานสำหรับแก้ไข หรือในไฟล์ต้นฉบับ",
                f"{n} sheets hold the results of an earlier import and were not read: what was mended there has no effect; "
                "mend it in the sheets for mending, or in your own file.",
            )
        )
    if mendable and is_trial(run):
        steps.append(
            Message(
                f"ทดลอง: มี {mendable} แถวที่ต้องแก้ แก้ในไฟล์ต้นฉบับ แล้วนำเข้าไฟล์ต้นฉบับ (ไฟล์ผลการทดลองนำเข้าไม่ได้)",
                f"Dry run: {mendable} rows are to be mended: mend them in your own file and import that, not this result.",
            )
        )
    elif mendable:
        steps.append(
            Message(
                f"มี {mendable} แถวที่ต้องแก้ แก้ในแผ่นงานสำหรับแก้ไขของไฟล์ผลลัพธ์ แล้วนำเข้าไฟล์นั้น",
                f"{mendable} rows are to be mended: mend them in the result workbook's sheet for mending, and import it.",
            )
        )
    return steps


def sheets_of_earlier_results(run: ImportRun) -> set[Message]:
    """The notes on sheets that hold the results of an earlier import."""
    return {ANSWERED.fill(sheet=sheet.name) for sheet in run.reading.raw}.intersection(run.reading.left_out)


def is_trial(run: ImportRun) -> bool:
    """Whether it is a dry run of a file that was not imported before."""
    return not run.sends and run.imported_before is None


def sent_sentence(run: ImportRun) -> Message:
    """How many claims were sent, or why none was."""
    if run.imported_before:
        at = f"{run.imported_before.started_at.astimezone(BANGKOK):%Y-%m-%d %H:%M}"
        return Message(
            f"เคยนำเข้าไฟล์นี้แล้วเมื่อ {at} จึงไม่ส่งซ้ำ ผลด้านล่างคือสถานะปัจจุบัน",
            f"This file was imported before, on {at}: nothing was sent; below is where its claims stand now.",
        )
    if not run.sends:
        n = run.registrar.counts.would_send
        return Message(f"ทดลอง ไม่ได้ส่งจริง: จะส่ง **{n}** รายการ", f"Dry run: **{n}** claims would be sent")
    return sent_line(run)


def _rows(run: ImportRun, outcomes: list[RowOutcome]) -> Message:
    rows, claims, mendable = len(outcomes), len(run.claims), sum(a.mendable for a in outcomes)
    return Message(
        f"อ่านได้ **{rows}** แถว เป็นรายการเบิก **{claims}** ต้องแก้ **{mendable}** แถว",
        f"Rows read: **{rows}**, claims: **{claims}**, rows to mend: **{mendable}**",
    )


def _ledger_counts(run: ImportRun) -> LedgerCounts:
    """The workbook's claims, counted as those of a night are."""
    rows = [
        {"kind": key[0], "state": s.state, "meaning_th": s.meaning_th, "meaning_en": s.meaning_en, "baht": s.baht}
        for key, s in run.standing().items()
        if key in run.claims or s.state in ACCEPTED_STATES
    ]
    columns = ["kind", "state", "meaning_th", "meaning_en", "baht"]
    frame = pd.DataFrame(rows, columns=columns).assign(claims=1)
    by = ["state", "meaning_th", "meaning_en"]
    waits = frame[~frame["state"].isin(["accepted", "ready", "withdrawn"])]
    refused = waits.groupby(by, dropna=False)["claims"].sum().reset_index()
    return LedgerCounts(run.selection.first, run.selection.last, frame, refused)


def _issue_counts(run: ImportRun) -> pd.DataFrame:
    """How many claims met which rule: columns rule, severity, kind, records."""
    met = Counter((i.rule, i.severity, i.kind, key) for key, issues in run.issues.items() for i in issues)
    counts = Counter(key[:3] for key in met)
    rows = [(rule, severity, kind, n) for (rule, severity, kind), n in counts.items()]
    return pd.DataFrame(rows, columns=["rule", "severity", "kind", "records"])

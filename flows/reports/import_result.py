"""The result workbook of an import, which is the officer's own."""

from pathlib import Path

from core.clock import today
from core.errors import MophClaimError
from core.messages import Message
from extract.workbook.layout import SheetName, layouts
from flows.reports.import_report import is_trial, mending_steps, sent_sentence, sheets_of_earlier_results
from flows.runs.import_workbook import ImportRun, dropdown_choices
from flows.settings.model import Settings
from load.accesses import record_access
from load.display_names import KIND_NAMES
from load.workbook.result import write_result
from load.workbook.result_content import Count, RowOutcome, Summary, mendable_rows
from load.workbook.style import OutcomeCategory
from transform.workbook_rows import ItemKey

FILE = Message("ไฟล์", "File")


def write_row_outcomes(
    out: Path, *, run: ImportRun, outcomes: list[RowOutcome], failure: MophClaimError | None, source: Path
) -> None:
    """Write the result workbook of an import.

    Args:
        out: The .xlsx file.
        run: The run.
        outcomes: What became of every row.
        failure: Why the run stopped, if it did.
        source: Where the officer's file lies.

    Raises:
        MophClaimError: The audit cannot be written, or the file cannot.
    """
    of_run = run.audit_run
    record_access(
        run.engine, of_run.environment, "result of an import to a file", out.name, hcode=of_run.hcode, run_id=of_run.id
    )
    write_result(
        out,
        _summary(run, outcomes, failure),
        # Rows mended in a trial's result would go without the rows that were well from the beginning.
        [] if is_trial(run) else mendable_rows(run.reading.rows, outcomes),
        dropdown_choices(run.settings, today()),
        run.settings.language,
        source=source,
        reading=run.reading,
        outcomes=outcomes,
    )


def write_refusal(out: Path, *, settings: Settings, name: str, sentence: str) -> None:
    """Write the result workbook of a file that could not be imported: the sentence that says why."""
    summary = Summary(Message(sentence, sentence), (), ((FILE, name),))
    write_result(out, summary, (), dropdown_choices(settings, today()), settings.language)


def _summary(run: ImportRun, outcomes: list[RowOutcome], failure: MophClaimError | None) -> Summary:
    reading, audit_run = run.reading, run.audit_run
    counts = _counts(run, outcomes)
    facts = (
        (FILE, reading.file_name),
        (Message("ลายนิ้วมือไฟล์ (SHA-256)", "File's SHA-256"), reading.file_hash),
        (Message("หน่วยบริการ", "Facility"), audit_run.hcode),
        (Message("วันที่รับบริการ", "Service days"), f"{run.selection.first} – {run.selection.last}"),
        (Message("สภาพแวดล้อม", "Environment"), audit_run.environment),
        (Message("การทำงาน (run)", "Run"), audit_run.id),
    )
    headline = failure.message if failure else _plain(sent_sentence(run))
    mendable = sum(a.mendable for a in outcomes)
    return Summary(headline, counts, facts, [*mending_steps(run, mendable), *_notes(run)])


def _counts(run: ImportRun, outcomes: list[RowOutcome]) -> list[Count]:
    """Claims and baht by kind and outcome: a claim counts once, however many rows it has; a row without a claim counts as one."""
    standing = run.standing()
    counted: dict[tuple[Message, Message, OutcomeCategory], tuple[int, int]] = {}
    seen: set[ItemKey] = set()
    for row, a in zip(run.reading.rows, outcomes, strict=True):
        key = run.rows_by_claim.key_of_row.get((row.sheet, row.number))
        if key in seen:
            continue
        baht = 0
        if key:
            seen.add(key)
            worth = standing.get(key) or run.claims.get(key)
            baht = worth.baht if worth else 0
        group = KIND_NAMES[key[0]] if key else _sheet_title(row.layout), a.outcome, a.category
        claims, so_far = counted.get(group, (0, 0))
        counted[group] = claims + 1, so_far + baht
    order = [*KIND_NAMES.values(), *map(_sheet_title, layouts())]
    ordered = sorted(counted.items(), key=lambda item: order.index(item[0][0]))
    return [Count(*group, claims, baht) for group, (claims, baht) in ordered]


def _sheet_title(layout: SheetName) -> Message:
    """The name of rows whose kind is unknown: the kind of their sheet if it has only one, else the sheet's title."""
    return KIND_NAMES.get(layout, layouts()[layout].title)


def _notes(run: ImportRun) -> list[Message]:
    """Notes on how the file was read."""
    answered = sheets_of_earlier_results(run)
    notes = [m for m in run.reading.left_out if m not in answered]
    for sheet in run.reading.sheets:
        columns = {c.name: c.heading for c in layouts()[sheet.layout].columns}
        if sheet.surplus:
            names = ", ".join(sheet.surplus)
            notes.append(
                Message(
                    f"แผ่นงาน {sheet.name}: ไม่ใช้คอลัมน์ {names}",
                    f"Sheet {sheet.name}: columns that are not used: {names}.",
                )
            )
        if sheet.missing:
            th, en = (
                ", ".join(getattr(columns[name], language) for name in sheet.missing) for language in ("th", "en")
            )
            notes.append(
                Message(f"แผ่นงาน {sheet.name}: ไม่มีคอลัมน์ {th}", f"Sheet {sheet.name}: columns that are not there: {en}.")
            )
        if sheet.doubtful:
            rows = ", ".join(map(str, sheet.doubtful))
            notes.append(
                Message(
                    f"แผ่นงาน {sheet.name}: แถว {rows} ไม่ได้อ่าน แม้มีเลขที่รับบริการ เลขประจำตัว รายการตรวจ หรือวัคซีน กรุณาตรวจว่าเป็นข้อมูลหรือไม่",
                    f"Sheet {sheet.name}: rows {rows} were not read though they hold a visit or identity number, a test or a "
                    "vaccine: check whether they are data.",
                )
            )
        if sheet.notes:
            n = sheet.notes
            notes.append(
                Message(
                    f"แผ่นงาน {sheet.name}: ข้าม {n} แถวที่ไม่ใช่ข้อมูล (หมายเหตุ หัวตาราง ตัวอย่าง)",
                    f"Sheet {sheet.name}: {n} rows that are no data (notes, headings, examples) were skipped.",
                )
            )
    return notes


def _plain(message: Message) -> Message:
    return Message(message.th.replace("**", ""), message.en.replace("**", ""))

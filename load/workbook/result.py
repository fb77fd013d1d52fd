"""The result workbook for an officer: a summary, the rows to mend, and the officer's own sheets with outcomes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from openpyxl import Workbook

from core.errors import MophClaimError
from core.messages import Language, Message
from extract.workbook.layout import Choices, Column, layouts, outcome_columns
from extract.workbook.rows import Reading
from load.workbook.dropdowns import Dropdowns
from load.workbook.form import TITLES, Entry, add_form
from load.workbook.listing import Listing, add_listing
from load.workbook.result_content import Mendable, RowOutcome, Summary
from load.workbook.source_sheets import add_outcomes, add_rebuilt, load_source
from load.workbook.summary import HEADLINE, add_summary
from load.workbook.writer import WorkbookWriter, check_suffix, new_writer

REBUILT = Message(
    "แผ่นงานเดิมของท่านในไฟล์ผลนี้สร้างใหม่จากค่าที่อ่านได้ จึงไม่มีสูตรและรูปแบบเดิม ไฟล์ต้นฉบับไม่ถูกแก้ไข",
    "Your own sheets in this result were made anew of the values that were read, without formulas and formats; "
    "your file itself is as it was.",
)
MEND = Message("แก้ไข {sheet}", "Mend {sheet}")


def write_result(
    out: Path,
    summary: Summary,
    mendable: Sequence[Mendable],
    choices: Choices,
    language: Language,
    *,
    source: Path | None = None,
    reading: Reading | None = None,
    outcomes: Sequence[RowOutcome] = (),
    listing: Listing | None = None,
) -> None:
    """Write a result: the summary, a sheet to mend for each service, a list, then the officer's sheets.

    The sheets to mend are forms like those of a template, so that the result itself can be imported.

    Args:
        out: The .xlsx file.
        summary: What the first sheet shows.
        mendable: The rows to mend.
        choices: Every drop-down.
        language: Language of everything we write.
        source: The officer's file. An .xlsx of moderate size keeps its formulas and formats; others are rebuilt from
            the values that were read.
        reading: What was read from it; None when the rows came from a hospital database.
        outcomes: The outcomes of its rows.
        listing: A list of rows, when they came from a hospital database.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    check_suffix(out)
    book = load_source(source, reading) if reading else None
    if not (reading and book and _write_into(book, out, summary, mendable, choices, language, reading, outcomes)):
        _write_rebuilt(out, summary, mendable, choices, language, reading, outcomes, listing)


def _write_into(
    book: Workbook,
    out: Path,
    summary: Summary,
    mendable: Sequence[Mendable],
    choices: Choices,
    language: Language,
    reading: Reading,
    outcomes: Sequence[RowOutcome],
) -> bool:
    """Write a result that keeps the officer's loaded workbook; False if the workbook does not allow it."""
    writer = WorkbookWriter(book, out, language)
    dropdowns = _add_ours(writer, summary, mendable, choices)
    try:
        add_outcomes(writer, reading, outcomes)
        dropdowns.add_sheet()
        writer.save()
    except MophClaimError:
        raise
    except Exception:
        # No free column, or openpyxl cannot write what it has loaded. The claims are sent already: the officer must get
        # their outcomes.
        return False
    return True


def _write_rebuilt(
    out: Path,
    summary: Summary,
    mendable: Sequence[Mendable],
    choices: Choices,
    language: Language,
    reading: Reading | None,
    outcomes: Sequence[RowOutcome],
    listing: Listing | None,
) -> None:
    reserved = [sheet.name for sheet in reading.raw] if reading else ()
    writer = new_writer(HEADLINE, out, language, reserved)
    if reading:
        summary = replace(summary, notes=(*summary.notes, REBUILT))
    dropdowns = _add_ours(writer, summary, mendable, choices)
    if listing:
        add_listing(writer, listing)
    if reading:
        add_rebuilt(writer, reading, outcomes)
    dropdowns.add_sheet()
    writer.save()


def _add_ours(writer: WorkbookWriter, summary: Summary, mendable: Sequence[Mendable], choices: Choices) -> Dropdowns:
    """Add the summary and the sheets to mend.

    Returns:
        The drop-downs, whose sheet is to be added last.
    """
    dropdowns = Dropdowns(writer, choices)
    reason = next(column for column in outcome_columns() if column.name == "reason")
    forms = [(layout, [row for row in mendable if row.layout == name]) for name, layout in layouts().items()]
    titled = [
        (writer.free_title(writer.say(MEND.fill(sheet=TITLES[form.name]))), form, rows) for form, rows in forms if rows
    ]
    add_summary(writer, summary, [(title, len(rows)) for title, _, rows in titled])
    for title, layout, rows in titled:
        add_form(
            writer, dropdowns, layout, title, (_entry(writer, row, reason) for row in rows), extra_columns=(reason,)
        )
    return dropdowns


def _entry(writer: WorkbookWriter, row: Mendable, reason: Column) -> Entry:
    outcome = row.row_outcome
    marks: dict[str, str] = {}
    for mark in outcome.marks:
        text = writer.say(mark.message)
        marks[mark.column] = f"{marks[mark.column]}\n{text}" if mark.column in marks else text
    cells = {**row.raw, **row.values, reason.name: writer.say(outcome.reason or outcome.outcome)}
    return Entry(cells, marks=marks, unreadable=frozenset(row.raw.keys() - row.values.keys()))

"""What an officer gets back: a summary, the rows to mend, and the sheets as they came, with outcomes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import MophClaimError
from core.messages import Language, Message
from extract.workbook.layout import Choices, Column, layouts, outcome_columns
from extract.workbook.rows import Reading
from load.workbook.answers import Mendable, RowAnswer, Summary
from load.workbook.dropdowns import Dropdowns
from load.workbook.form import TITLES, Entry, add_form
from load.workbook.listing import Listing, add_listing
from load.workbook.source_sheets import add_outcomes, add_rebuilt, load_source
from load.workbook.summary import HEADLINE, add_summary
from load.workbook.writer import WorkbookWriter, check_ending, new_writer

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
    answers: Sequence[RowAnswer] = (),
    listing: Listing | None = None,
) -> None:
    """Write a result: the summary, a sheet for mending a service, a list, then the officer's sheets.

    The sheets for mending are forms like those of a template and can be imported as they are.

    Args:
        out: The .xlsx file.
        summary: What the first sheet shows.
        mendable: The rows to mend.
        choices: Every drop-down.
        language: Of everything we write.
        source: The officer's file; what is there, an .xlsx of moderate size, keeps its formulas and formats.
        reading: What was read of it; None when the rows came from a hospital database.
        answers: What became of its rows.
        listing: What else there is to look at; none beside an officer's sheets.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    check_ending(out)
    book = load_source(source, reading) if reading else None
    if reading and book:
        paper = WorkbookWriter(book, out, language)
        lists = _add_ours(paper, summary, mendable, choices)
        try:
            add_outcomes(paper, reading, answers)
            lists.add_sheet()
            paper.save()
        except MophClaimError:
            raise
        except Exception:
            # No room for outcomes, or openpyxl loads what it cannot write. The claims are sent: what came of them must be said.
            book = None
    if book is None:
        _write_anew(out, summary, mendable, choices, language, reading, answers, listing)


def _write_anew(
    out: Path,
    summary: Summary,
    mendable: Sequence[Mendable],
    choices: Choices,
    language: Language,
    reading: Reading | None,
    answers: Sequence[RowAnswer],
    listing: Listing | None,
) -> None:
    reserved = [sheet.name for sheet in reading.raw] if reading else ()
    paper = new_writer(HEADLINE, out, language, reserved)
    if reading:
        summary = replace(summary, notes=(*summary.notes, REBUILT))
    lists = _add_ours(paper, summary, mendable, choices)
    if listing:
        add_listing(paper, listing)
    if reading:
        add_rebuilt(paper, reading, answers)
    lists.add_sheet()
    paper.save()


def _add_ours(paper: WorkbookWriter, summary: Summary, mendable: Sequence[Mendable], choices: Choices) -> Dropdowns:
    """Add the summary and the sheets for mending; gives the lists, whose sheet comes last."""
    lists = Dropdowns(paper, choices)
    reason = next(column for column in outcome_columns() if column.name == "reason")
    forms = [(layout, [row for row in mendable if row.layout == name]) for name, layout in layouts().items()]
    titled = [(paper.title(paper.say(MEND.fill(sheet=TITLES[form.name]))), form, rows) for form, rows in forms if rows]
    add_summary(paper, summary, [(title, len(rows)) for title, _, rows in titled])
    for title, layout, rows in titled:
        add_form(paper, lists, layout, title, (_entry(paper, row, reason) for row in rows), besides=(reason,))
    return lists


def _entry(paper: WorkbookWriter, row: Mendable, reason: Column) -> Entry:
    answer = row.answer
    said = paper.say(answer.reason or answer.outcome)
    marks: dict[str, str] = {}
    for mark in answer.marks:
        text = paper.say(mark.message)
        marks[mark.column] = f"{marks[mark.column]}\n{text}" if mark.column in marks else text
    unclear = frozenset(row.raw.keys() - row.values.keys())
    return Entry({**row.raw, **row.values, reason.name: said}, marks=marks, not_understood=unclear)

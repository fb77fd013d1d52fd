"""A workbook of claims: empty for an officer to fill in, or filled in already."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from core.messages import Language, Message
from extract.workbook.layout import Choices, SheetLayout, SheetName, layouts
from extract.workbook.rows import Value
from load.workbook.dropdowns import Dropdowns
from load.workbook.form import TITLES, Entry, add_form
from load.workbook.instructions import add_instructions
from load.workbook.writer import check_suffix, new_writer


def write_template(
    out: Path,
    sheets: Sequence[SheetName],
    choices: Choices,
    language: Language,
    rows: Mapping[SheetName, Sequence[Mapping[str, Value]]] | None = None,
) -> None:
    """Write a workbook of claims: instructions, a sheet for each service, and drop-downs.

    Args:
        out: The .xlsx file.
        sheets: The services it has a sheet for.
        choices: Every drop-down.
        language: Language of headings and help.
        rows: The rows of each sheet, by column name; None for example rows.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    check_suffix(out)
    writer = new_writer(Message("ไฟล์เบิก MOPH Claim", "MOPH Claim workbook"), out, language)
    dropdowns = Dropdowns(writer, choices)
    wanted = [layout for name, layout in layouts().items() if name in sheets]
    add_instructions(writer, wanted)
    for layout in wanted:
        if rows is None:
            entries = [_example(layout, cells) for cells in layout.examples]
        else:
            entries = [Entry(row) for row in rows.get(layout.name, ())]
        add_form(writer, dropdowns, layout, writer.free_title(TITLES[layout.name]), entries)
    dropdowns.add_sheet()
    writer.save()


def _example(layout: SheetLayout, cells: Mapping[str, str]) -> Entry:
    days = {name: date.fromisoformat(cells[name]) for name in cells if layout.column(name).type == "date"}
    return Entry({**cells, **days}, example=True)

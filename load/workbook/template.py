"""An empty workbook for an officer to fill in, or one that is filled in already."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from core.messages import Language, Message
from extract.workbook.layout import Choices, SheetLayout, SheetName, layouts
from extract.workbook.rows import Value
from load.workbook.dropdowns import Dropdowns
from load.workbook.form import TITLES, Entry, add_form
from load.workbook.instructions import add_instructions
from load.workbook.writer import check_ending, new_writer


def write_template(
    out: Path,
    sheets: Sequence[SheetName],
    choices: Choices,
    language: Language,
    rows: Mapping[SheetName, Sequence[Mapping[str, Value]]] | None = None,
) -> None:
    """Write a workbook of claims: instructions, a sheet a service, and the lists to choose from.

    Args:
        out: The .xlsx file.
        sheets: The services' sheets it has.
        choices: Every drop-down.
        language: Of headings and help.
        rows: What stands in the sheets, by column name; examples when None.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    check_ending(out)
    paper = new_writer(Message("ไฟล์เบิก MOPH Claim", "MOPH Claim workbook"), out, language)
    lists = Dropdowns(paper, choices)
    wanted = [layout for name, layout in layouts().items() if name in sheets]
    add_instructions(paper, wanted)
    for layout in wanted:
        if rows is None:
            entries = [_example(layout, cells) for cells in layout.examples]
        else:
            entries = [Entry(row) for row in rows.get(layout.name, ())]
        add_form(paper, lists, layout, paper.title(TITLES[layout.name]), entries)
    lists.add_sheet()
    paper.save()


def _example(layout: SheetLayout, cells: Mapping[str, str]) -> Entry:
    days = {name: date.fromisoformat(cells[name]) for name in cells if layout.column(name).type == "date"}
    return Entry({**cells, **days}, example=True)

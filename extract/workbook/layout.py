"""The layout of a workbook of claims, held as data; it is written, read and documented from this one description.

`sheets.csv` has the sheets, `columns.csv` their columns in order, `options.csv` the short drop-downs, `spellings.csv`
other spellings of a choice, `form_words.csv` the words that may stand behind a heading, `examples.csv` the example rows of
a template. The long drop-downs (titles, vaccines, lab tests …) are the code lists of transform, which extract must not
import; callers pass them as `Choices`.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from core.messages import Message
from extract.contract import TableName

SheetName = Literal["dmht", "epi", "dt"]
ColumnType = Literal["code", "text", "cid", "date", "time", "choice", "suggest", "icd10", "result", "count"]

EXAMPLE = "ตัวอย่าง"
"""A row with this word as its visit number, alone or followed by a number, is an example and is not read."""
INSTRUCTIONS = Message("คำแนะนำ", "Instructions")
SUMMARY = Message("สรุป", "Summary")
LISTING = Message("ทั้งหมด", "All")
OWN_SHEETS = frozenset(title for m in (INSTRUCTIONS, SUMMARY, LISTING) for title in (m.th, m.en))
"""Sheets of our own without rows; no message is shown when they are skipped."""
OUTCOMES = ("outcome", "transaction_uid", "reason")
"""The columns that a result workbook adds to the officer's own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a drop-down.

    Args:
        value: The code, as the contract tables hold it.
        label: What the drop-down shows.
        also: Other spellings of it.
        sheets: The sheets that offer it, all if empty. It is understood on every sheet.
    """

    value: str
    label: str
    also: tuple[str, ...] = ()
    sheets: frozenset[SheetName] = frozenset()


Choices = Mapping[str, tuple[Choice, ...]]
"""The drop-downs by their name in `columns.csv`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet.

    Args:
        name: Its field name, shown below the heading.
        table: The contract table of its values; "" for the columns of a result.
        column: The contract's column.
        dx_type: For diagnoses: the type of its codes.
        type: How its cells are read.
        choices: The name of its drop-down; "" if it has none.
        needed: Whether a visit, lab result or dose must have it.
        width: In characters.
        heading: In both languages.
        also: Other accepted headings.
        help: The hint shown to the officer; may be empty.
    """

    name: str
    table: TableName | Literal[""]
    column: str
    dx_type: str
    type: ColumnType
    choices: str
    needed: bool
    width: int
    heading: Message
    also: tuple[str, ...]
    help: Message

    @property
    def field(self) -> str:
        """The contract's column in the form table.column, as in issues."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """One kind of sheet: a service's rows.

    Args:
        name: dmht, epi or dt.
        table: The contract table of which each row is one record.
        colour: Of its headings, RGB in hex.
        title: In both languages.
        intro: One sentence about its contents.
        columns: In order.
        examples: Example rows for a template, by column name; values as in the contract.
    """

    name: SheetName
    table: Literal["labs", "vaccinations"]
    colour: str
    title: Message
    intro: Message
    columns: tuple[Column, ...]
    examples: tuple[Mapping[str, str], ...] = field(repr=False)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(c for c in self.columns if c.name == name)

    def column_of(self, contract_column: str) -> Column | None:
        """The first column for a contract column, given as table.column."""
        return next((c for c in self.columns if c.field == contract_column), None)


@cache
def layouts() -> Mapping[SheetName, SheetLayout]:
    """The kinds of sheet, in order."""
    columns = _rows("columns.csv")
    examples = _rows("examples.csv")
    return {
        cast(SheetName, row["name"]): SheetLayout(
            name=cast(SheetName, row["name"]),
            table=cast(Literal["labs", "vaccinations"], row["table"]),
            colour=row["colour"],
            title=Message(row["th"], row["en"]),
            intro=Message(row["intro_th"], row["intro_en"]),
            columns=tuple(_column(c) for c in columns if row["name"] in c["sheets"].split()),
            examples=tuple(
                {name: value for name, value in e.items() if value and name != "sheet"}
                for e in examples
                if e["sheet"] == row["name"]
            ),
        )
        for row in _rows("sheets.csv")
    }


@cache
def outcome_columns() -> tuple[Column, ...]:
    """The columns of `OUTCOMES`."""
    return tuple(_column(c) for c in _rows("columns.csv") if c["sheets"] == "result")


@cache
def full_name_column() -> Column:
    """The column of full names. It is recognised so that the officer can be asked to split it; it is never read."""
    return next(_column(c) for c in _rows("columns.csv") if c["sheets"] == "none")


@cache
def spellings() -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Other spellings of a choice, by the name of its drop-down and its code."""
    return {(row["list"], row["value"]): tuple(row["also"].split(";")) for row in _rows("spellings.csv")}


@cache
def form_words() -> Mapping[str, frozenset[str]]:
    """The words that in brackets behind a heading say how its values are written, by column; "" has those of all columns."""
    found: dict[str, frozenset[str]] = {}
    for row in _rows("form_words.csv"):
        found[row["column"]] = found.get(row["column"], frozenset()).union(row["words"].split())
    return found


@cache
def own_choices() -> Choices:
    """The short drop-downs: sexes, schemes, yes_no."""
    rows = _rows("options.csv")
    return {
        name: tuple(
            Choice(row["value"], row["th"], (row["en"], row["value"], *row["also"].split(";")))
            for row in rows
            if row["list"] == name
        )
        for name in dict.fromkeys(row["list"] for row in rows)
    }


def _column(row: Mapping[str, str]) -> Column:
    return Column(
        name=row["name"],
        table=cast(TableName, row["table"]),
        column=row["column"],
        dx_type=row["dx_type"],
        type=cast(ColumnType, row["type"]),
        choices=row["choices"],
        needed=row["needed"] == "yes",
        width=int(row["width"]),
        heading=Message(row["th"], row["en"]),
        also=tuple(filter(None, row["also"].split(";"))),
        help=Message(row["help_th"], row["help_en"]),
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))

"""Joins the rows of a visit: its values need to be typed in one row only, and count for all its rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from openpyxl.utils.cell import get_column_letter

from extract.workbook.faults import Unusable, placed, unusable
from extract.workbook.layout import Column, SheetLayout, SheetName, layouts
from extract.workbook.rows import CellValue, Fault, Row, Value


@dataclass(slots=True, repr=False)
class Draft:
    """A row being read.

    Args:
        sheet: The sheet's name in the file.
        number: The row, from 1.
        layout: The kind of sheet.
        places: The position of each column, from 0.
        values: Its typed values.
        raw: Its cells that are not empty; for a ditto mark the cell that it repeats.
        faults: Why cells cannot be used, by column.
        repeats: The earlier row that it repeats.
        withheld: The rule by which it does not count; "" if it does.
    """

    sheet: str
    number: int
    layout: SheetLayout
    places: Mapping[str, int]
    values: dict[str, Value] = field(default_factory=dict)
    raw: dict[str, CellValue] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    repeats: tuple[str, int] | None = None
    withheld: str = ""

    def refuse(self, column: Column, why: Unusable) -> None:
        """Mark a cell as faulty; the first reason is kept."""
        self.values.pop(column.name, None)
        if column.name not in self.faults:
            address = f"{get_column_letter(self.places[column.name] + 1)}{self.number}"
            self.faults[column.name] = placed(why, self.sheet, address, column)

    def withhold(self, why: Unusable) -> None:
        """Mark the row as one that does not count, at the cell that says what it is about, whose value is dropped.

        With the value the row would pass in a sheet for mending, where neither its state nor its look stands.
        """
        item = self.layout.column("lab_code" if self.layout.table == "labs" else "vaccine_code")
        self.faults.pop(item.name, None)
        self.refuse(item, why)
        self.withheld = why.rule

    def row(self) -> Row:
        """The finished row."""
        faults = tuple(sorted(self.faults.values(), key=lambda fault: self.places[fault.column]))
        return Row(self.sheet, self.number, self.layout.name, self.values, self.raw, faults, self.repeats)


def join_visits(drafts: Iterable[Draft]) -> None:
    """Complete the rows of each visit from one another; missing, contradicting and repeated values become faults."""
    visits: dict[Value, list[Draft]] = defaultdict(list)
    for draft in drafts:
        vn = draft.values.get("vn")
        if vn is None:
            _refuse_empty(draft)
        else:
            visits[vn].append(draft)
    for visit in visits.values():
        if len(visit) > 1:
            _complete(visit)
            _refuse_repeated(visit)
        for draft in visit:
            _refuse_empty(draft)


def _complete(visit: list[Draft]) -> None:
    first_values: dict[str, tuple[Value, Draft]] = {}
    for draft in visit:
        for column in _of_visit(draft.layout.name):
            value = draft.values.get(column.name)
            if value is None:
                continue
            first, by = first_values.setdefault(column.name, (value, draft))
            if value != first and not _same_value(value, first, column):
                draft.refuse(column, unusable("cell.differs", row=by.number, sheet=by.sheet))
    for draft in visit:
        for column in _of_visit(draft.layout.name):
            if column.name not in draft.values and column.name in first_values and column.name not in draft.faults:
                draft.values[column.name] = first_values[column.name][0]


@cache
def _of_visit(layout: SheetName) -> tuple[Column, ...]:
    return tuple(column for column in layouts()[layout].columns if column.table in ("visits", "diagnoses"))


def _same_value(one: Value, other: Value, column: Column) -> bool:
    """Whether two different values mean the same: diagnoses of one type in another order."""
    return column.type == "icd10" and set(str(one).split(", ")) == set(str(other).split(", "))


def _refuse_repeated(visit: list[Draft]) -> None:
    """Refuse the later of two rows about the same lab test or vaccine: it repeats the earlier, or contradicts it."""
    firsts: dict[Value, Draft] = {}
    for draft in visit:
        item = draft.layout.column("lab_code" if draft.layout.table == "labs" else "vaccine_code")
        code = draft.values.get(item.name)
        if code is None:
            continue
        first = firsts.setdefault(code, draft)
        if first is draft:
            continue
        where = {"row": first.number, "sheet": first.sheet}
        if _repeats(draft, first):
            draft.repeats = (first.sheet, first.number)
            _refuse_row(draft, item, unusable("row.repeated", **where))
        else:
            _refuse_row(draft, item, unusable("row.contradicts", **where))


def _repeats(later: Draft, first: Draft) -> bool:
    # A dose may be on a sheet of either kind of vaccines; one kind has more columns.
    shared = {column.name for column in later.layout.columns} & {column.name for column in first.layout.columns}
    same = all(later.values.get(name) == first.values.get(name) for name in shared)
    return same and not later.faults.keys() - first.faults.keys()


def _refuse_row(draft: Draft, item: Column, why: Unusable) -> None:
    """Put the fault on the cell of the test or vaccine, but keep its value, so that the row's claim is still known."""
    code = draft.values[item.name]
    draft.refuse(item, why)
    draft.values[item.name] = code


def _refuse_empty(draft: Draft) -> None:
    # In a row without a visit number other cells may be empty: its visit's other rows may have the values.
    columns = draft.layout.columns if "vn" in draft.values else (draft.layout.column("vn"),)
    for column in columns:
        if column.needed and column.name not in draft.values:
            draft.refuse(column, unusable("cell.empty"))

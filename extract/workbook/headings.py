"""Where the headings of a sheet stand, and which kind of sheet they make it; officers move, rename and repeat them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from openpyxl.utils.cell import get_column_letter

from core.messages import Message
from extract.errors import WorkbookError
from extract.workbook.cells import cleaned, spelling
from extract.workbook.layout import OUTCOMES, Column, SheetName, full_name_column, layouts, outcome_columns
from extract.workbook.rows import CellValue, RawSheet

SEARCHED_ROWS = 40
LEAST_HEADINGS = 4
TELLING = frozenset({"vn", "cid", "visit_date", "lab_code", "result", "vaccine_code", "lot_number"})
"""Of these at least two are headings of any sheet of claims."""

TWICE = Message(
    "แผ่นงาน {sheet} มีสองคอลัมน์ที่มีความหมายเดียวกัน คือ “{one}” ที่ช่อง {first} และ “{other}” ที่ช่อง {second} "
    "กรุณาลบหรือเปลี่ยนชื่อคอลัมน์ที่ไม่ใช้ แล้วนำเข้าใหม่",
    "Sheet {sheet} has two columns that mean the same: “{one}” at {first} and “{other}” at {second}. "
    "Delete or rename the one that is not meant, and import it again.",
)
FULL_NAME = Message(
    "แผ่นงาน {sheet} มีทั้งชื่อและนามสกุลอยู่ในคอลัมน์เดียว คือ “{heading}” ที่ช่อง {address} "
    "กรุณาแยกเป็นสองคอลัมน์ คือ ชื่อ และ นามสกุล แล้วนำเข้าใหม่",
    "Sheet {sheet} has first and last names in one column: “{heading}” at {address}. "
    "Split it into two, ชื่อ (First name) and นามสกุล (Last name), and import it again.",
)
MISSING = Message(
    "แผ่นงาน {sheet} ไม่มีคอลัมน์ที่จำเป็น: {columns} กรุณาเพิ่มหัวคอลัมน์ตามแบบฟอร์ม แล้วนำเข้าใหม่",
    "Sheet {sheet} lacks columns that are needed: {columns}. Add their headings as in the template, and import it again.",
)
BOTH = Message(
    "แผ่นงาน {sheet} มีทั้งคอลัมน์ผลตรวจและคอลัมน์วัคซีน กรุณาแยกเป็นคนละแผ่นงานตามแบบฟอร์ม แล้วนำเข้าใหม่",
    "Sheet {sheet} has columns of lab results and of vaccines: put them on sheets of their own as in the template, "
    "and import it again.",
)

TWO_TABLES = Message(
    "แผ่นงาน {sheet} มีสองตารางที่หัวคอลัมน์ไม่เหมือนกัน คือแถว {one} และแถว {other} กรุณาแยกเป็นคนละแผ่นงาน "
    "หรือใช้หัวคอลัมน์เดียวกัน แล้วนำเข้าใหม่",
    "Sheet {sheet} has two tables with other headings, in rows {one} and {other}: put them on sheets of their own, "
    "or give both the same headings, and import it again.",
)

_HINT = re.compile(r"\(.*?\)|\[.*?\]|（.*?）", re.S)
_LONGEST = 120
_DT = re.compile(r"(?<![a-z])d[ _.-]?t(?![a-z])", re.I)


@dataclass(frozen=True, slots=True)
class Headings:
    """The headings of a sheet of claims; rows and columns count from 0.

    Args:
        layout: Which kind of sheet it is.
        row: The row of the headings.
        rows: All rows of headings that stand together with it.
        columns: Where each layout column stands.
        surplus: Headings that mean nothing here.
        answered: Whether it is a sheet that was written with the results of an import.
    """

    layout: SheetName
    row: int
    rows: range
    columns: Mapping[str, int]
    surplus: tuple[str, ...]
    answered: bool


def find_headings(sheet: RawSheet) -> Headings | None:
    """The headings of a sheet; None where it is no sheet of claims.

    Raises:
        WorkbookError: It is one, but a column that is needed is not there, or one is there twice.
    """
    fit = [len(names) if _are_of_claims(names := named(row)) else 0 for row in sheet.rows[:SEARCHED_ROWS]]
    if not any(fit):
        return None
    best = fit.index(max(fit))
    rows = _block(sheet.rows, best)
    columns = _columns(sheet, best, rows)
    layout = _kind(sheet, columns)
    if layout is None:
        return None
    own = {column.name for column in layouts()[layout].columns}
    answered = OUTCOMES[0] in columns
    if not answered:
        _complete(sheet, rows, layout, columns)
    return Headings(
        layout=layout,
        row=best,
        rows=rows,
        columns={name: column for name, column in columns.items() if name in own},
        surplus=_surplus(sheet.rows[best], {column for name, column in columns.items() if name in own | {*OUTCOMES}}),
        answered=answered,
    )


def refuse_other_headings(sheet: RawSheet, headings: Headings, row: int) -> None:
    """Read no table by the headings of another.

    Args:
        sheet: The sheet.
        headings: Those by which it is read.
        row: A row that holds no data, counted from 0.

    Raises:
        WorkbookError: It has headings of claims too, and they are not the same again, as on a later page.
    """
    names = named(sheet.rows[row])
    if _are_of_claims(names) and names not in [named(sheet.rows[known]) for known in headings.rows]:
        one, other = sorted((row, headings.row))
        raise _refused(TWO_TABLES.fill(sheet="{sheet}", one=one + 1, other=other + 1), sheet)


def _are_of_claims(names: Mapping[str, int]) -> bool:
    return len(names) >= LEAST_HEADINGS and len(names.keys() & TELLING) >= 2


def is_heading_row(row: Sequence[CellValue]) -> bool:
    """Whether most of its filled cells are headings."""
    filled = sum(1 for cell in row if cell is not None and not (isinstance(cell, str) and not cleaned(cell)))
    found = len(list(named(row).values()))
    return found >= 2 and found * 2 > filled


def named(row: Sequence[CellValue]) -> dict[str, int]:
    """The first cell of a row that is the heading of each column."""
    found: dict[str, int] = {}
    for place, cell in enumerate(row):
        if isinstance(cell, str) and (name := heading_of(cell)) is not None:
            found.setdefault(name, place)
    return found


@lru_cache(maxsize=4096)
def heading_of(text: str) -> str | None:
    """The column whose heading a text is, in any of its spellings, also that of full names; None where it is none's."""
    if len(text) > _LONGEST:
        return None
    known = headings()
    return known.get(spelling(cleaned(text))) or known.get(spelling(_HINT.sub("", cleaned(text))))


@cache
def headings() -> Mapping[str, str]:
    """The column that each heading means, by its spelling, with and without a hint in brackets."""
    columns: list[Column] = [column for layout in layouts().values() for column in layout.columns]
    found: dict[str, str] = {}
    for column in (*columns, *outcome_columns(), full_name_column()):
        th, en = column.heading.th, column.heading.en
        for text in (column.name, th, en, f"{th} / {en}", *column.also):
            for spelt in (spelling(text), spelling(_HINT.sub("", text))):
                if spelt:
                    found.setdefault(spelt, column.name)
    return found


def _block(rows: Sequence[Sequence[CellValue]], best: int) -> range:
    """The heading rows that stand together: a second language, or field names beneath the headings."""
    first, last = best, best
    while first > 0 and is_heading_row(rows[first - 1]):
        first -= 1
    while last + 1 < len(rows) and is_heading_row(rows[last + 1]):
        last += 1
    return range(first, last + 1)


def _columns(sheet: RawSheet, best: int, block: range) -> dict[str, int]:
    """Where each column stands, outcomes among them; another row of headings speaks where the best one does not."""
    found: dict[str, tuple[int, int]] = {}
    taken: set[int] = set()
    for row in (best, *(row for row in block if row != best)):
        for place, cell in enumerate(sheet.rows[row]):
            name = heading_of(cell) if isinstance(cell, str) else None
            if name is None or name == full_name_column().name or place in taken:
                continue
            if name in found and row == best:
                raise _twice(sheet, found[name], (row, place))
            if name not in found:
                found[name] = (row, place)
                taken.add(place)
    return {name: place for name, (_, place) in found.items()}


def _twice(sheet: RawSheet, first: tuple[int, int], second: tuple[int, int]) -> WorkbookError:
    one, other = (_text_at(sheet, *cell) for cell in (first, second))
    where = TWICE.fill(sheet="{sheet}", one="{one}", other="{other}", first=_address(*first), second=_address(*second))
    return _refused(where, sheet, one=one, other=other)


def _refused(sentence: Message, sheet: RawSheet, **words: str) -> WorkbookError:
    """Refuse a sheet; what is logged tells neither its name nor the officer's words, which may be anybody's."""
    some = Message(sentence.th.replace("แผ่นงาน {sheet}", "แผ่นงานหนึ่ง"), sentence.en.replace("Sheet {sheet}", "A sheet"))
    return WorkbookError(sentence.fill(sheet=sheet.name, **words), some.fill(**dict.fromkeys(words, "…")))


def _text_at(sheet: RawSheet, row: int, place: int) -> str:
    return " ".join(cleaned(str(sheet.rows[row][place])).split())


def _address(row: int, place: int) -> str:
    return f"{get_column_letter(place + 1)}{row + 1}"


def _kind(sheet: RawSheet, columns: Mapping[str, int]) -> SheetName | None:
    """By what its rows hold: a lab result or a dose."""
    labs = {"lab_code", "result"} & columns.keys()
    doses = {c.name for c in layouts()["epi"].columns if c.table == "vaccinations"} & columns.keys()
    if "lab_code" in labs and "vaccine_code" in doses:
        raise _refused(BOTH, sheet)
    if labs and "vaccine_code" not in doses:
        return "dmht"
    if not doses:
        return None
    # The columns of epi hold those of dt; a sheet of either may hold doses of both.
    return "dt" if _DT.search(sheet.name) and not {"gravida", "ga_week"} & columns.keys() else "epi"


def _complete(sheet: RawSheet, block: range, layout: SheetName, columns: Mapping[str, int]) -> None:
    missing = [column for column in layouts()[layout].columns if column.needed and column.name not in columns]
    if any(column.name in ("fname", "lname") for column in missing):
        _refuse_full_names(sheet, block)
    if missing:
        th, en = (", ".join(getattr(column.heading, language) for column in missing) for language in ("th", "en"))
        raise _refused(Message(MISSING.th.replace("{columns}", th), MISSING.en.replace("{columns}", en)), sheet)


def _refuse_full_names(sheet: RawSheet, block: range) -> None:
    for row in block:
        place = named(sheet.rows[row]).get(full_name_column().name)
        if place is not None:
            heading, address = _text_at(sheet, row, place), _address(row, place)
            where = FULL_NAME.fill(sheet="{sheet}", heading="{heading}", address=address)
            raise _refused(where, sheet, heading=heading)


def _surplus(row: Sequence[CellValue], known: set[int]) -> tuple[str, ...]:
    texts = (cleaned(str(cell)) for place, cell in enumerate(row) if cell is not None and place not in known)
    return tuple(text for text in texts if text)

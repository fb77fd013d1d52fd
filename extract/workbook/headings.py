"""Finds the headings of a sheet and from them the kind of sheet. Officers move, rename and repeat headings."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from openpyxl.utils.cell import get_column_letter

from core.messages import Message
from extract.errors import WorkbookError
from extract.workbook.cells import cleaned, spelling
from extract.workbook.layout import OUTCOMES, Column, SheetName, form_words, full_name_column, layouts, outcome_columns
from extract.workbook.rows import CellValue, RawSheet

SEARCHED_ROWS = 40
LEAST_HEADINGS = 4
MOST_NAMED = 6
TYPICAL_COLUMNS = frozenset({"vn", "cid", "visit_date", "lab_code", "result", "vaccine_code", "lot_number"})
"""Every sheet of claims has headings for at least two of these."""

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
BESIDE = Message(
    " คอลัมน์ {others} ไม่ได้ใช้แทน เพราะคำที่อยู่หลังหัวคอลัมน์บอกว่าเป็นข้อมูลอื่น ถ้าเป็นข้อมูลที่ต้องการ กรุณาลบคำนั้นออก",
    " Not taken for them, for the words behind the heading say that it is something else: {others}. Delete these words "
    "if it is what is needed.",
)
BOTH = Message(
    "แผ่นงาน {sheet} มีทั้งคอลัมน์ผลตรวจและคอลัมน์วัคซีน กรุณาแยกเป็นคนละแผ่นงานตามแบบฟอร์ม แล้วนำเข้าใหม่",
    "Sheet {sheet} has columns of lab results and of vaccines: put them on sheets of their own as in the template, "
    "and import it again.",
)
WIDE = Message(
    "แผ่นงาน {sheet} เป็นตารางแนวกว้าง มีคอลัมน์ของการตรวจหรือวัคซีนแต่ละรายการ ({names}) แต่หนึ่งแถวต้องเป็นผลตรวจหรือวัคซีนรายการเดียว "
    "กรุณาแยกเป็นแถวละรายการตามแบบฟอร์ม แล้วนำเข้าใหม่",
    "Sheet {sheet} is a wide table, with a column for each test or vaccine ({names}), and one row can hold only one result or "
    "dose: give each a row of its own as in the template, and import it again.",
)

TWO_TABLES = Message(
    "แผ่นงาน {sheet} มีสองตารางที่หัวคอลัมน์ไม่เหมือนกัน คือแถว {one} และแถว {other} กรุณาแยกเป็นคนละแผ่นงาน "
    "หรือใช้หัวคอลัมน์เดียวกัน แล้วนำเข้าใหม่",
    "Sheet {sheet} has two tables with other headings, in rows {one} and {other}: put them on sheets of their own, "
    "or give both the same headings, and import it again.",
)

_HINT = re.compile(r"\((.*?)\)|\[(.*?)\]|（(.*?)）", re.S)
_HINT_WORDS = re.compile(r"[^\W\d_]+(?:[\u0e30-\u0e4e]*[^\W\d_]+)*[\u0e30-\u0e4e]*")
_EXAMPLE_OR_CODES = re.compile(r"\s*(?:เช่น|ตัวอย่าง|e\.?g\b|[^\s=]{1,3} ?= ?\S)", re.I)
_HINT_NUMBER = re.compile(r"\d+ ?(?=หลัก|ตัว|digit|char|แฟ้ม|ชม|ชั่วโมง|h(?:ou)?rs?\b)|(?<=icd)[- ]?10\b", re.I)
_LONGEST = 120
_DT = re.compile(r"(?<![a-z])d[ _.-]?t(?![a-z])", re.I)


@dataclass(frozen=True, slots=True)
class Headings:
    """The headings of a sheet of claims; rows and columns count from 0.

    Args:
        layout: The kind of sheet.
        row: The row of the headings.
        rows: All neighbouring rows of headings, with this one.
        columns: The position of each layout column.
        surplus: Unknown headings.
        answered: Whether the sheet was written by an earlier import, with its results.
    """

    layout: SheetName
    row: int
    rows: range
    columns: Mapping[str, int]
    surplus: tuple[str, ...]
    answered: bool


def find_headings(sheet: RawSheet) -> Headings | None:
    """The headings of a sheet; None if it is not a sheet of claims.

    Raises:
        WorkbookError: A needed column is missing, or a column is there twice.
    """
    fit = [len(names) if _has_claim_headings(names := columns_in(row)) else 0 for row in sheet.rows[:SEARCHED_ROWS]]
    if not any(fit):
        return None
    best = fit.index(max(fit))
    rows = _block(sheet.rows, best)
    columns = _columns(sheet, best, rows)
    layout = _kind(sheet, columns) or _kind(sheet, _beside(sheet.rows[best]) | columns)
    if layout is None:
        return None
    own = {column.name for column in layouts()[layout].columns}
    answered = OUTCOMES[0] in columns
    if not answered:
        _refuse_missing(sheet, rows, layout, columns)
    return Headings(
        layout=layout,
        row=best,
        rows=rows,
        columns={name: column for name, column in columns.items() if name in own},
        surplus=_surplus(sheet.rows[best], {column for name, column in columns.items() if name in own | {*OUTCOMES}}),
        answered=answered,
    )


def items_as_headings(sheet: RawSheet, is_item: Callable[[str], bool]) -> WorkbookError | None:
    """Why a sheet without columns of tests and vaccines is not read, if single ones stand in its headings; else None.

    Args:
        sheet: The sheet.
        is_item: Whether a heading is a test or a vaccine.
    """
    for number, row in enumerate(sheet.rows[:SEARCHED_ROWS]):
        if not _has_claim_headings(columns_in(row)):
            continue
        texts = ((place, cell) for place, cell in enumerate(row) if isinstance(cell, str) and heading_of(cell) is None)
        if found := [place for place, text in texts if len(text) <= _LONGEST and is_item(text)][:MOST_NAMED]:
            names = ", ".join(f"“{_text_at(sheet, number, place)}” {_address(number, place)}" for place in found)
            return _refused(WIDE, sheet, names=names)
    return None


def refuse_other_headings(sheet: RawSheet, headings: Headings, row: int) -> None:
    """Refuse a sheet with a second table, whose headings differ from those it is read by.

    Args:
        sheet: The sheet.
        headings: Those it is read by.
        row: A row without data, counted from 0.

    Raises:
        WorkbookError: The row has headings of claims that are not the same again, as those of a later page are.
    """
    names = columns_in(sheet.rows[row])
    if _has_claim_headings(names) and names not in [columns_in(sheet.rows[known]) for known in headings.rows]:
        one, other = sorted((row, headings.row))
        raise _refused(TWO_TABLES.fill(sheet="{sheet}", one=one + 1, other=other + 1), sheet)


def _has_claim_headings(names: Mapping[str, int]) -> bool:
    return len(names) >= LEAST_HEADINGS and len(names.keys() & TYPICAL_COLUMNS) >= 2


def is_heading_row(row: Sequence[CellValue]) -> bool:
    """Whether most of the row's filled cells are headings."""
    filled = sum(1 for cell in row if cell is not None and not (isinstance(cell, str) and not cleaned(cell)))
    found = len(list(columns_in(row).values()))
    return found >= 2 and found * 2 > filled


def columns_in(row: Sequence[CellValue]) -> dict[str, int]:
    """The position of each column whose heading is in a row; of several the first."""
    found: dict[str, int] = {}
    for place, cell in enumerate(row):
        if isinstance(cell, str) and (name := heading_of(cell)) is not None:
            found.setdefault(name, place)
    return found


@lru_cache(maxsize=4096)
def heading_of(text: str) -> str | None:
    """The column with this heading in any spelling (full names included); None if there is none.

    What stands in brackets behind it may only say in which form the values are: "วันเกิด (มารดา)" is another column.
    """
    if len(text) > _LONGEST:
        return None
    name = headings().get(spelling(cleaned(text))) or _without_words_behind(text)
    return name if name and all(_is_of_form(hint, name) for hint in _hints(text, name)) else None


def _without_words_behind(text: str) -> str | None:
    """The column of a heading, whatever stands in brackets behind it."""
    return headings().get(spelling(_HINT.sub("", cleaned(text)))) if len(text) <= _LONGEST else None


def _hints(text: str, name: str) -> list[str]:
    """What stands in brackets, unless all of it is a heading of the column."""
    known = headings().get(spelling(cleaned(text))) == name
    return [] if known else ["".join(parts) for parts in _HINT.findall(cleaned(text))]


def _is_of_form(hint: str, name: str) -> bool:
    """Whether a text in brackets says how the column's values are written, or is another of its headings."""
    if headings().get(spelling(hint)) == name or _EXAMPLE_OR_CODES.match(hint):
        return True
    allowed = form_words().get("", frozenset()) | form_words().get(name, frozenset())
    rest = _HINT_NUMBER.sub(" ", hint)
    return not re.search(r"\d", rest) and all(word.casefold() in allowed for word in _HINT_WORDS.findall(rest))


@cache
def headings() -> Mapping[str, str]:
    """The column of each known heading, by its spelling with and without a hint in brackets."""
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
    """The neighbouring rows of headings: in a second language, or field names below the headings."""
    first, last = best, best
    while first > 0 and is_heading_row(rows[first - 1]):
        first -= 1
    while last + 1 < len(rows) and is_heading_row(rows[last + 1]):
        last += 1
    return range(first, last + 1)


def _columns(sheet: RawSheet, best: int, block: range) -> dict[str, int]:
    """The position of each column, outcomes included; other rows of headings add columns that the best row lacks."""
    found: dict[str, tuple[int, int]] = {}
    used: set[int] = set()
    for row in (best, *(row for row in block if row != best)):
        for place, cell in enumerate(sheet.rows[row]):
            name = heading_of(cell) if isinstance(cell, str) else None
            if name is None or name == full_name_column().name or place in used:
                continue
            if name in found and row == best:
                raise _twice(sheet, found[name], (row, place))
            if name not in found:
                found[name] = (row, place)
                used.add(place)
    return {name: place for name, (_, place) in found.items()}


def _twice(sheet: RawSheet, first: tuple[int, int], second: tuple[int, int]) -> WorkbookError:
    one, other = (_text_at(sheet, *cell) for cell in (first, second))
    where = TWICE.fill(sheet="{sheet}", one="{one}", other="{other}", first=_address(*first), second=_address(*second))
    return _refused(where, sheet, one=one, other=other)


def _refused(sentence: Message, sheet: RawSheet, **words: str) -> WorkbookError:
    """The error that refuses a sheet. What is logged has neither its name nor its text, which may name a person."""
    some = Message(sentence.th.replace("แผ่นงาน {sheet}", "แผ่นงานหนึ่ง"), sentence.en.replace("Sheet {sheet}", "A sheet"))
    return WorkbookError(sentence.fill(sheet=sheet.name, **words), some.fill(**dict.fromkeys(words, "…")))


def _text_at(sheet: RawSheet, row: int, place: int) -> str:
    return " ".join(cleaned(str(sheet.rows[row][place])).split())


def _address(row: int, place: int) -> str:
    return f"{get_column_letter(place + 1)}{row + 1}"


def _kind(sheet: RawSheet, columns: Mapping[str, int]) -> SheetName | None:
    """The kind of sheet, by whether its columns are of lab results or of doses."""
    labs = {"lab_code", "result"} & columns.keys()
    doses = {c.name for c in layouts()["epi"].columns if c.table == "vaccinations"} & columns.keys()
    if "lab_code" in labs and "vaccine_code" in doses:
        raise _refused(BOTH, sheet)
    if labs and "vaccine_code" not in doses:
        return "dmht"
    if not doses:
        return None
    # The columns of epi include those of dt; a sheet of either kind may have doses of both.
    return "dt" if _DT.search(sheet.name) and not {"gravida", "ga_week"} & columns.keys() else "epi"


def _refuse_missing(sheet: RawSheet, block: range, layout: SheetName, columns: Mapping[str, int]) -> None:
    missing = [column for column in layouts()[layout].columns if column.needed and column.name not in columns]
    if any(column.name in ("fname", "lname") for column in missing):
        _refuse_full_names(sheet, block)
    if missing:
        th, en = (", ".join(getattr(column.heading, language) for column in missing) for language in ("th", "en"))
        sentence, others = Message(MISSING.th.replace("{columns}", th), MISSING.en.replace("{columns}", en)), ""
        names = {column.name for column in missing}
        if beside := [
            (row, place) for row in block for name, place in _beside(sheet.rows[row]).items() if name in names
        ]:
            others = ", ".join(f"“{_text_at(sheet, *cell)}” ({_address(*cell)})" for cell in beside)
            sentence = Message(sentence.th + BESIDE.th, sentence.en + BESIDE.en)
        raise _refused(sentence, sheet, others=others)


def _beside(row: Sequence[CellValue]) -> dict[str, int]:
    """The columns that a row's headings would name, were it not for the words behind them."""
    return {
        name: place
        for place, cell in enumerate(row)
        if isinstance(cell, str) and heading_of(cell) is None and (name := _without_words_behind(cell))
    }


def _refuse_full_names(sheet: RawSheet, block: range) -> None:
    for row in block:
        place = columns_in(sheet.rows[row]).get(full_name_column().name)
        if place is not None:
            heading, address = _text_at(sheet, row, place), _address(row, place)
            where = FULL_NAME.fill(sheet="{sheet}", heading="{heading}", address=address)
            raise _refused(where, sheet, heading=heading)


def _surplus(row: Sequence[CellValue], known: set[int]) -> tuple[str, ...]:
    texts = (cleaned(str(cell)) for place, cell in enumerate(row) if cell is not None and place not in known)
    return tuple(text for text in texts if text)

"""Parses a cell by the type of its column. Nothing is guessed: an ambiguous cell is a fault."""

import difflib
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

from extract.contract import TIMELESS
from extract.text import cleaned as plain_text
from extract.text import is_ditto, is_no_value
from extract.workbook.dates import has_two_orders, read_date, read_time
from extract.workbook.faults import Unusable, unusable
from extract.workbook.layout import Choice, Choices, Column, ColumnType
from extract.workbook.rows import Broken, CellValue, Value

Moment = date | datetime | time | timedelta
Filled = str | float | Moment
"""A cell with a value; text is cleaned, not empty, and no word for no value."""

LONGEST_CODE = 32
"""The length of visit and hospital numbers in the audit."""
LONGEST_TEXT = 100
"""The longest name, title, occupation or manufacturer."""
THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_DASHES = "-‐‑‒–—―−"
_DASHED = re.compile(f"[{_DASHES} ]+")
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.I)
_SHORTENED_CODE = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.I)
_ICD10 = re.compile(r"[A-Z]\d[0-9A-Z]{1,5}")
_CID = re.compile(r"[1-9]\d{12}")
# An identity number after 3.10012E+12 was saved and opened again. One in ten still has a right check digit.
_ROUNDED = re.compile(r"[1-9]\d{6}0{6}")
# No laboratory reports more than six decimals.
_CALCULATED = re.compile(r"(\d{1,6}[.,]\d{7,20})\s*\S{0,10}", re.ASCII)
_NAME_LENGTH = 80
_CLOSE = 0.75
_OFFERED = 4


def parse(value: CellValue, column: Column, choices: Choices) -> Value | Unusable | None:
    """Parse a cell.

    Args:
        value: As in the file.
        column: Its column.
        choices: All drop-downs.

    Returns:
        Its value; None if it is empty; or why it cannot be used. Never raises.
    """
    if isinstance(value, bool):
        return str(int(value)) if column.choices == "yes_no" else unusable("cell.true_false")
    if isinstance(value, Broken):
        return unusable(f"cell.{value.why}")
    if isinstance(value, str):
        value = cleaned(value)
    listed = choices[column.choices] if column.choices else ()
    if value is None or value == "":
        return None
    # A list may have a choice for it: the marital status that is not known.
    if (
        isinstance(value, str)
        and is_no_value(value, column.column)
        and not any(value in (c.label, *c.also) for c in listed)
    ):
        return None
    if isinstance(value, str) and (unseen := next((letter for letter in value if not letter.isprintable()), "")):
        return unusable("cell.unseen", code=f"U+{ord(unseen):04X}")
    if isinstance(value, int):  # the type checker accepts int as float
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return unusable("cell.error")
    if column.type == "date":
        return read_date(_digits(value), timeless=column.column in TIMELESS)
    return _READERS[column.type](value, listed)


def may_have_month_first(value: CellValue) -> bool:
    """Whether a cell is a date in figures that is a different day if the month comes first."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and has_two_orders(_plain_digits(cleaned(value)))


def cleaned(text: str) -> str:
    """Text without invisible characters, surrounding blanks and a leading apostrophe."""
    return plain_text(text).removeprefix("'").strip()


def repeats_above(value: CellValue) -> bool:
    """Whether a cell is a ditto mark: it says what the cell above it says."""
    return isinstance(value, str) and _is_ditto(value)


@lru_cache(maxsize=4096)
def _is_ditto(text: str) -> bool:
    # Before an apostrophe is taken off too: two of them are a ditto mark.
    return is_ditto(plain_text(text)) or is_ditto(cleaned(text))


def plain(number: float) -> str:
    """A number as plain decimal text, with the 15 digits that a spreadsheet program keeps: 7.0 is 7."""
    return format(Decimal(f"{number:.15g}"), "f")


def spelling(text: str) -> str:
    """A name reduced for comparison: lower-case letters with their marks, and digits."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(THAI_DIGITS)
    return "".join(letter for letter in folded if letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc"))


def _digits(value: Filled) -> Filled:
    return _plain_digits(value) if isinstance(value, str) else value


def _plain_digits(text: str) -> str:
    return " ".join(text.translate(THAI_DIGITS).split())


def _time(value: Filled, _choices: tuple[Choice, ...]) -> Value | Unusable | None:
    return read_time(_digits(value))


def _cid(value: Filled, _choices: tuple[Choice, ...]) -> Value | Unusable | None:
    if isinstance(value, float):
        digits = plain(value)
        return digits if _CID.fullmatch(digits) and not _ROUNDED.fullmatch(digits) else unusable("cell.cid_mangled")
    if isinstance(value, str):
        digits = _DASHED.sub("", value.translate(THAI_DIGITS))
        if _SHORTENED.fullmatch(value) or _ROUNDED.fullmatch(digits):
            return unusable("cell.cid_mangled")
        # A wrong length is reported by the rules about the person.
        return digits or None
    return unusable("cell.turned_into_date")


def _code(value: Filled, _choices: tuple[Choice, ...]) -> Value | Unusable | None:
    if isinstance(value, float):
        return unusable("cell.code_number")
    if not isinstance(value, str):
        return unusable("cell.turned_into_date")
    if len(value) > LONGEST_CODE:
        return unusable("cell.code_long", most=LONGEST_CODE)
    return unusable("cell.code_mangled") if _SHORTENED_CODE.fullmatch(value) else value.translate(THAI_DIGITS)


def _result(value: Filled, _choices: tuple[Choice, ...]) -> Value | Unusable | None:
    if isinstance(value, float):
        return plain(value)
    return value if isinstance(value, str) else unusable("cell.turned_into_date")


def _lab_result(value: Filled, choices: tuple[Choice, ...]) -> Value | Unusable | None:
    text = _result(value, choices)
    calculated = isinstance(text, str) and _CALCULATED.fullmatch(text)
    return unusable("cell.result_calculated", shown=calculated[1]) if calculated else text


def _text(value: Filled, choices: tuple[Choice, ...]) -> Value | Unusable | None:
    text = _result(value, choices)
    return unusable("cell.text_long", most=LONGEST_TEXT) if isinstance(text, str) and len(text) > LONGEST_TEXT else text


def _choice(value: Filled, choices: tuple[Choice, ...]) -> Value | Unusable | None:
    text = _result(value, choices)
    if not isinstance(text, str):
        return text
    found = _matching_codes(text, choices)
    if len(found) == 1:
        return found[0]
    if found:
        return unusable("cell.choice_ambiguous", matches=" / ".join(_label(code, choices) for code in found))
    if close := _similar_codes(text, choices):
        more = [] if len(close) <= _OFFERED else ["…"]
        labels = [_label(code, choices) for code in close[:_OFFERED]]
        return unusable("cell.choice_close", matches=" / ".join(labels + more))
    return unusable("cell.choice_unknown", offered=", ".join(choice.label for choice in choices[:_OFFERED]))


def _suggest(value: Filled, choices: tuple[Choice, ...]) -> Value | Unusable | None:
    text = _text(value, choices)
    if not isinstance(text, str):
        return text
    found = _matching_codes(text, choices)
    return found[0] if len(found) == 1 else text


def _count(value: Filled, _choices: tuple[Choice, ...]) -> Value | Unusable | None:
    text = _digits(plain(value) if isinstance(value, float) else value)
    return str(int(text)) if isinstance(text, str) and re.fullmatch(r"\d{1,2}", text) else unusable("cell.count")


def _icd10(value: Filled, _choices: tuple[Choice, ...]) -> Value | Unusable | None:
    if not isinstance(value, str):
        return unusable("cell.icd10" if isinstance(value, float) else "cell.turned_into_date")
    codes = [code.replace(".", "").upper() for code in re.split(r"[,;\s]+", value) if code]
    return ", ".join(dict.fromkeys(codes)) if all(map(_ICD10.fullmatch, codes)) else unusable("cell.icd10")


_READERS: Mapping[ColumnType, Callable[[Filled, tuple[Choice, ...]], Value | Unusable | None]] = {
    "code": _code,
    "text": _text,
    "cid": _cid,
    "time": _time,
    "choice": _choice,
    "suggest": _suggest,
    "icd10": _icd10,
    "result": _lab_result,
    "count": _count,
}


def _matching_codes(text: str, choices: tuple[Choice, ...]) -> tuple[str, ...]:
    """The codes that a text matches: as the code, as one of its names, or as a number without its leading zeros."""
    code = text.translate(THAI_DIGITS).upper()
    if any(choice.value == code for choice in choices):
        return (code,)
    spelt = spelling(text)
    found = _spellings(choices).get(spelt, ())
    if found or not re.fullmatch("[0-9]{1,9}", spelt):
        return found
    return tuple(
        choice.value for choice in choices if re.fullmatch("[0-9]+", choice.value) and int(choice.value) == int(spelt)
    )


def _similar_codes(text: str, choices: tuple[Choice, ...]) -> list[str]:
    """The codes with a name that begins with the text; if there are none, those with a similar name; in the list's order."""
    if len(text) > _NAME_LENGTH:  # cells can have text of any length
        return []
    spelt = spelling(text)
    pairs = _pairs(spelt)
    close = [name for name in _names(choices) if pairs and name.startswith(spelt)]
    if not close:
        near = [name for name, known in _names_with_pairs(choices) if len(pairs & known) * 3 >= len(known)]
        close = difflib.get_close_matches(spelt, near, _OFFERED, _CLOSE)
    codes = {code for spelt in close for code in _spellings(choices)[spelt]}
    return [choice.value for choice in choices if choice.value in codes]


@lru_cache(maxsize=64)
def _spellings(choices: tuple[Choice, ...]) -> Mapping[str, tuple[str, ...]]:
    """The codes of each spelling; a name may be written before or after its code."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for choice in choices:
        names, code = _names((choice,)), spelling(choice.value)
        for spelt in (code, *names, *(name + code for name in names), *(code + name for name in names)):
            found[spelt][choice.value] = None
    return {spelt: tuple(codes) for spelt, codes in found.items()}


@lru_cache
def _names(choices: tuple[Choice, ...]) -> tuple[str, ...]:
    names = (spelling(name) for choice in choices for name in (choice.label, *choice.also))
    return tuple(dict.fromkeys(name for name in names if name))


@lru_cache
def _names_with_pairs(choices: tuple[Choice, ...]) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((name, _pairs(name)) for name in _names(choices))


def _pairs(text: str) -> frozenset[str]:
    """Its pairs of neighbouring letters. Names that share few pairs are skipped, as the exact comparison is slow."""
    return frozenset(text[place : place + 2] for place in range(len(text) - 1))


def _label(code: str, choices: tuple[Choice, ...]) -> str:
    label = next(choice.label for choice in choices if choice.value == code)
    return label if code in label else f"{label} ({code})"

"""Converts what the database drivers return into the contract's types: text, days, times of day and flags.

This is not done in SQL because every server formats differently. A zero date is None or "0000-00-00" from MariaDB,
1899-12-30 from PostgreSQL, and text from SQLite.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd

from core.clock import BANGKOK
from extract.contract import DTYPES, TIMELESS, ZERO_DAY, Kind
from extract.instants import ZONE, bangkok_day, zone_of
from extract.text import cleaned, is_no_value

_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_INSTANT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)? ?" + ZONE + r"\Z", re.IGNORECASE
)
_TIME = re.compile(r"(?:\d{4}-\d{1,2}-\d{1,2}[ T])?(\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?)?\Z")
_SECONDS_A_DAY = 86_400
_ANY_DAY = date(2000, 1, 1)
LONGEST = 10_000
"""Characters of the longest text that can be a value, such as a laboratory's remark; a file or a dump is longer."""
LOCAL = "local_"
"""What the names of columns of local codes begin with."""
LABELS = frozenset({"lab_name", "vaccine_name", "marriage_name", "nation_name", "scheme_name"})
"""The columns of what local codes are called; "not known" is the name of a code."""
_SHOWN = 200


def as_code(value: object) -> str | None:
    """Stripped text without invisible characters; None if empty or blank. What is longer than `LONGEST` is cut and unreadable.

    Whole numbers lose their ".0", as codes may be in number columns. Control characters stay: they are the sign of a wrong
    character set (`core.mojibake`).
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    elif isinstance(value, float | Decimal):
        if not Decimal(value).is_finite():
            return None
        value = int(value) if value == int(value) else value
    text = cleaned(str(value).replace("\x00", ""))
    # Cut, it reads as mojibake does: its record is reported, not claimed.
    if len(text) > LONGEST:
        text = text[:_SHOWN] + "\ufffd"
    return text or None


def as_text(value: object, column: str = "") -> str | None:
    """As `as_code`, but None for words that say that there is no value: "NULL", "-", "ไม่ทราบ"; `column` as in `is_no_value`."""
    text = as_code(value)
    return None if text is None or is_no_value(text, column) else text


def as_day(value: object, *, timeless: bool = False) -> date | None:
    """The calendar day as stored, in Buddhist years too; None for empty values, zero dates and other text.

    Args:
        value: Of any type that a driver returns. What names a zone is the day of that instant in Bangkok.
        timeless: Whether it is a day of the calendar, such as a birth (`extract.contract.TIMELESS`).
    """
    moment = value if isinstance(value, date) else _instant(text := as_text(value) or "")
    if isinstance(moment, datetime):
        day = moment.date() if moment.tzinfo is None else bangkok_day(moment, timeless=timeless)
    elif moment is not None:
        day = moment
    else:
        found = _DAY.match(text)
        if not found or _INSTANT.fullmatch(text):
            return None
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            return None
    return day if day is not None and day > ZERO_DAY else None


def as_clock(value: object) -> str | None:
    """The time of day as "HH:MM", seconds dropped; None for empty values and what is not a time of day.

    What names a zone is that instant's time in Bangkok.
    """
    if isinstance(value, timedelta):  # MySQL's TIME is a duration
        seconds = value.total_seconds()
        return f"{int(seconds // 3600):02}:{int(seconds // 60 % 60):02}" if 0 <= seconds < _SECONDS_A_DAY else None
    if isinstance(value, datetime | time):
        moment: datetime | time | None = value
    else:
        moment = _instant(text := as_text(value) or "")
    if moment is not None:
        if moment.tzinfo is not None:
            moment = datetime.combine(_ANY_DAY, moment if isinstance(moment, time) else moment.timetz())
            moment = moment.astimezone(BANGKOK)
        return f"{moment.hour:02}:{moment.minute:02}"
    found = _TIME.match(text)
    if not found:
        return None
    hour, minute = map(int, found.groups())
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def _instant(text: str) -> datetime | None:
    """The instant that a text with a zone says; None if it says none."""
    found = _INSTANT.fullmatch(text)
    if not found or (zone := zone_of(found["zone"])) is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def as_flag(value: object) -> bool:
    """True for 1, "1", "Y" and True."""
    return str(as_text(value) or "").upper() in {"1", "Y", "TRUE"}


_READERS: dict[Kind, Callable[[object], object]] = {
    "text": as_text,
    "date": as_day,
    "time": as_clock,
    "flag": as_flag,
}


def column(values: Sequence[object], kind: Kind, name: str = "") -> pd.Series:
    """One column of a contract table from what the driver returned.

    Args:
        values: One value per row, of any type a driver returns.
        kind: Its kind in the contract.
        name: Its name in the contract, where it has one.

    Returns:
        A series of the contract's dtype for that kind.
    """
    reader = _READERS[kind]
    if name in TIMELESS:
        reader = partial(as_day, timeless=True)
    elif name.startswith(LOCAL) or name in LABELS:  # of a site's code map, in which any word may stand
        reader = as_code
    elif kind == "text":
        reader = partial(as_text, column=name)
    read = [reader(value) for value in values]
    if kind == "date":
        return pd.Series(np.array(read, dtype="datetime64[D]").astype("datetime64[us]"))
    return pd.Series(read, dtype=DTYPES[kind])  # type: ignore[call-overload,no-any-return]

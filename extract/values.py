"""Converts what the database drivers return into the contract's types: text, days, times of day and flags.

This is not done in SQL because every server formats differently. A zero date is None or "0000-00-00" from MariaDB,
1899-12-30 from PostgreSQL, and text from SQLite.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from core.text import INVISIBLE
from extract.contract import DTYPES, ZERO_DAY, Kind

_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_TIME = re.compile(r"(?:\d{4}-\d{1,2}-\d{1,2}[ T])?(\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?)?\Z")
_SECONDS_A_DAY = 86_400
LONGEST = 10_000
"""Characters of the longest text that can be a value, such as a laboratory's remark; a file or a dump is longer."""
_SHOWN = 200


def as_text(value: object) -> str | None:
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
    text = str(value).replace("\x00", "")
    text = (text if text.isprintable() else INVISIBLE.sub("", text)).strip()
    # Cut, it reads as mojibake does: its record is reported, not claimed.
    if len(text) > LONGEST:
        text = text[:_SHOWN] + "\ufffd"
    return text or None


def as_day(value: object) -> date | None:
    """The calendar day as stored, in Buddhist years too; None for empty values, zero dates and other text."""
    if isinstance(value, datetime):
        day = value.date()
    elif isinstance(value, date):
        day = value
    else:
        found = _DAY.match(as_text(value) or "")
        if not found:
            return None
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            return None
    return day if day > ZERO_DAY else None


def as_clock(value: object) -> str | None:
    """The time of day as "HH:MM", seconds dropped; None for empty values and what is not a time of day."""
    if isinstance(value, datetime | time):
        return f"{value.hour:02}:{value.minute:02}"
    if isinstance(value, timedelta):  # MySQL's TIME is a duration
        seconds = value.total_seconds()
        return f"{int(seconds // 3600):02}:{int(seconds // 60 % 60):02}" if 0 <= seconds < _SECONDS_A_DAY else None
    found = _TIME.match(as_text(value) or "")
    if not found:
        return None
    hour, minute = map(int, found.groups())
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def as_flag(value: object) -> bool:
    """True for 1, "1", "Y" and True."""
    return str(as_text(value) or "").upper() in {"1", "Y", "TRUE"}


_READERS: dict[Kind, Callable[[object], object]] = {
    "text": as_text,
    "date": as_day,
    "time": as_clock,
    "flag": as_flag,
}


def column(values: Sequence[object], kind: Kind) -> pd.Series:
    """One column of a contract table from what the driver returned.

    Args:
        values: One value per row, of any type a driver returns.
        kind: Its kind in the contract.

    Returns:
        A series of the contract's dtype for that kind.
    """
    read = [_READERS[kind](value) for value in values]
    if kind == "date":
        return pd.Series(np.array(read, dtype="datetime64[D]").astype("datetime64[us]"))
    return pd.Series(read, dtype=DTYPES[kind])  # type: ignore[call-overload,no-any-return]

"""Text as hospitals store it: whether it is blank or unreadable, and how it is shown."""

import re
from typing import Any

import pandas as pd

from core.mojibake import MOJIBAKE
from transform.dates import date_text

SHOWN_LENGTH = 200


def is_unreadable(text: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each text is mojibake; False for missing text."""
    return text.str.contains(MOJIBAKE, regex=True).fillna(False).astype(bool)


def is_blank(text: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each text is missing or has neither letter nor digit, such as a dash."""
    return ~text.str.contains(r"[^\W_]", regex=True).fillna(False).astype(bool)


def shown(value: Any, length: int = SHOWN_LENGTH) -> str:
    """A value for a message: dates as text, long text cut, runs of nine or more digits hidden."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, pd.Timestamp):
        return date_text(value)
    text = re.sub(r"[0-9](?:[-\s]?[0-9]){8,}", "…", str(value))
    return text if len(text) <= length else text[: length - 1] + "…"

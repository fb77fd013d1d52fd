"""Text as hospitals store it: what is blank, what is unreadable, what may be shown."""

import re
from typing import Any

import pandas as pd

from transform.dates import date_text

UNREADABLE = re.compile(
    # UTF-8 read as TIS-620: each Thai letter (E0 B8 xx, E0 B9 xx) has become เธ or เน and a third character, which the
    # server may have replaced or dropped. เน is then followed by a byte below A0, which no Thai letter has.
    r"(?:เธ[ก-ฟ\x80-\xa0€…‘’“”•–—?\ufffd]|เน[\x80-\x9b€…‘’“”•–—?\ufffd]){2}"
    r"|(?:เธ[ก-ฟ\x80-\xa0€…‘’“”•–—?\ufffd]?|เน[\x80-\x9b€…‘’“”•–—?\ufffd]?){3}"
    # UTF-8 read as Latin-1 or Windows-1252, TIS-620 read as Latin-1.
    r"|à[¸¹]|[\u00a1-\u00fb]{3}"
    # What a conversion has lost, and control characters.
    r"|\ufffd|\?{2}|[\x00-\x1f\x7f-\x9f]"
)
"""Finds text that a wrong character set has spoilt."""

SHOWN_LENGTH = 200


def is_unreadable(text: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each text was spoilt by a wrong character set; missing text is not."""
    return text.str.contains(UNREADABLE, regex=True).fillna(False).astype(bool)


def is_blank(text: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each text is missing or holds neither letter nor digit, such as a dash."""
    return ~text.str.contains(r"[^\W_]", regex=True).fillna(False).astype(bool)


def shown(value: Any, length: int = SHOWN_LENGTH) -> str:
    """A value as it may stand in a message: dates as text, long text cut, runs of nine or more digits hidden."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, pd.Timestamp):
        return date_text(value)
    text = re.sub(r"[0-9](?:[-\s]?[0-9]){8,}", "…", str(value))
    return text if len(text) <= length else text[: length - 1] + "…"

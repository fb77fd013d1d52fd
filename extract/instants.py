"""The day in Bangkok of an instant, which is a day, a time of day and a zone: 2026-11-19T17:00:00Z is 20 November there."""

import re
from datetime import date, datetime, time, timedelta, timezone

from core.clock import BANGKOK

ZONE = r"(?P<zone>Z|ICT|(?:UTC|GMT)(?:[-+]\d{1,2}(?::?\d{2})?)?|[-+]\d{2}(?::?\d{2})?)"
"""Zones that are understood, as a pattern for text in any case."""
_OFFSET = re.compile(r"(?P<sign>[-+])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?\Z")
_DAY_HOURS = 24


def zone_of(name: str) -> timezone | None:
    """The zone that a text matching `ZONE` names; None if there is none so far from Greenwich."""
    if name.upper() == "ICT":
        return timezone(timedelta(hours=7))
    found = _OFFSET.search(name)
    if found is None:
        return timezone(timedelta())
    hours, minutes = int(found["hours"]), int(found["minutes"] or 0)
    if hours >= _DAY_HOURS or minutes >= 60:
        return None
    return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if found["sign"] == "-" else 1))


def bangkok_day(moment: datetime, *, timeless: bool) -> date | None:
    """The day of an aware instant in Bangkok; None if it cannot be told.

    Args:
        moment: The instant.
        timeless: Whether it stands for a day without a time, such as a birth. That is midnight in Bangkok, or any time of
            a day that is the same there; of another instant nobody knows which of two days is meant.
    """
    try:
        there = moment.astimezone(BANGKOK)
    except OverflowError:
        return None
    return None if timeless and there.date() != moment.date() and there.time() != time() else there.date()

"""Bangkok time. Inside the program times are aware; local text is made only where data enters or leaves it."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BANGKOK = ZoneInfo("Asia/Bangkok")


def now() -> datetime:
    """The current time in Bangkok."""
    return datetime.now(BANGKOK)


def today() -> date:
    """The calendar day in Bangkok, whatever time zone the computer is set to."""
    return now().date()

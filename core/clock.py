"""Bangkok time: aware inside, local text only at the edges."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BANGKOK = ZoneInfo("Asia/Bangkok")


def now() -> datetime:
    """This instant, in Bangkok time."""
    return datetime.now(BANGKOK)


def today() -> date:
    """The calendar day in Bangkok, whatever the computer's own zone."""
    return now().date()

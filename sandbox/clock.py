"""Bangkok time, read by the sandbox for itself."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BANGKOK = ZoneInfo("Asia/Bangkok")


def now() -> datetime:
    """This instant, in Bangkok time."""
    return datetime.now(BANGKOK)


def months_later(day: date, months: int) -> date:
    """The same day of the month so many months later, or the last day of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        if last <= day.day:
            try:
                return date(year, month + 1, last)
            except ValueError:
                continue
    raise AssertionError("every month has a 28th")


def fiscal_year(day: date) -> int:
    """The Thai fiscal year (CE) of a day: 1 October to 30 September."""
    return day.year + (day.month >= 10)

"""Bangkok time and the Thai fiscal year; the sandbox's own, as it imports nothing of the program."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

BANGKOK = ZoneInfo("Asia/Bangkok")


def now() -> datetime:
    """The current time in Bangkok."""
    return datetime.now(BANGKOK)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day if it is shorter."""
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

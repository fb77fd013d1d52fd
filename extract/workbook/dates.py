"""Parses dates and times of day as people and spreadsheet programs write them. An ambiguous date is a fault."""

import re
from datetime import date, datetime, time, timedelta

from core.calendar import BUDDHIST_YEARS
from extract.contract import ZERO_DAY
from extract.instants import ZONE, bangkok_day, zone_of
from extract.workbook.faults import Unusable, unusable

CE_YEARS = range(ZERO_DAY.year, 2200)
BUDDHIST = range(CE_YEARS.start + BUDDHIST_YEARS, CE_YEARS.stop + BUDDHIST_YEARS)
"""Years in this range are Buddhist."""
THAI_CENTURY = 2500
"""Two digits after a Thai month's name are a year of this Buddhist century …"""
LEAST_TWO_DIGITS = 40
"""… if they are at least this number: lower ones may be a CE year, of a birth or a future expiry."""
_LENGTH = 60
_THAI = (
    "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
    "มค กพ มีค เมย พค มิย กค สค กย ตค พย ธค",
)
_ENGLISH = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
)
_THAI_MONTHS = {name: number for names in _THAI for number, name in enumerate(names.split(), start=1)}
_ENGLISH_MONTHS = {name: number for names in _ENGLISH for number, name in enumerate(names.split(), start=1)} | {
    "sept": 9
}
_MONTHS = _THAI_MONTHS | _ENGLISH_MONTHS

_DAY_FIRST = re.compile(r"(?P<day>\d{1,2}) ?([-/.]) ?(?P<month>\d{1,2}) ?\2 ?(?P<year>\d+)")
_YEAR_FIRST = re.compile(r"(?P<year>\d{4}) ?([-/.]) ?(?P<month>\d{1,2}) ?\2 ?(?P<day>\d{1,2})")
_NAMED = re.compile(
    r"(?:วัน[^\d\s]*ที่ ?|[a-z]+, ?)?(?P<day>\d{1,2}) ?[-/.]? ?(?P<name>[a-zก-์. ]+?) ?[-/,]? ?(?P<year>\d+)", re.I
)
_NAME_FIRST = re.compile(r"(?:[a-z]+, ?)?(?P<name>[a-z]+)\.? ?(?P<day>\d{1,2})(?:, ?| )(?P<year>\d+)", re.I)
_ERA = re.compile(r"(?P<era>[พค])\.? ?ศ\.? ?(?=\d+\Z)")
_TIME_BEHIND = re.compile(
    r"(?<=\d)(?:T| ?, ?| )(?:เวลา ?)?\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:\.\d+)?)? ?(?:น\.?|[ap]m)?\Z", re.I
)
_ZONED_TIME_BEHIND = re.compile(
    r"(?<=\d)(?:T| ?, ?| )(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)? ?" + ZONE + r"\Z", re.I
)
_TIME = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.]\d{2}(?:\.\d+)?)? ?(?:น\.?|(?P<half>[ap])\.?m\.?)?", re.I)
_SECONDS_A_DAY = 86_400


def read_date(value: str | float | date | time | timedelta, *, timeless: bool = False) -> date | Unusable:
    """Parse a day, CE. A time with a zone behind it makes it the day of that instant in Bangkok.

    Args:
        value: As in the file; text is cleaned and not empty, with ASCII digits and single blanks.
        timeless: Whether it is a day of the calendar, such as a birth (`extract.contract.TIMELESS`).
    """
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        # The numbers 0 and 1 formatted as dates are 30 December 1899 to 1 January 1900.
        return (
            unusable("cell.date_none")
            if value <= ZERO_DAY
            else _day(f"{value.year:04}", value.month, value.day, value.isoformat())
        )
    if isinstance(value, float):
        return unusable("cell.date_number")
    if isinstance(value, time | timedelta):
        return unusable("cell.date_none" if value in (time(), timedelta()) else "cell.date_unreadable")
    if value.isdecimal():
        return unusable("cell.date_number")
    if len(value) > _LENGTH:
        return unusable("cell.date_unreadable")
    zoned = _ZONED_TIME_BEHIND.search(value)
    return _day_of_instant(value, zoned, timeless) if zoned else _written_day(_TIME_BEHIND.sub("", value))


def _day_of_instant(text: str, zoned: re.Match[str], timeless: bool) -> date | Unusable:
    day, zone = _written_day(text[: zoned.start()]), zone_of(zoned["zone"])
    if isinstance(day, Unusable):
        return day
    try:
        clock = time(int(zoned["hour"]), int(zoned["minute"]), int(zoned["second"] or 0), tzinfo=zone)
    except ValueError:
        return unusable("cell.date_unreadable")
    found = bangkok_day(datetime.combine(day, clock), timeless=timeless) if zone else None
    return found or unusable("cell.date_zone", shown=text)


def has_two_orders(text: str) -> bool:
    """Whether a date in figures is a different day if the month comes first; text as in `read_date`."""
    found = _DAY_FIRST.fullmatch(_ERA.sub("", _TIME_BEHIND.sub("", _ZONED_TIME_BEHIND.sub("", text))))
    return found is not None and int(found["day"]) != int(found["month"]) and int(found["day"]) <= 12


def _written_day(text: str) -> date | Unusable:
    era = _ERA.search(text)
    plain = _ERA.sub("", text)
    if (found := _DAY_FIRST.fullmatch(plain)) and int(found["day"]) <= 12 < int(found["month"]) <= 31:
        return unusable("cell.date_month_first", shown=text, month=found["month"])
    if found := found or _YEAR_FIRST.fullmatch(plain):
        return _day(found["year"], int(found["month"]), int(found["day"]), text, era and era["era"])
    found = _NAMED.fullmatch(plain) or _NAME_FIRST.fullmatch(plain)
    name = re.sub("[. ]", "", found["name"]).casefold() if found else ""
    if found is None or name not in _MONTHS:
        return unusable("cell.date_unreadable")
    thai = "พ" if name in _THAI_MONTHS and len(found["year"]) == 2 and int(found["year"]) >= LEAST_TWO_DIGITS else None
    return _day(found["year"], _MONTHS[name], int(found["day"]), text, era["era"] if era else thai)


def _day(year: str, month: int, day: int, shown: str, era: str | None = None) -> date | Unusable:
    """The day of the calendar.

    Args:
        year: As written, of either calendar.
        month: As written.
        day: As written.
        shown: The whole date, for the message.
        era: "พ" if the year is marked as Buddhist, "ค" if as CE.
    """
    if 0 in (month, day) or (year.strip("0") == "" and len(year) != 2):
        return unusable("cell.date_none")
    if len(year) not in (2, 4):
        return unusable("cell.date_year", shown=shown)
    if len(year) == 2 and era != "พ":
        return unusable("cell.date_two_digit_year", shown=shown)
    number = int(year) + (THAI_CENTURY if len(year) == 2 else 0)
    if number in BUDDHIST and era != "ค":
        number -= BUDDHIST_YEARS
    elif number not in CE_YEARS or era == "พ":
        return unusable("cell.date_year", shown=shown)
    try:
        found = date(number, month, day)
    except ValueError:
        return unusable("cell.date_impossible", shown=shown)
    return found if found > ZERO_DAY else unusable("cell.date_none")


def read_time(value: str | float | date | time | timedelta) -> str | Unusable:
    """Parse a time of day as "HH:MM", seconds dropped; arguments as in `read_date`."""
    if isinstance(value, float):
        return unusable("cell.time_number")
    if isinstance(value, datetime):
        # Spreadsheet programs store a day without a time as midnight.
        return unusable("cell.time_unreadable") if value.time() == time() else _clock(value)
    if isinstance(value, time):
        return _clock(value)
    if isinstance(value, timedelta):
        return _of_seconds(value.total_seconds())
    if isinstance(value, date):
        return unusable("cell.time_unreadable")
    return _written_time(value)


def _clock(value: datetime | time) -> str | Unusable:
    return _of_seconds(value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1_000_000)


def _of_seconds(seconds: float) -> str | Unusable:
    if not 0 <= seconds < _SECONDS_A_DAY:
        return unusable("cell.time_unreadable")
    # A time is stored as a fraction of a day: 08:30 may come as 08:29:59.999999.
    whole = min(round(seconds), _SECONDS_A_DAY - 1)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}"


def _written_time(text: str) -> str | Unusable:
    if text.isdecimal():
        return unusable("cell.time_number")
    found = _TIME.fullmatch(text)
    if found is None:
        return unusable("cell.time_unreadable")
    hour, minute = int(found[1]), int(found[2])
    if half := found["half"]:
        if not 1 <= hour <= 12:
            return unusable("cell.time_unreadable")
        hour = hour % 12 + (12 if half in "pP" else 0)
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else unusable("cell.time_unreadable")

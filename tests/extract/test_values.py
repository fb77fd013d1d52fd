"""What drivers return, made one."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.contract import DTYPES, ZERO_DAY
from extract.values import as_clock, as_day, as_flag, as_text, column


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (None, None), ("", None), ("  ", None), ("\x00", None), (" ก ข ", "ก ข"), ("\u00a0x\u00a0", "x"), (0, "0"), (7, "7"),
        (1.0, "1"), (0.5, "0.5"), (float("nan"), None), (Decimal("2.00"), "2"), (Decimal("7.20"), "7.20"), ("0071", "0071"),
        ("สมชาย".encode(), "สมชาย"), (b"\xff", "\ufffd"), (float("inf"), None), (Decimal("NaN"), None),
    ],
)  # fmt: skip
def test_text_is_stripped_and_never_empty(stored: object, text: str | None) -> None:
    assert as_text(stored) == text


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        # What is between the quotation marks was kept: a soft hyphen, a selector, a filler, a no-break space, line ends, ํา.
        ("สม\u00adชาย", "สมชาย"), ("สม\ufe0fชาย", "สมชาย"), ("1\u31642", "12"), ("สม\u00a0ชาย", "สม ชาย"), ("ก\r\n", "ก"), ("ก\tข", "ก ข"),
        ("น\u0e49\u0e4d\u0e32", "น้ำ"), ("น\u0e4d\u0e49\u0e32", "น้ำ"), ("ค\u0e4d\u0e32", "คำ"),
        ("1\ufeff99\u200b0", "1990"), ("สม\u202eชาย\u2066", "สมชาย"),
        ("ก\x07ข\x8d", "ก\x07ข\x8d"),  # a wrong character set, which the rules name
    ],
)  # fmt: skip
def test_what_nobody_sees_is_no_part_of_a_text(stored: str, text: str) -> None:
    assert as_text(stored) == as_text(stored.encode()) == text


@pytest.mark.parametrize(
    "stored",
    [
        "NULL",
        b"null",
        "(null)",
        "\\N",
        "nan",
        "NaN",
        "None",
        "-",
        "–",
        ".",
        "ไม่ทราบ",
        " ไม่มี ",
        "ไม่ระบุ",
        "N/A",
        '"',
        "\u200bNULL",
    ],
)
def test_a_word_for_no_value_is_none_but_a_local_code_of_a_map(stored: str | bytes) -> None:
    assert as_text(stored) is None  # it was the lot, the surname, the licence number
    names = ("lot_number", "provider_name", "local_scheme", "nation_name")
    assert [list(column([stored], "text", name).isna()) for name in names] == [[True], [True], [False], [False]]


def test_no_occupation_is_an_answer() -> None:
    assert list(column(["ไม่มี", "ไม่ทราบ", "-"], "text", "occupa").fillna("")) == ["ไม่มี", "", ""]


@pytest.mark.parametrize(
    ("stored", "day"),
    [
        (None, None), ("", None), ("0000-00-00", None), ("0000-00-00 00:00:00", None), (date(1899, 12, 30), None),
        (date(1900, 1, 1), None), ("1900-01-01", None), (date(1900, 1, 2), date(1900, 1, 2)), ("2569-09-21", date(2569, 9, 21)),
        (datetime(2026, 9, 21, 14, 25, tzinfo=UTC), date(2026, 9, 21)), ("2026-09-21 14:25:10", date(2026, 9, 21)),
        ("2026-9-1", date(2026, 9, 1)), ("2026-02-30", None), ("2026-00-10", None), ("21/09/2569", None), ("20260921", None),
        ("2026-09-211", None), (b"2026-09-21", date(2026, 9, 21)),
    ],
)  # fmt: skip
def test_days_are_read_and_zero_dates_are_none(stored: object, day: date | None) -> None:
    assert as_day(stored) == day


@pytest.mark.parametrize(
    ("stored", "clock"),
    [
        (None, None), ("", None), (time(8, 5, 59), "08:05"), (timedelta(hours=23, minutes=59, seconds=59), "23:59"),
        (timedelta(0), "00:00"), (timedelta(days=1), None), (timedelta(seconds=-1), None), ("8:05", "08:05"),
        ("08:05:59.000000", "08:05"), ("2026-09-21 14:25:10", "14:25"), ("24:00", None), ("12:60", None), ("0800", None),
        ("12:34 PM", None), (datetime(2026, 9, 21, 14, 25, 59), "14:25"), ("2026-09-21", None),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_times_of_day_are_read(stored: object, clock: str | None) -> None:
    assert as_clock(stored) == clock


@pytest.mark.parametrize(
    ("stored", "day", "clock"),
    [
        # The zone was cut off, and the day before read.
        ("2026-11-19T17:00:00.000Z", date(2026, 11, 20), "00:00"), ("2026-11-19 17:00:00+00", date(2026, 11, 20), "00:00"),
        (datetime(2026, 11, 19, 17, 30, tzinfo=UTC), date(2026, 11, 20), "00:30"), (b"2026-11-19T19:05Z", date(2026, 11, 20), "02:05"),
        ("2026-11-20 08:30:00.0000000 +07:00", date(2026, 11, 20), "08:30"), ("2569-11-19T17:00:00Z", date(2569, 11, 20), "00:00"),
        ("2026-11-20T06:00:00+0900", date(2026, 11, 20), "04:00"), ("2026-11-20T01:00:00+09:00", date(2026, 11, 19), "23:00"),
        (time(17, 30, tzinfo=UTC), None, "00:30"), ("2026-11-19T17:00:00+99:00", None, None), ("2026-02-30T17:00:00Z", None, None),
        ("9999-12-31T23:00:00Z", None, "06:00"),
    ],
)  # fmt: skip
def test_an_instant_of_a_zone_is_the_day_and_time_of_bangkok(
    stored: object, day: date | None, clock: str | None
) -> None:
    assert (as_day(stored), as_clock(stored)) == (day, clock)


@pytest.mark.parametrize(
    ("stored", "day"),
    [
        ("2026-08-31T17:00:00.000Z", "2026-09-01"),  # it was 31 August
        ("2026-09-01T00:00:00Z", "2026-09-01"), ("2026-09-01T00:00:00+07:00", "2026-09-01"), ("2026-09-01", "2026-09-01"),
        ("2026-09-01T18:30:00Z", None), ("2026-09-01T00:00:00+09:00", None),  # a day before or after
    ],
)  # fmt: skip
def test_a_birth_or_an_expiry_is_a_day_only_where_it_can_be_told(stored: str, day: str | None) -> None:
    for name in ("dob", "expiration_date"):
        (read,) = column([stored], "date", name)
        assert read is pd.NaT if day is None else read == pd.Timestamp(day)


@pytest.mark.parametrize("stored", [1, "1", True, "y", Decimal(1), 1.0])
def test_flags_that_are_up(stored: object) -> None:
    assert as_flag(stored)


@pytest.mark.parametrize("stored", [0, None, "", "0", False, "N"])
def test_flags_that_are_down(stored: object) -> None:
    assert not as_flag(stored)


@given(st.dates(min_value=ZERO_DAY + timedelta(days=1)))
def test_every_driver_gives_the_same_day(day: date) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert as_day(day) == as_day(day.isoformat()) == as_day(midnight) == as_day(f"{day.isoformat()} 10:00:00") == day


@given(st.times())
def test_every_driver_gives_the_same_time(clock: time) -> None:
    span = timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
    assert as_clock(clock) == as_clock(clock.isoformat()) == as_clock(span) == clock.strftime("%H:%M")


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.decimals(), st.timedeltas()))
def test_no_value_is_too_odd_to_read(stored: object) -> None:
    text = as_text(stored)
    assert text is None or text == text.strip() != ""
    assert isinstance(as_day(stored), date | None)
    clock = as_clock(stored)
    assert clock is None or len(clock) == 5


@pytest.mark.parametrize("kind", ["text", "date", "time", "flag"])
def test_columns_have_the_contracts_types_even_when_empty(kind: str) -> None:
    assert column([], kind).dtype == DTYPES[kind]  # type: ignore[arg-type,index]
    assert column([None], kind).dtype == DTYPES[kind]  # type: ignore[arg-type,index]


def test_far_years_fit_a_date_column() -> None:
    days = column([date(2569, 9, 21), None, "9999-12-31"], "date")
    assert days.dtype == np.dtype("datetime64[us]")
    assert list(days.isna()) == [False, True, False]
    assert days[0] == pd.Timestamp("2569-09-21")

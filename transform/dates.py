"""Arithmetic on days: Buddhist years, ages, months and fiscal years. Days are naive and of the Bangkok calendar."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.calendar import BUDDHIST_YEARS, FIRST_BUDDHIST_YEAR

NO_TIME = "00:00"
"""The time that a HIS often stores where none was entered."""

FISCAL_YEAR_FIRST_MONTH = 10
"""Thailand's fiscal year runs from 1 October to 30 September."""


def is_buddhist(days: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each day is in a Buddhist year; False for a missing day."""
    found: pd.Series[bool] = days.dt.year >= FIRST_BUDDHIST_YEAR
    return found


def gregorian_days(days: "pd.Series[Any]") -> "pd.Series[Any]":
    """Each day in the Gregorian calendar; missing days stay missing."""
    return days.mask(is_buddhist(days), days - pd.DateOffset(years=BUDDHIST_YEARS))


def age_years(born: "pd.Series[Any]", on: "pd.Series[Any]") -> "pd.Series[float]":
    """Completed years from birth to a day; NaN if one is missing.

    A person born on 29 February completes a year on 1 March in years without that day.
    """
    before_birthday = (on.dt.month * 100 + on.dt.day) < (born.dt.month * 100 + born.dt.day)
    years: pd.Series[float] = on.dt.year - born.dt.year - before_birthday.astype(int)
    return years


def nearer_than_months(one: "pd.Series[Any]", other: "pd.Series[Any]", months: int) -> "pd.Series[bool]":
    """Whether two days, in either order, are less than so many calendar months apart.

    If the later month lacks the day, its last day counts: one month after 31 January is 28 February.
    """
    first, second = one.where(one <= other, other), other.where(one <= other, one)
    return first + pd.DateOffset(months=months) > second


def fiscal_year(day: date) -> tuple[date, date]:
    """The first and last day of the fiscal year of a day."""
    start = day.year if day.month >= FISCAL_YEAR_FIRST_MONTH else day.year - 1
    return date(start, FISCAL_YEAR_FIRST_MONTH, 1), date(start + 1, FISCAL_YEAR_FIRST_MONTH - 1, 30)


def buddhist_fiscal_year(day: date) -> int:
    """The number of the fiscal year of a day, as everyone says it: 2569 ends on 30 September 2026."""
    return fiscal_year(day)[1].year + BUDDHIST_YEARS


def day_column(day: date, index: pd.Index) -> "pd.Series[Any]":
    """The same day for every row."""
    return pd.Series(np.datetime64(day, "us"), index=index, dtype="datetime64[us]")


def day_texts(days: "pd.Series[Any]") -> "pd.Series[str]":
    """Each day as YYYY-MM-DD; missing days stay missing."""
    texts: NDArray[Any] = np.datetime_as_string(days.to_numpy(dtype="datetime64[us]"), unit="D")
    return pd.Series(texts.astype(object), index=days.index, dtype="str").where(days.notna())


def date_text(day: pd.Timestamp) -> str:
    """One day as YYYY-MM-DD."""
    return f"{day.year:04d}-{day.month:02d}-{day.day:02d}"

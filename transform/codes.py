"""The code lists, which change by announcement, and what is valid on a service day."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from string import ascii_uppercase, digits
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.errors import ConfigurationError
from core.messages import Message
from transform.claim import KINDS, Kind
from transform.code_lists import KEYS, read_list
from transform.dates import buddhist_fiscal_year

LAB_KINDS: tuple[Kind, ...] = ("dm", "ht")
"""The kinds of claim that are paid by lab test; the others are paid by dose."""


class Lab(NamedTuple):
    """A lab test that can be claimed: its NHSO code, its name in the payload, its units and plausible range."""

    code: str
    name: str
    units: tuple[str, ...]
    low: Decimal
    high: Decimal

    @property
    def range_text(self) -> str:
        """The plausible range with its unit if it has one, for people."""
        return " ".join([f"{self.low}–{self.high}", *self.units[:1]])


@dataclass(frozen=True, eq=False)
class Codes:
    """All lists, as `read_list` returns them."""

    vaccines: pd.DataFrame
    rights: pd.DataFrame
    icd10: pd.DataFrame
    labs: pd.DataFrame
    rates: pd.DataFrame
    limits: pd.DataFrame
    titles: pd.DataFrame
    marital_status: pd.DataFrame
    nationalities: pd.DataFrame

    def on(self, day: date) -> "CodesOn":
        """The lists on one day."""
        return _on(self, day)


@dataclass(frozen=True, eq=False)
class CodesOn:
    """The lists on one service day.

    Args:
        day: The day.
        vaccines: The whole list, as a code must be valid on the day its dose was given.
        titles: The rows valid on the day.
        marital_status: The rows valid on the day.
        nationalities: The rows valid on the day.
        icd10: The rows valid on the day.
        rights: The rights that pay for each kind of claim.
        labs: The lab tests of each kind, in the order of the list.
        rates: Baht by item.
        limits: Limits by name.
    """

    day: date
    vaccines: pd.DataFrame
    titles: pd.DataFrame
    marital_status: pd.DataFrame
    nationalities: pd.DataFrame
    icd10: pd.DataFrame
    rights: dict[Kind, frozenset[str]]
    labs: dict[Kind, tuple[Lab, ...]]
    rates: dict[str, int]
    limits: dict[str, int]

    def limit(self, name: str) -> int:
        """A limit.

        Raises:
            ConfigurationError: The list has none for the day.
        """
        if name not in self.limits:
            raise ConfigurationError(
                Message(
                    "ไฟล์ limits.csv ไม่มีค่า {name} ที่ใช้ได้ในวันที่ {day} กรุณาเพิ่มแถวของค่านี้",
                    "limits.csv has no {name} in force on {day}: add a row for it.",
                ).fill(name=name, day=self.day.isoformat())
            )
        return self.limits[name]

    def without_rate(self, kind: Kind) -> tuple[str, ...]:
        """What is paid for by a kind of claim and has no rate: lab codes, or the kind itself."""
        items = [lab.code for lab in self.labs[kind]] if kind in LAB_KINDS else [kind]
        return tuple(item for item in items if item not in self.rates)

    def prefixes(self, kind: Kind, *, first_time_only: bool = False) -> tuple[str, ...]:
        """The beginnings of the ICD-10 codes of a kind of claim; or only of those that must be newly diagnosed."""
        listed = self.icd10[self.icd10["kind"] == kind]
        return tuple(listed.loc[(listed["first_time"] == "yes") | (not first_time_only), "prefix"])


def three_characters(prefixes: Iterable[str]) -> tuple[str, ...]:
    """All three-character ICD-10 codes that a code with one of the prefixes may have, sorted."""
    found: set[str] = set()
    for prefix in prefixes:
        rest = ("", digits, digits + ascii_uppercase)[len(prefix) :]
        found.update(prefix[:3] + "".join(end) for end in product(*rest))
    return tuple(sorted(found))


@lru_cache(maxsize=32)
def _on(codes: Codes, day: date) -> CodesOn:
    rights, labs = valid_on(codes.rights, day), valid_on(codes.labs, day)
    return CodesOn(
        day=day,
        vaccines=codes.vaccines,
        titles=valid_on(codes.titles, day),
        marital_status=valid_on(codes.marital_status, day),
        nationalities=valid_on(codes.nationalities, day),
        icd10=valid_on(codes.icd10, day),
        rights={kind: frozenset(rights.loc[rights["kind"] == kind, "right"]) for kind in KINDS},
        labs={kind: tuple(map(_lab, labs[labs["kind"] == kind].to_dict("records"))) for kind in KINDS},
        rates=_numbers(codes.rates, "item", "baht", day),
        limits=_numbers(codes.limits, "name", "value", day),
    )


def _lab(row: dict[Hashable, Any]) -> Lab:
    units = tuple(unit for name in ("unit", "also_unit") if isinstance(unit := row[name], str))
    return Lab(row["code"], row["name"], units, Decimal(row["low"]), Decimal(row["high"]))


def _numbers(listed: pd.DataFrame, key: str, number: str, day: date) -> dict[str, int]:
    valid = valid_on(listed, day)
    return dict(zip(valid[key].tolist(), valid[number].astype(int).tolist(), strict=True))


def valid_on(listed: pd.DataFrame, day: date) -> pd.DataFrame:
    """The rows of a list that are valid on a day, both ends included."""
    at = np.datetime64(day, "us")
    started = listed["valid_from"].isna() | (listed["valid_from"] <= at)
    return listed[started & (listed["valid_to"].isna() | (listed["valid_to"] >= at))]


def rate_years(rates: pd.DataFrame) -> str:
    """The fiscal years from the first that a list of rates knows to the last: "2569", "2569–2570", "2569–…" without an end."""
    ends = ((rates["valid_from"], rates["valid_from"].min()), (rates["valid_to"], rates["valid_to"].max()))
    years = ["…" if days.isna().any() else str(buddhist_fiscal_year(end)) for days, end in ends]
    return years[0] if years[0] == years[1] else "–".join(years)


@cache
def read_codes(folder: Path | None = None) -> Codes:
    """All lists; a file in the site's own folder replaces the program's file of the same name.

    Args:
        folder: The site's folder, or None.

    Raises:
        ConfigurationError: The folder is missing, or a list is malformed; names file, row and column.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(
            Message(
                "ไม่พบโฟลเดอร์รายการรหัส {folder} กรุณาแก้การตั้งค่า codes_folder",
                "The folder of code lists {folder} is not there: mend the setting codes_folder.",
            ).fill(folder=folder)
        )
    return Codes(**{name: read_list(name, folder) for name in KEYS})

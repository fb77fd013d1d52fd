"""The lists that change by announcement: CSV files in `codes/`, every row with its validity and its source."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.errors import ConfigurationError
from core.messages import Message
from transform.claim import KINDS, Kind

FOLDER = Path(__file__).parent / "codes"
VALIDITY = ("valid_from", "valid_to", "source")
KEYS: dict[str, tuple[str, ...]] = {
    "vaccines": ("code",),
    "rights": ("kind", "right"),
    "icd10": ("kind", "prefix"),
    "labs": ("code",),
    "rates": ("item",),
    "limits": ("name",),
    "titles": ("title",),
    "marital_status": ("code",),
    "nationalities": ("code",),
}
"""What makes a row of each list one: it may stand there several times, with periods that do not overlap."""

NUMBERS: dict[str, tuple[str, ...]] = {
    "vaccines": ("age_from", "age_to", "ga_from", "ga_to"),
    "labs": ("low", "high"),
    "rates": ("baht",),
    "limits": ("value",),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "vaccines": ("service",),
    "icd10": ("first_time",),
    "labs": ("kind", "name", "low", "high"),
    "rates": ("baht",),
    "limits": ("value",),
    "titles": ("match",),
    "nationalities": ("citizen",),
}
"""Columns that may not be blank, besides the keys."""

CHOICES: dict[str, dict[str, frozenset[str]]] = {
    "vaccines": {"service": frozenset({"epi", "dt"}), "sex": frozenset({"1", "2"})},
    "rights": {"kind": frozenset(KINDS)},
    "icd10": {"kind": frozenset({"dm", "ht"}), "first_time": frozenset({"yes", "no"})},
    "labs": {"kind": frozenset({"dm", "ht"})},
    "titles": {"match": frozenset({"exact", "prefix"})},
    "nationalities": {"citizen": frozenset({"yes", "no"})},
}


class Lab(NamedTuple):
    """A lab result that is claimed: its NHSO code, its name in the payload, its units and plausible range."""

    code: str
    name: str
    units: tuple[str, ...]
    low: Decimal
    high: Decimal

    @property
    def range_text(self) -> str:
        """The plausible range with its unit, for people."""
        return f"{self.low}–{self.high} {self.units[0]}".strip()


@dataclass(frozen=True, eq=False)
class Codes:
    """All lists, each a DataFrame of text with valid_from and valid_to as days (missing is open-ended)."""

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
        """The lists as they stand on a day."""
        return _on(self, day)


@dataclass(frozen=True, eq=False)
class CodesOn:
    """What holds on one service day.

    Args:
        day: The day.
        vaccines: The whole list: a code must be valid on the day its dose was given.
        titles: The rows valid on the day, as of the lists that follow.
        marital_status: As titles.
        nationalities: As titles.
        icd10: As titles.
        rights: The rights that pay for a kind of claim.
        labs: The lab results claimed for a kind, in the order of the list.
        rates: Baht an item.
        limits: By name.
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
        """A limit in force.

        Raises:
            ConfigurationError: The list gives none for that day.
        """
        if name not in self.limits:
            raise ConfigurationError(
                Message(
                    "ไฟล์ limits.csv ไม่มีค่า {name} ที่ใช้ได้ในวันที่ {day} กรุณาเพิ่มแถวของค่านี้",
                    "limits.csv has no {name} in force on {day}: add a row for it.",
                ).fill(name=name, day=self.day.isoformat())
            )
        return self.limits[name]

    def prefixes(self, kind: Kind, *, first_time_only: bool = False) -> tuple[str, ...]:
        """The ICD-10 codes a kind of claim begins with; or only those that must be newly diagnosed."""
        listed = self.icd10[self.icd10["kind"] == kind]
        return tuple(listed.loc[(listed["first_time"] == "yes") | (not first_time_only), "prefix"])


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


@cache
def read_codes(folder: Path | None = None) -> Codes:
    """All lists; a file in the site's own folder replaces the program's file of the same name.

    Args:
        folder: The site's folder, or None.

    Raises:
        ConfigurationError: The folder is not there, or a list is not of the form; names file and column.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(
            Message(
                "ไม่พบโฟลเดอร์รายการรหัส {folder} กรุณาแก้การตั้งค่า codes_folder",
                "The folder of code lists {folder} is not there: mend the setting codes_folder.",
            ).fill(folder=folder)
        )
    return Codes(**{name: _read_list(name, folder) for name in KEYS})


def _read_list(name: str, folder: Path | None) -> pd.DataFrame:
    own = FOLDER / f"{name}.csv"
    path = folder / own.name if folder is not None and (folder / own.name).is_file() else own
    expected = pd.read_csv(own, dtype="str", nrows=0, encoding="utf-8-sig").columns
    try:
        # utf-8-sig: a spreadsheet program puts a byte-order mark in front when a site saves its list.
        listed = pd.read_csv(path, dtype="str", encoding="utf-8-sig", skipinitialspace=True)
    except (OSError, ValueError):
        raise ConfigurationError(
            Message(
                "อ่านไฟล์ {file} ไม่ได้ กรุณาบันทึกใหม่เป็น CSV UTF-8 ตามไฟล์เดิมของโปรแกรม",
                "{file} cannot be read: save it as CSV in UTF-8, after the program's own file.",
            ).fill(file=path)
        ) from None
    surplus_or_missing = sorted(set(listed.columns) ^ set(expected))
    if surplus_or_missing:
        raise _unfit(path, ", ".join(map(str, surplus_or_missing)))
    return _checked(name, path, listed[list(expected)].apply(lambda column: column.str.strip()))


def _checked(name: str, path: Path, listed: pd.DataFrame) -> pd.DataFrame:
    for column in (*KEYS[name], *REQUIRED.get(name, ())):
        if listed[column].isna().any():
            raise _unfit(path, column)
    for column in NUMBERS.get(name, ()):
        number = r"[0-9]+(\.[0-9]+)?" if name == "labs" else "[0-9]+"
        if not listed[column].dropna().str.fullmatch(number).all():
            raise _unfit(path, column)
    for column, choices in CHOICES.get(name, {}).items():
        if not listed[column].dropna().isin(choices).all():
            raise _unfit(path, column)
    for column in ("valid_from", "valid_to"):
        try:
            listed[column] = pd.to_datetime(listed[column], format="%Y-%m-%d").astype("datetime64[us]")
        except ValueError:
            raise _unfit(path, column) from None
    if _overlaps(listed, list(KEYS[name])):
        raise _unfit(path, ", ".join((*KEYS[name], "valid_from", "valid_to")))
    return listed


def _overlaps(listed: pd.DataFrame, key: list[str]) -> bool:
    ordered = listed.sort_values([*key, "valid_from"], na_position="first")
    same_as_before = (ordered[key] == ordered[key].shift()).all(axis=1)
    before_ended = ordered["valid_to"].shift() < ordered["valid_from"]
    return bool((same_as_before & ~before_ended).any())


def _unfit(path: Path, column: str) -> ConfigurationError:
    return ConfigurationError(
        Message(
            "ไฟล์ {file} ไม่ถูกรูปแบบที่คอลัมน์ {column} กรุณาแก้ตามไฟล์เดิมของโปรแกรม "
            "(วันที่เป็น ค.ศ. เช่น 2026-10-01 และช่วงวันของรหัสเดียวกันไม่ซ้อนกัน)",
            "{file} is not of the form at column {column}: mend it after the program's own file "
            "(days such as 2026-10-01, periods of one code do not overlap).",
        ).fill(file=path, column=column)
    )

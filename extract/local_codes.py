"""The local codes a hospital has used, what it says they stand for, and the site's maps of them (CSV, see `site_maps`).

A map is filled in from what the HIS says, and is a person's from then on: a code that a person has put in, or has
changed, stays as it is.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.errors import ConfigurationError
from core.messages import Message
from extract.contract import TableName
from extract.his_file import MapName
from extract.normalise import HisMaps
from extract.site_maps import COLUMNS, as_cell, read_map
from extract.source import Frames

HIS, FOLDER, PERSON = "his", "his.toml", "person"
"""Who has said what a local code stands for: the HIS, the map of its folder, a person; "" for nobody."""

SEVERAL = " | "
"""Stands between the codes where the HIS says several for one local code."""

OWN_COLUMNS = (*COLUMNS, "name", "records", "his_code", "decided_by")
"""The columns of a map, in order; what a person adds stands after them."""

_WHERE: dict[MapName, tuple[TableName, str, str, str]] = {
    "labs": ("labs", "local_code", "lab_code", "lab_name"),
    "vaccines": ("vaccinations", "local_code", "vaccine_code", "vaccine_name"),
    "schemes": ("visits", "local_scheme", "scheme", "scheme_name"),
    "nationalities": ("visits", "local_nation", "nation", "nation_name"),
    "marital_status": ("visits", "local_marriage", "marriage", "marriage_name"),
    "occupations": ("visits", "local_occupa", "occupa", "occupa"),
}
"""Where each map's codes stand: table, local code, code, name."""

NOT_WRITTEN = Message(
    th="เขียนไฟล์ {path} ไม่ได้ ({why}) ปิดไฟล์ที่เปิดอยู่หรือเลือกโฟลเดอร์อื่นด้วย --folder",
    en="The file {path} cannot be written ({why}): close it, or choose another folder with --folder.",
)


@dataclass(frozen=True, slots=True)
class MapCount:
    """One map, as it stands now.

    Args:
        name: Which.
        codes: Local codes in it.
        new: Those that were not in it before.
        unknown: Those that nobody has said anything of, neither a person nor the HIS.
    """

    name: MapName
    codes: int
    new: int
    unknown: int


def local_codes(raw: Frames, normalised: Frames, his_maps: HisMaps) -> pd.DataFrame:
    """The local codes of one day, a row each and what the HIS says of it.

    Args:
        said: The tables as the HIS's statements give them.
        tidied: The same, tidied without any map of the site; rows keep their index.
        of_his: The maps of the HIS's folder.

    Returns:
        Columns map, local_code, his_code, name, by (`HIS`, `FOLDER` or ""), records; "" where nothing is known.
    """
    days = [pd.DataFrame(columns=["map", "local_code", "his_code", "name", "by", "records"])]
    for name, (table, local, code, called) in _WHERE.items():
        rows = normalised[table]
        given = raw[table][code].reindex(rows.index).str.upper() if table in raw else rows[code]
        by_folder = given.isin([own.upper() for own in his_maps.get(name, {})])
        found = pd.DataFrame({"local_code": rows[local], "his_code": rows[code], "name": rows[called]})
        found = found.assign(by=by_folder.map({True: FOLDER, False: HIS}).where(found["his_code"].notna(), ""))
        found = found[found["local_code"].notna()].fillna("")
        days.append(
            found.groupby(list(found.columns), as_index=False).size().assign(map=name, records=lambda f: f["size"])
        )
    return pd.concat(days, ignore_index=True)[list(days[0].columns)]


def update_maps(folder: Path, seen: pd.DataFrame) -> Iterator[MapCount]:
    """Write what was seen into the maps of a folder, a file after the other.

    Args:
        folder: Made where it is not there.
        seen: What `local_codes` gave, of all days.

    Raises:
        ConfigurationError: A file that is there cannot be read, or cannot be written.
    """
    for name in _WHERE:
        path = folder / f"{name}.csv"
        before = read_map(path) if path.is_file() else {}
        rows = _merged(before, _by_local_code(seen[seen["map"] == name]))
        _write(path, rows)
        new = len({row["local_code"] for row in rows} - before.keys())
        yield MapCount(name, len(rows), new, sum(_unknown(row) for row in rows))


def _by_local_code(seen: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What was seen of each local code: the most frequent name, its count, every code the HIS has said for it, and who."""
    rows = {}
    for local, some in seen.groupby("local_code"):
        coded = some[some["his_code"] != ""]
        names = some[some["name"] != ""].groupby("name")["records"].sum()
        codes = coded.groupby("his_code")["records"].sum().sort_values(ascending=False, kind="stable")
        rows[str(local)] = {
            "local_code": str(local),
            "name": str(names.idxmax()) if len(names) else "",
            "records": str(some["records"].sum()),
            "his_code": SEVERAL.join(codes.index),
            "decided_by": str(coded["by"].iloc[0]) if len(coded) else "",
        }
    return rows


def _merged(before: Mapping[str, Mapping[str, str]], seen: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """The rows of a map, those that nobody knows first, the most frequent first."""
    rows = [_row(before.get(local, {}), seen.get(local, {})) for local in dict.fromkeys([*before, *seen])]
    return sorted(rows, key=lambda row: (not _unknown(row), -int(row["records"]), row["local_code"]))


def _row(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """A row as it stood, with what was seen now; what a person has put in, and the person's own columns, stay."""
    row = dict.fromkeys(OWN_COLUMNS, "") | dict(old)
    row |= {name: value for name, value in new.items() if value} | {"records": new.get("records", "0")}
    both = f"{new.get('his_code', '')}{SEVERAL}{old.get('his_code', '')}".split(SEVERAL)
    codes = [code for code in dict.fromkeys(both) if code]
    row["his_code"] = SEVERAL.join(codes)
    if _is_a_persons(old):
        return row | {"code": old["code"], "decided_by": PERSON}
    # What stands for several things at different visits is the HIS's to say: a map would make them one.
    return row | {"code": codes[0] if len(codes) == 1 else ""}


def _unknown(row: Mapping[str, str]) -> bool:
    return not row["code"] and not row["his_code"]


def _is_a_persons(old: Mapping[str, str]) -> bool:
    code = old.get("code", "")
    return bool(code) and (old.get("decided_by") == PERSON or code != old.get("his_code", ""))


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    names = list(dict.fromkeys([*OWN_COLUMNS, *(name for row in rows for name in row)]))
    beside = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8-sig", newline="") as file:  # with a byte-order mark, as Excel wants it
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows({name: as_cell(cell) for name, cell in row.items()} for row in rows)
        beside.replace(path)  # the old file, or the new: never half of one
    except OSError as error:
        raise ConfigurationError(NOT_WRITTEN.fill(path=path, why=error.strerror)) from None

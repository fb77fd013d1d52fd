"""The local codes a hospital uses, their translation by the HIS, and the site's maps of them (CSV, see `site_maps`).

A map is first filled in from the HIS, for a person to see; only what a person decides outranks the HIS. Codes that a
person has entered, changed or confirmed are never overwritten.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.errors import ConfigurationError
from core.messages import Message
from core.text import plain_text
from extract.contract import TableName
from extract.his_file import MapName
from extract.normalise import HisMaps
from extract.site_maps import COLUMNS, FOLDER, HIS, PERSON, as_cell, is_a_persons, read_map
from extract.source import Frames

SEVERAL = " | "
"""Separates the codes if the HIS has several for one local code."""

OWN_COLUMNS = (*COLUMNS, "name", "records", "his_code", "decided_by")
"""The columns of a map, in order; columns that a person adds come after them."""

_WHERE: dict[MapName, tuple[TableName, str, str, str]] = {
    "labs": ("labs", "local_code", "lab_code", "lab_name"),
    "vaccines": ("vaccinations", "local_code", "vaccine_code", "vaccine_name"),
    "schemes": ("visits", "local_scheme", "scheme", "scheme_name"),
    "nationalities": ("visits", "local_nation", "nation", "nation_name"),
    "marital_status": ("visits", "local_marriage", "marriage", "marriage_name"),
    "occupations": ("visits", "local_occupa", "occupa", "occupa"),
}
"""The columns of each map: table, local code, code, name."""

NOT_WRITTEN = Message(
    th="เขียนไฟล์ {path} ไม่ได้ ({why}) ปิดไฟล์ที่เปิดอยู่หรือเลือกโฟลเดอร์อื่นด้วย --folder",
    en="The file {path} cannot be written ({why}): close it, or choose another folder with --folder.",
)


@dataclass(frozen=True, slots=True)
class MapCount:
    """The number of local codes in a map.

    Args:
        name: The map.
        codes: Local codes in it.
        new: Those that were not in it before.
        unknown: Those that neither a person nor the HIS has translated.
    """

    name: MapName
    codes: int
    new: int
    unknown: int


def local_codes(raw: Frames, normalised: Frames, his_maps: HisMaps) -> pd.DataFrame:
    """The local codes of one day, one row per code and translation by the HIS.

    Args:
        raw: The tables as the HIS's statements return them.
        normalised: The same, normalised without the site's maps; rows keep their index.
        his_maps: The maps of the HIS's folder.

    Returns:
        Columns map, local_code, his_code, name, by (`HIS`, `FOLDER` or ""), records; "" for what is unknown.
    """
    days = [pd.DataFrame(columns=["map", "local_code", "his_code", "name", "by", "records"])]
    for name, (table, local, code, label) in _WHERE.items():
        rows = normalised[table]
        given = raw[table][code].reindex(rows.index).str.upper() if table in raw else rows[code]
        by_folder = given.isin([own.upper() for own in his_maps.get(name, {})])
        found = pd.DataFrame({"local_code": rows[local], "his_code": rows[code], "name": rows[label]})
        found = found.assign(by=by_folder.map({True: FOLDER, False: HIS}).where(found["his_code"].notna(), ""))
        found = found[found["local_code"].notna()].fillna("")
        days.append(
            found.groupby(list(found.columns), as_index=False).size().assign(map=name, records=lambda f: f["size"])
        )
    return pd.concat(days, ignore_index=True)[list(days[0].columns)]


def update_maps(folder: Path, seen: pd.DataFrame) -> Iterator[MapCount]:
    """Update the maps in a folder, one file after the other.

    Args:
        folder: Created if missing.
        seen: What `local_codes` returned, of all days.

    Raises:
        ConfigurationError: A file cannot be read or written.
    """
    for name in _WHERE:
        path = folder / f"{name}.csv"
        before = read_map(path) if path.is_file() else {}
        rows = _merged(before, _by_local_code(seen[seen["map"] == name]))
        _write(path, rows)
        new = len({row["local_code"] for row in rows} - before.keys())
        yield MapCount(name, len(rows), new, sum(_unknown(row) for row in rows))


def _by_local_code(seen: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Each local code with its most frequent name, number of records, the HIS's codes for it, and who translated it."""
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
    """The rows of a map, unknown codes first, then by frequency."""
    rows = [_row(before.get(local, {}), seen.get(local, {})) for local in dict.fromkeys([*before, *seen])]
    return sorted(rows, key=lambda row: (not _unknown(row), -int(row["records"]), row["local_code"]))


def _row(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """An old row updated with new counts and codes; what a person has entered stays, also in columns of their own."""
    row = dict.fromkeys(OWN_COLUMNS, "") | dict(old)
    row |= {name: value for name, value in new.items() if value} | {"records": new.get("records", "0")}
    both = f"{new.get('his_code', '')}{SEVERAL}{old.get('his_code', '')}".split(SEVERAL)
    codes = [code for code in dict.fromkeys(both) if code]
    row["his_code"] = SEVERAL.join(codes)
    if is_a_persons(old):
        return row | {"code": old["code"], "decided_by": PERSON}
    # Where the HIS uses one local code for several things, none of them is its code.
    return row | {"code": codes[0] if len(codes) == 1 else ""}


def _unknown(row: Mapping[str, str]) -> bool:
    return not row["code"] and not row["his_code"]


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    names = list(dict.fromkeys([*OWN_COLUMNS, *(name for row in rows for name in row)]))
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:  # Excel needs the byte-order mark
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows({name: as_cell(plain_text(cell)) for name, cell in row.items()} for row in rows)
        temporary.replace(path)  # atomic: never half a file
    except OSError as error:
        raise ConfigurationError(NOT_WRITTEN.fill(path=path, why=error.strerror)) from None

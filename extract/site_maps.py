"""The site's own maps from its local codes to the codes of claims; reviewed by a person, they override all others.

A folder of CSV files, one per map, with the columns local_code and code. "-" means that the local code is nothing that
is claimed. An empty code is undecided: the HIS's own code is used. So is a code that was only written down from the HIS
(decided_by is the HIS or its folder, and code is his_code); a person confirms it by writing "person" in decided_by. Other
columns are notes.

An apostrophe in front keeps a spreadsheet program from changing a cell: "'099" is 099, "'=1" is not a formula.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import pandas as pd

from core.errors import ConfigurationError
from core.messages import Message
from extract.his_file import MapName

COLUMNS = ("local_code", "code")
HIS, FOLDER, PERSON = "his", "his.toml", "person"
"""Who has translated a local code: the HIS, the map of its folder, or a person; "" for nobody."""

NOTHING = "-"
"""The code of a local code that is nothing that is claimed."""

MAPS: tuple[MapName, ...] = get_args(MapName)

CODES: frozenset[MapName] = frozenset({"labs", "vaccines", "schemes"})
"""The maps whose codes are in capitals, as those of a HIS and of the code lists are when they are compared."""

_NO_TEXT = re.compile(r"[=+@\t\r]|-.|(?!(?:0|[1-9]\d{0,10})\Z)\d[\d.,/:eE+-]*\Z", re.DOTALL)
"""Text that a spreadsheet program changes: formulas, dates, and numbers that it writes differently, such as 099."""
_KEPT_AS_TEXT = re.compile(r"'(?=[=+@\t\r'0-9-])")

SiteMaps = Mapping[MapName, Mapping[str, str]]
"""The code that a person gave each local code, by map; undecided ones and maps without a file are left out."""

UNDECIDED: SiteMaps = MappingProxyType({name: MappingProxyType({}) for name in MAPS})
"""Empty maps: the HIS's own codes count, and codes unknown to it are returned too."""


def read_site_maps(folder: Path | None) -> SiteMaps:
    """The maps of a site; empty without a folder.

    Raises:
        ConfigurationError: The folder is missing, or a file cannot be read, lacks a column, or contradicts itself.
    """
    if folder is None:
        return MappingProxyType({})
    if not folder.is_dir():
        raise ConfigurationError(
            Message(
                th="ไม่พบโฟลเดอร์ตารางจับคู่รหัส {folder} กรุณาตรวจค่า his.maps_folder หรือสร้างด้วย moph-claim his map",
                en="There is no folder of code maps {folder}: check the setting his.maps_folder, or make it with: "
                "moph-claim his map.",
            ).fill(folder=folder)
        )
    paths = {name: folder / f"{name}.csv" for name in MAPS}
    return {name: _decided(read_map(path), name in CODES) for name, path in paths.items() if path.is_file()}


def read_map(path: Path) -> dict[str, dict[str, str]]:
    """The rows of one map by local code, with all their columns, stripped.

    Raises:
        ConfigurationError: The file cannot be read, lacks a column, or has two codes for a local code.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise _unusable(path)
            rows = [{name: _as_text(row[name] or "") for name in reader.fieldnames or ()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise _unusable(path) from None
    rows = [row for row in rows if row["local_code"]]
    found = {row["local_code"]: row for row in rows}
    if any(found[row["local_code"]]["code"] != row["code"] for row in rows):
        raise _unusable(path)
    return found


def translated(
    local: "pd.Series[Any]", given: "pd.Series[Any]", site_map: Mapping[str, str], his_map: Mapping[str, str]
) -> "pd.Series[Any]":
    """Translate local codes by the site's map; else the HIS's code by the map of its folder; else take the HIS's code.

    Args:
        local: Local codes.
        given: The HIS's own codes for them, missing where it has none.
        site_map: The site's map.
        his_map: The map of the HIS's folder.

    Returns:
        The codes; missing where none is known, NOTHING where the site's map says "-".
    """
    known = given.map(his_map).astype(given.dtype).fillna(given) if his_map else given
    return local.map(site_map).astype(given.dtype).fillna(known) if site_map else known


def as_cell(text: str) -> str:
    """Text as a cell that a spreadsheet program does not take for a formula or number; "-" alone is safe."""
    return f"'{text}" if _NO_TEXT.match(text) or _KEPT_AS_TEXT.match(text) else text


def _as_text(cell: str) -> str:
    """The text of a cell, without the apostrophe that protected it."""
    text = cell.strip()
    return text[1:] if _KEPT_AS_TEXT.match(text) else text


def is_a_persons(row: Mapping[str, str]) -> bool:
    """Whether a person has decided a row of a map, also by writing it without the columns decided_by and his_code."""
    code = row.get("code", "")
    by_program = row.get("decided_by", "").casefold() in (HIS, FOLDER) and code == row.get("his_code", "")
    return bool(code) and not by_program


def _decided(rows: Mapping[str, Mapping[str, str]], in_capitals: bool) -> dict[str, str]:
    # A HIS may give a code per visit: what it gave others must not outrank it.
    decided = {local: row["code"] for local, row in rows.items() if is_a_persons(row)}
    return {local: code.upper() for local, code in decided.items()} if in_capitals else decided


def _unusable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        Message(
            th="อ่านตารางจับคู่รหัส {path} ไม่ได้ กรุณาใช้ไฟล์ CSV (UTF-8) ที่มีคอลัมน์ local_code และ code "
            "โดยแต่ละ local_code มีรหัสเดียว",
            en="The code map {path} cannot be used: it must be a CSV file (UTF-8) with the columns local_code and code, "
            "each local code having one code.",
        ).fill(path=path)
    )

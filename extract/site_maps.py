"""The site's own maps from its local codes to the claims' codes: reviewed by a person, the strongest word there is.

A folder of CSV files, one a map, with the columns local_code and code; further columns are notes. An empty code is not
decided yet: what the HIS itself says counts. "-" is decided: the local code stands for nothing that is claimed.

An apostrophe in front keeps a cell as it is when a spreadsheet opens the file: "'099" is 099, "'=1" no formula.
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
NOTHING = "-"
"""The code of what a person has decided to stand for nothing."""

MAPS: tuple[MapName, ...] = get_args(MapName)

_NO_TEXT = re.compile(r"[=+@\t\r]|-.|(?!(?:0|[1-9]\d{0,10})\Z)\d[\d.,/:eE+-]*\Z", re.DOTALL)
"""What a spreadsheet takes for a formula, a day, or a number that it writes otherwise, such as 099."""
_KEPT_AS_TEXT = re.compile(r"'(?=[=+@\t\r'0-9-])")

SiteMaps = Mapping[MapName, Mapping[str, str]]
"""By map, the code by local code; undecided ones are not in it. A map without a file is not there."""

UNDECIDED: SiteMaps = MappingProxyType({name: MappingProxyType({}) for name in MAPS})
"""Maps that say nothing yet: the HIS's own word counts, and what it does not know comes along."""


def read_site_maps(folder: Path | None) -> SiteMaps:
    """The maps of a site; none without a folder.

    Raises:
        ConfigurationError: The folder is not there, or a file cannot be read, lacks a column, or gives one code twice.
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
    return {name: _decided(read_map(path)) for name, path in paths.items() if path.is_file()}


def read_map(path: Path) -> dict[str, dict[str, str]]:
    """The rows of one map by local code, with all their columns, stripped.

    Raises:
        ConfigurationError: The file cannot be read, lacks a column, or gives one local code twice.
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
    """What codes stand for: the site's word by local code, else the HIS's own code by the HIS's map, else that code.

    Args:
        local: Local codes.
        given: The codes that the HIS itself gives for them, missing where it knows none.
        of_site: The site's map.
        of_his: The map of the HIS's folder.

    Returns:
        The codes; missing where nothing is known, NOTHING where a person has decided so.
    """
    known = given.map(his_map).astype(given.dtype).fillna(given) if his_map else given
    return local.map(site_map).astype(given.dtype).fillna(known) if site_map else known


def as_cell(text: str) -> str:
    """Text as a cell that a spreadsheet leaves alone: no formula, no number that loses its zeros. "-" is no formula."""
    return f"'{text}" if _NO_TEXT.match(text) or _KEPT_AS_TEXT.match(text) else text


def _as_text(cell: str) -> str:
    """What stands in a cell, without the mark that kept it as it is."""
    text = cell.strip()
    return text[1:] if _KEPT_AS_TEXT.match(text) else text


def _decided(rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {local: row["code"] for local, row in rows.items() if row["code"]}


def _unusable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        Message(
            th="อ่านตารางจับคู่รหัส {path} ไม่ได้ กรุณาใช้ไฟล์ CSV (UTF-8) ที่มีคอลัมน์ local_code และ code "
            "โดยแต่ละ local_code มีรหัสเดียว",
            en="The code map {path} cannot be used: it must be a CSV file (UTF-8) with the columns local_code and code, "
            "each local code having one code.",
        ).fill(path=path)
    )

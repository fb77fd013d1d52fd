"""The site's own map from its lab items to NHSO codes: the strongest word on what a lab item is."""

import csv
from pathlib import Path

from extract.errors import ConfigurationError
from extract.messages import Message

COLUMNS = ("local_code", "nhso_code")


def read_lab_map(path: Path | None) -> dict[str, str]:
    """NHSO code by local lab item; empty without a file.

    Args:
        path: A UTF-8 CSV file with the columns local_code and nhso_code; further columns are the site's own notes.

    Raises:
        ConfigurationError: The file cannot be read, lacks a column, or gives one item two codes.
    """
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise _unusable(path)
            pairs = [tuple((row[name] or "").strip() for name in COLUMNS) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise _unusable(path) from None
    codes = {local: nhso for local, nhso in pairs if local}
    if any(codes[local] != nhso for local, nhso in pairs if local):
        raise _unusable(path)
    return codes


def _unusable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        Message(
            th="อ่านไฟล์จับคู่รหัสแล็บ {path} ไม่ได้ กรุณาใช้ไฟล์ CSV (UTF-8) ที่มีคอลัมน์ local_code และ nhso_code "
            "โดยแต่ละรหัสปรากฏเพียงรหัสเดียว",
            en="The lab map {path} cannot be used: it must be a CSV file (UTF-8) with the columns local_code and nhso_code, "
            "each local code having one NHSO code.",
        ).fill(path=path)
    )

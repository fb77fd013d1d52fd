"""What a file is, by its content, and whether it may be read. Nothing here trusts the file or keeps it unpacked."""

import re
from dataclasses import dataclass, field
from typing import Literal

from core.messages import Message
from extract.workbook.safe_open import compound, ods, xls, xlsx, zip_archive
from extract.workbook.safe_open.broken_cells import BrokenCells, MergedRange
from extract.workbook.safe_open.limits import Extent, Limits
from extract.workbook.safe_open.refusals import (
    EMPTY,
    HOLDS,
    MACROS,
    NOT_A_WORKBOOK,
    OTHER_FORM,
    PDF,
    PICTURE,
    PLAIN_TEXT,
    SLIDES,
    TOO_LARGE,
    WEB_PAGE,
    WORD,
    FileRefused,
)
from extract.workbook.safe_open.zip_archive import Archive

Form = Literal["xlsx", "ods", "xls", "csv"]

SIGNATURES: tuple[tuple[bytes, Message], ...] = (
    (rb"%PDF", PDF),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|RIFF....WEBP", PICTURE),
    (rb"\{\\rtf", WORD),
    (rb"(\xef\xbb\xbf)?\s*<[a-zA-Z!?]", WEB_PAGE),
    (rb"\xff\xfe(\s\0)*<\0|\xfe\xff(\0\s)*\0<", WEB_PAGE),
)
HEAD = 4096
ODF_KIND = 200
"""Bytes in which an OpenDocument says what it is."""
ODF = {"spreadsheet": None, "text": WORD, "presentation": SLIDES, "graphics": PICTURE}


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """A file that may be read.

    Args:
        form: What it is.
        marks: For each sheet, in order, its cells without a value; empty for csv.
        merged: For each sheet of an .ods, what is merged there; of other forms the reader knows.
    """

    form: Form
    marks: list[BrokenCells]
    merged: list[list[MergedRange]] = field(default_factory=list)


def inspect_file(data: bytes, named: str, limits: Limits) -> InspectedFile:
    """Whether a file may be read.

    Args:
        data: The whole file.
        named: How its name ends, such as ".xlsx": only text named .csv is taken for a table.
        limits: Beyond which it is refused.

    Raises:
        NotRead: It may not, in one sentence.
    """
    if not data:
        raise FileRefused(EMPTY)
    if len(data) > limits.max_megabytes << 20:
        raise FileRefused(TOO_LARGE, megabytes=limits.max_megabytes)
    if data.startswith(zip_archive.MAGIC):
        return _inspect_archive(Archive(data, limits), Extent(limits))
    if data.startswith(compound.MAGIC):
        return InspectedFile("xls", xls.inspect(compound.Compound(data), Extent(limits)))
    for beginning, what in SIGNATURES:
        if re.match(beginning, data[:HEAD], re.DOTALL):
            raise FileRefused(NOT_A_WORKBOOK, what)
    if named == ".csv":
        return InspectedFile("csv", [])
    raise FileRefused(OTHER_FORM) if b"\0" in data[:HEAD] else FileRefused(NOT_A_WORKBOOK, PLAIN_TEXT)


def _inspect_archive(archive: Archive, extent: Extent) -> InspectedFile:
    names = archive.names
    if xlsx.WORKBOOK in names:
        return InspectedFile("xlsx", xlsx.inspect(archive, extent))
    if "mimetype" in names:
        said = next(archive.unpack("mimetype"), b"")[:ODF_KIND]
        kind = said.decode("ascii", "replace").strip()
        kind = kind.removeprefix(ods.DOCUMENT).removesuffix("-template")
        if kind not in ODF:
            raise FileRefused(OTHER_FORM)
        if what := ODF[kind]:
            raise FileRefused(NOT_A_WORKBOOK, what)
        return InspectedFile("ods", *ods.inspect(archive, extent))
    for folder, what in (("word/", WORD), ("ppt/", SLIDES)):
        if any(name.startswith(folder) for name in names):
            raise FileRefused(NOT_A_WORKBOOK, what)
    raise FileRefused(HOLDS, MACROS) if any("vbaproject" in name for name in names) else FileRefused(OTHER_FORM)

"""Decides by a file's content what it is and whether it may be read. The file is not trusted, nor kept unpacked."""

import re
from dataclasses import dataclass, field
from typing import Literal

from core.messages import Message
from extract.workbook.safe_open import compound, ods, xls, xlsx, zip_archive
from extract.workbook.safe_open.limits import Extent, Limits
from extract.workbook.safe_open.marks import Marks, MergedRange
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
"""Bytes of the media type of an OpenDocument file."""
ODF = {"spreadsheet": None, "text": WORD, "presentation": SLIDES, "graphics": PICTURE}


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """A file that may be read.

    Args:
        form: Its type.
        marks: The marks of each sheet, in order; empty for csv.
        from_1904: Whether days count from 1904, as in workbooks of old Macintoshes.
        merged: The merged ranges of each sheet of an .ods; the reader knows those of other types.
    """

    form: Form
    marks: list[Marks]
    from_1904: bool = False
    merged: list[list[MergedRange]] = field(default_factory=list)


def inspect_file(data: bytes, suffix: str, limits: Limits) -> InspectedFile:
    """Inspect a file before it is read.

    Args:
        data: The whole file.
        suffix: Of its name, such as ".xlsx"; text is only taken for a table if it is ".csv".
        limits: Files beyond them are refused.

    Raises:
        FileRefused: It must not be read.
    """
    if not data:
        raise FileRefused(EMPTY)
    if len(data) > limits.max_megabytes << 20:
        raise FileRefused(TOO_LARGE, megabytes=limits.max_megabytes)
    if data.startswith(zip_archive.MAGIC):
        return _inspect_archive(Archive(data, limits), Extent(limits))
    if data.startswith(compound.MAGIC):
        return InspectedFile("xls", *xls.inspect(compound.Compound(data), Extent(limits)))
    for beginning, what in SIGNATURES:
        if re.match(beginning, data[:HEAD], re.DOTALL):
            raise FileRefused(NOT_A_WORKBOOK, what)
    if suffix == ".csv":
        return InspectedFile("csv", [])
    raise FileRefused(OTHER_FORM) if b"\0" in data[:HEAD] else FileRefused(NOT_A_WORKBOOK, PLAIN_TEXT)


def _inspect_archive(archive: Archive, extent: Extent) -> InspectedFile:
    names = archive.names
    if xlsx.WORKBOOK in names:
        return InspectedFile("xlsx", *xlsx.inspect(archive, extent))
    if "mimetype" in names:
        content = next(archive.unpack("mimetype"), b"")[:ODF_KIND]
        kind = content.decode("ascii", "replace").strip()
        kind = kind.removeprefix(ods.DOCUMENT).removesuffix("-template")
        if kind not in ODF:
            raise FileRefused(OTHER_FORM)
        if what := ODF[kind]:
            raise FileRefused(NOT_A_WORKBOOK, what)
        marks, merged = ods.inspect(archive, extent)
        return InspectedFile("ods", marks, merged=merged)
    for folder, what in (("word/", WORD), ("ppt/", SLIDES)):
        if any(name.startswith(folder) for name in names):
            raise FileRefused(NOT_A_WORKBOOK, what)
    raise FileRefused(HOLDS, MACROS) if any("vbaproject" in name for name in names) else FileRefused(OTHER_FORM)

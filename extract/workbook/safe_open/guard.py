"""What a file is, by its content, and whether it may be read. Nothing here trusts the file or keeps it unpacked."""

import re
from dataclasses import dataclass, field
from typing import Literal

from core.messages import Message
from extract.workbook.safe_open import compound, ods, xls, xlsx, zipped
from extract.workbook.safe_open.limits import Extent, Limits
from extract.workbook.safe_open.marks import Marks, Merged
from extract.workbook.safe_open.not_read import (
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
    NotRead,
)
from extract.workbook.safe_open.zipped import Archive

Form = Literal["xlsx", "ods", "xls", "csv"]

BEGINNINGS: tuple[tuple[bytes, Message], ...] = (
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
class Passed:
    """A file that may be read.

    Args:
        form: What it is.
        marks: For each sheet, in order, its cells without a value; empty for csv.
        merged: For each sheet of an .ods, what is merged there; of other forms the reader knows.
    """

    form: Form
    marks: list[Marks]
    merged: list[list[Merged]] = field(default_factory=list)


def look_through(data: bytes, named: str, limits: Limits) -> Passed:
    """Whether a file may be read.

    Args:
        data: The whole file.
        named: How its name ends, such as ".xlsx": only text named .csv is taken for a table.
        limits: Beyond which it is refused.

    Raises:
        NotRead: It may not, in one sentence.
    """
    if not data:
        raise NotRead(EMPTY)
    if len(data) > limits.max_megabytes << 20:
        raise NotRead(TOO_LARGE, megabytes=limits.max_megabytes)
    if data.startswith(zipped.MAGIC):
        return _look_into_archive(Archive(data, limits), Extent(limits))
    if data.startswith(compound.MAGIC):
        return Passed("xls", xls.look_through(compound.Compound(data), Extent(limits)))
    for beginning, what in BEGINNINGS:
        if re.match(beginning, data[:HEAD], re.DOTALL):
            raise NotRead(NOT_A_WORKBOOK, what)
    if named == ".csv":
        return Passed("csv", [])
    raise NotRead(OTHER_FORM) if b"\0" in data[:HEAD] else NotRead(NOT_A_WORKBOOK, PLAIN_TEXT)


def _look_into_archive(archive: Archive, extent: Extent) -> Passed:
    names = archive.names
    if xlsx.WORKBOOK in names:
        return Passed("xlsx", xlsx.look_through(archive, extent))
    if "mimetype" in names:
        said = next(archive.unpack("mimetype"), b"")[:ODF_KIND]
        kind = said.decode("ascii", "replace").strip()
        kind = kind.removeprefix(ods.DOCUMENT).removesuffix("-template")
        if kind not in ODF:
            raise NotRead(OTHER_FORM)
        if what := ODF[kind]:
            raise NotRead(NOT_A_WORKBOOK, what)
        return Passed("ods", *ods.look_through(archive, extent))
    for folder, what in (("word/", WORD), ("ppt/", SLIDES)):
        if any(name.startswith(folder) for name in names):
            raise NotRead(NOT_A_WORKBOOK, what)
    raise NotRead(HOLDS, MACROS) if any("vbaproject" in name for name in names) else NotRead(OTHER_FORM)

"""Text with a separator between its values (.csv), as spreadsheet programs and hospital systems write it."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from extract.workbook.safe_open.limits import Extent
from extract.workbook.safe_open.refusals import BAD_QUOTES, OTHER_FORM, UNKNOWN_LETTERS, FileRefused

SEPARATORS = ",;\t"
HEAD = 20
"""Records by which the separator is found."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SAID = re.compile(r"sep=([,;\t|])\r?\n")
"""A first line that says the separator; spreadsheet programs do not show it."""
AS_TEXT = re.compile(r'="([^"]*)"\Z')
"""A formula by which hospital systems keep the zeros of a number, when a spreadsheet program opens the file."""


def read(data: bytes, extent: Extent) -> Iterator[list[object]]:
    """Its rows, one by one.

    Args:
        data: The whole file.
        extent: Is told how far it reaches.

    Raises:
        NotRead: It is no such text, or reaches too far.
    """
    wide = data.startswith(UTF_16)
    if not wide and b"\0" in data:
        raise FileRefused(OTHER_FORM)
    # cp874 is TIS-620 and what Windows adds to it.
    text = _decode(data, ("utf-16",) if wide else ("utf-8-sig", "cp874"))
    file = io.StringIO(text, newline="")
    said = SAID.match(text)
    if said:
        file.readline()
    reader = csv.reader(file, delimiter=said[1] if said else _separator(text), strict=True)
    extent.begin("{stem}")
    began, number = 1, 0
    try:
        for row in reader:
            filled = max((i for i, value in enumerate(row) if value), default=-1)
            if filled >= 0:
                extent.reach(number, filled)
            yield [AS_TEXT.sub(r"\1", value) or None for value in row]
            began, number = reader.line_num + 1, number + 1
    except csv.Error as error:
        raise FileRefused(BAD_QUOTES, line=began) from error


def _decode(data: bytes, encodings: tuple[str, ...]) -> str:
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileRefused(UNKNOWN_LETTERS)


def _separator(text: str) -> str:
    """The one that separates the most values; the comma where none does."""

    def separated(separator: str) -> int:
        found = 0
        # What is wrong with the quotation marks is said when the rows are read.
        with suppress(csv.Error):
            for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), HEAD):
                found += max(0, len(row) - 1)
        return found

    return max(SEPARATORS, key=separated)

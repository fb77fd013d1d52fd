"""Reads .csv files as spreadsheet programs and hospital systems write them."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from extract.workbook.safe_open.limits import Extent
from extract.workbook.safe_open.refusals import BAD_QUOTES, OTHER_FORM, PIPES, UNKNOWN_LETTERS, FileRefused

SEPARATORS = ",;\t"
PIPE = "|"
LEAST_PIPES = 4
HEAD = 20
"""Records from which the separator is guessed."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n")
"""A first line that sets the separator; spreadsheet programs do not show it."""
AS_TEXT = re.compile(r'="([^"]*)"\Z')
"""A formula that hospital systems write so that spreadsheet programs keep the leading zeros of a number."""


def read(data: bytes, extent: Extent) -> Iterator[list[object]]:
    """The rows of a .csv file, one by one.

    Args:
        data: The whole file.
        extent: Counts its rows and columns.

    Raises:
        FileRefused: It is not such text, or has too many rows or columns.
    """
    wide = data.startswith(UTF_16)
    if not wide and b"\0" in data:
        raise FileRefused(OTHER_FORM)
    # cp874 is TIS-620 with the additions of Windows.
    text = _decode(data, ("utf-16",) if wide else ("utf-8-sig", "cp874"))
    file = io.StringIO(text, newline="")
    line = SEPARATOR_LINE.match(text)
    if line:
        file.readline()
    reader = csv.reader(file, delimiter=line[1] if line else _separator(text), strict=True)
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
    """The separator that gives the most values; the comma if none gives any.

    Raises:
        FileRefused: The values are separated by a sign that no spreadsheet program takes for a separator.
    """

    def separated(separator: str) -> int:
        found = 0
        # Wrong quotation marks are reported when the rows are read.
        with suppress(csv.Error):
            for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), HEAD):
                found += max(0, len(row) - 1)
        return found

    best = max(SEPARATORS, key=separated)
    if separated(PIPE) > max(separated(best), LEAST_PIPES):
        raise FileRefused(PIPES)
    return best

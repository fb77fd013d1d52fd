"""The process in which a file is read: whatever the file does to its reader, it does here.

Started by `extract.workbook.file` with the limits as JSON, the end of the file's name and the descriptor of the open
file. On standard output, one JSON text a line, it says `{"sheet": name, "visible": true}`, then the sheet's rows as
arrays in which an object of one entry stands for what JSON has no word for; at last `{"done": true}`, or why not,
`{"not_read": [th, en], "discreet": [th, en]}`. JSON, because whatever a file makes this process say can be decoded without running it.
Standard input brings nothing: the parent holds its other end, and this process lives no longer than that is open.

Only what is needed is imported: a heavy import costs more than reading most workbooks.
"""

import fcntl
import json
import os
import re
import resource
import select
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from io import BytesIO
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from core.messages import Message
from extract.workbook.safe_open import csv_text
from extract.workbook.safe_open.broken_cells import BrokenCells, MergedRange
from extract.workbook.safe_open.inspection import inspect_file
from extract.workbook.safe_open.limits import Extent, Limits
from extract.workbook.safe_open.refusals import BOMB, DAMAGED, LOCKED, NOT_UNDERSTOOD, TOO_MUCH, FileRefused

SPARE_SECONDS = 5
"""The parent's clock ends the reading; the processor's, a little later, is for when no parent is left."""
NO_CORE = 1
"""Bytes of a core dump, which would hold people's data. At 0 the kernel still hands it to a program that keeps it."""
SPAN = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+(?:\.\d+)?)S")
"""A time of a day or more in an .ods, which the reader leaves as it stands in the file."""

Rows = Iterable[list[object]]


def main() -> None:
    """Reads the file, tells standard output."""
    limits, named, descriptor = Limits(**json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    _end_with_parent()
    _limit_resources(limits)
    try:
        with open(descriptor, "rb") as file:
            data = file.read((limits.max_megabytes << 20) + 1)
        _Writer(limits).write(_sheets(data, named, limits))
    except FileRefused as reason:
        _end(reason)
    except MemoryError:
        _end(FileRefused(TOO_MUCH, megabytes=limits.read_megabytes))
    # Also what the reader calls a panic, which is no Exception. Never the error's words: they may quote a cell.
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} {Path(place.filename).name}:{place.lineno}"
        _end(FileRefused(NOT_UNDERSTOOD, Message(what, what)))


def _end_with_parent() -> None:
    """When the parent lets go of standard input, or dies, the kernel ends this process, whatever it is doing."""
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        sys.exit()


def _limit_resources(limits: Limits) -> None:
    """This process can neither grow nor run without end, and writes no file."""
    for kind, most in (
        (resource.RLIMIT_AS, limits.read_megabytes << 20),
        (resource.RLIMIT_CPU, limits.read_seconds + SPARE_SECONDS),
        (resource.RLIMIT_CORE, NO_CORE),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _sheets(data: bytes, named: str, limits: Limits) -> Iterator[tuple[str, bool, Rows]]:
    """The name of each sheet, whether it is visible, and its rows; the sheet of a csv has no name."""
    passed = inspect_file(data, named, limits)
    if passed.form == "csv":
        yield "", True, csv_text.read(data, Extent(limits))
        return
    extent = Extent(limits)
    try:
        with CalamineWorkbook.from_filelike(BytesIO(data)) as workbook:
            known = workbook.sheets_metadata
            if len(known) != len(passed.marks):
                raise FileRefused(DAMAGED)
            for index, (sheet, marks) in enumerate(zip(known, passed.marks, strict=True)):
                if sheet.typ == SheetTypeEnum.WorkSheet:
                    cells = workbook.get_sheet_by_index(index)
                    extent.begin(sheet.name)
                    if cells.end:
                        extent.reach(*cells.end)
                    merged = passed.merged[index] if passed.merged else cells.merged_cell_ranges
                    rows = _merged(_with_marks(_cells(cells), marks), merged or ())
                    visible = sheet.visible == SheetVisibleEnum.Visible
                    yield sheet.name, visible, map(_spans, rows) if passed.form == "ods" else rows
    except PasswordError as error:
        raise FileRefused(LOCKED) from error
    except CalamineError as error:
        raise FileRefused(DAMAGED) from error


def _cells(sheet: CalamineSheet) -> Iterator[list[object]]:
    """Rows from the first, cells from column A; the reader leaves out the columns left of the first cell."""
    left: list[object] = [None] * sheet.start[1] if sheet.start else []
    for row in sheet.iter_rows():
        yield left + [None if value == "" else value for value in row]


def _with_marks(rows: Rows, marks: BrokenCells) -> Iterator[list[object]]:
    """The reader knows neither errors nor formulas without a value: all are empty to it, wherever they stand."""
    number = -1
    for number, row in enumerate(rows):
        yield _marked(row, marks[number]) if number in marks else row
    for later in range(number + 1, max(marks, default=-1) + 1):
        yield _marked([], marks.get(later, {}))


def _marked(row: list[object], marks: Mapping[int, str]) -> list[object]:
    row = row + [None] * (max(marks, default=-1) + 1 - len(row))
    for column, why in marks.items():
        row[column] = {"broken": why}
    return row


def _merged(rows: Rows, ranges: Iterable[MergedRange]) -> Rows:
    """What stands in merged cells of one column is said of each of their rows that says anything; files keep it in the first."""
    beginning: dict[int, dict[int, int]] = {}
    for (first, column), (last, last_column) in ranges:
        if column == last_column and first < last:
            beginning.setdefault(first, {})[column] = last
    values: dict[int, object] = {}
    ends: dict[int, int] = {}
    for number, row in enumerate(rows):
        ends = {column: last for column, last in ends.items() if number <= last}
        if ends and any(value is not None for value in row):
            row += [None] * (max(ends) + 1 - len(row))
            for column in ends:
                row[column] = values[column]
        for column, last in beginning.get(number, {}).items():
            ends[column], values[column] = last, row[column] if column < len(row) else None
        yield row


def _spans(row: list[object]) -> list[object]:
    return [_span(value) if type(value) is str and value.endswith("S") else value for value in row]


def _span(text: str) -> object:
    if not (match := SPAN.fullmatch(text)):
        return text
    sign, hours, minutes, seconds = match.groups()
    span = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return -span if sign else span


class _Writer:
    """Writes to standard output, no more than may be unpacked: one text can stand in every cell of a small file."""

    def __init__(self, limits: Limits) -> None:
        self._megabytes = limits.max_unpacked_megabytes
        self._left = limits.max_unpacked_megabytes << 20
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_as_json).encode

    def write(self, sheets: Iterable[tuple[str, bool, Rows]]) -> None:
        for name, visible, rows in sheets:
            self._write_line({"sheet": name, "visible": visible})
            empty = 0
            for row in rows:
                while row and row[-1] is None:
                    row.pop()
                if not row:
                    empty += 1
                    continue
                for _ in range(empty):
                    self._write_line([])
                empty = 0
                self._write_line(row)
        self._write_line({"done": True})
        sys.stdout.flush()

    def _write_line(self, what: object) -> None:
        line = self._encode(what).encode() + b"\n"
        self._left -= len(line)
        if self._left < 0:
            raise FileRefused(BOMB, megabytes=self._megabytes)
        sys.stdout.buffer.write(line)


def _end(reason: FileRefused) -> None:
    message, discreet = reason.message, reason.discreet
    said = {"not_read": [message.th, message.en], "discreet": [discreet.th, discreet.en]}
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
    sys.stdout.flush()


def _as_json(value: object) -> dict[str, object]:
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, date | time):
        return {type(value).__name__: value.isoformat()}
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()

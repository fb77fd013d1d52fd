"""The child process in which a file is read, so that a hostile file can harm only this process.

`extract.workbook.file` starts it with the limits as JSON, the suffix of the file's name and the descriptor of the open
file. It writes one JSON text per line to standard output: `{"sheet": name, "visible": true, "hidden": [row, …], "struck":
[[row, [column, …]], …]}`, counted from 0; then the sheet's rows as arrays, in which an object with one key is a value that
JSON has no type for; at the end `{"done": true}`, or the reason
for a refusal, `{"not_read": [th, en], "discreet": [th, en]}`. JSON can be decoded safely, whatever a file makes this
process write. Nothing comes over standard input: the parent holds its other end, and this process ends when it closes.

It imports as little as possible, as importing pandas takes longer than reading most workbooks.
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
from datetime import date, datetime, time, timedelta
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
from extract.workbook.safe_open.inspection import inspect_file
from extract.workbook.safe_open.limits import Extent, Limits
from extract.workbook.safe_open.marks import BrokenCells, Cells, Marks, MergedRange
from extract.workbook.safe_open.refusals import BOMB, DAMAGED, LOCKED, NOT_UNDERSTOOD, TOO_MUCH, FileRefused

SPARE_SECONDS = 5
"""The parent ends the reading after its time limit; the limit on CPU time, a little later, works without a parent."""
NO_CORE = 1
"""Bytes of a core dump, which would contain people's data. With 0 the kernel would still pipe it to a crash handler."""
SPAN = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+(?:\.\d+)?)S")
"""A duration of a day or more in an .ods, which the reader returns as in the file."""

EPOCH, EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 (a cell knows no time zone)
"""The day 0 of workbooks, and of those that count from 1904."""
MOST_DAYS, MILLISECONDS_A_DAY = 2_958_466, 86_400_000

Rows = Iterable[list[object]]


def main() -> None:
    """Read the file and write it to standard output."""
    limits, suffix, descriptor = Limits(**json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    _end_with_parent()
    _limit_resources(limits)
    try:
        with open(descriptor, "rb") as file:
            data = file.read((limits.max_megabytes << 20) + 1)
        _Writer(limits).write(_sheets(data, suffix, limits))
    except FileRefused as reason:
        _end(reason)
    except MemoryError:
        _end(FileRefused(TOO_MUCH, megabytes=limits.read_megabytes))
    # BaseException: a panic of the Rust reader is not an Exception. Never the error's text: it may quote a cell.
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} {Path(place.filename).name}:{place.lineno}"
        _end(FileRefused(NOT_UNDERSTOOD, Message(what, what)))


def _end_with_parent() -> None:
    """Let the kernel end this process (SIGIO) as soon as the parent closes standard input or dies."""
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        sys.exit()


def _limit_resources(limits: Limits) -> None:
    """Limit memory and CPU time of this process, and let it write no file."""
    for kind, most in (
        (resource.RLIMIT_AS, limits.read_megabytes << 20),
        (resource.RLIMIT_CPU, limits.read_seconds + SPARE_SECONDS),
        (resource.RLIMIT_CORE, NO_CORE),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _sheets(data: bytes, suffix: str, limits: Limits) -> Iterator[tuple[str, bool, Marks, Rows]]:
    """The name of each sheet, whether it is visible, its marks and its rows; the sheet of a .csv has no name."""
    inspected = inspect_file(data, suffix, limits)
    if inspected.form == "csv":
        yield "", True, Marks(), csv_text.read(data, Extent(limits))
        return
    extent = Extent(limits)
    try:
        with CalamineWorkbook.from_filelike(BytesIO(data)) as workbook:
            known = workbook.sheets_metadata
            if len(known) != len(inspected.marks):
                raise FileRefused(DAMAGED)
            for index, (sheet, marks) in enumerate(zip(known, inspected.marks, strict=True)):
                if sheet.typ == SheetTypeEnum.WorkSheet:
                    cells = workbook.get_sheet_by_index(index)
                    extent.begin(sheet.name)
                    if cells.end:
                        extent.reach(*cells.end)
                    merged = inspected.merged[index] if inspected.merged else cells.merged_cell_ranges
                    dated = _with_days(_cells(cells), marks.days, EPOCH_1904 if inspected.from_1904 else EPOCH)
                    rows = _merged(_with_broken_cells(dated, marks.broken), merged or ())
                    visible = sheet.visible == SheetVisibleEnum.Visible
                    yield sheet.name, visible, marks, map(_spans, rows) if inspected.form == "ods" else rows
    except PasswordError as error:
        raise FileRefused(LOCKED) from error
    except CalamineError as error:
        raise FileRefused(DAMAGED) from error


def _cells(sheet: CalamineSheet) -> Iterator[list[object]]:
    """Rows from row 1, cells from column A; the reader leaves out the columns left of the first cell."""
    left: list[object] = [None] * sheet.start[1] if sheet.start else []
    for row in sheet.iter_rows():
        yield left + [None if value == "" else value for value in row]


def _with_days(rows: Rows, days: Cells, epoch: datetime) -> Iterator[list[object]]:
    """The rows with numbers that a Thai format shows as days or times turned into such."""
    for number, row in enumerate(rows):
        for column in days.get(number, ()):
            if column < len(row):
                row[column] = _day(row[column], epoch)
        yield row


def _day(value: object, epoch: datetime) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < MOST_DAYS:
        return value
    moment = epoch + timedelta(milliseconds=round(value * MILLISECONDS_A_DAY))
    if value < 1:
        return moment.time()
    return moment if moment.time() != time() else moment.date()


def _with_broken_cells(rows: Rows, broken: BrokenCells) -> Iterator[list[object]]:
    """The rows with broken cells put in; the reader returns errors and formulas without a value as empty cells."""
    number = -1
    for number, row in enumerate(rows):
        yield _with_broken(row, broken[number]) if number in broken else row
    for later in range(number + 1, max(broken, default=-1) + 1):
        yield _with_broken([], broken.get(later, {}))


def _with_broken(row: list[object], broken: Mapping[int, str]) -> list[object]:
    row = row + [None] * (max(broken, default=-1) + 1 - len(row))
    for column, why in broken.items():
        row[column] = {"broken": why}
    return row


def _merged(rows: Rows, ranges: Iterable[MergedRange]) -> Rows:
    """The rows, with the value of cells merged over rows, which files keep in the first, in every row that is not empty."""
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
    """Writes to standard output, at most the unpacked limit: a small file can have one long text in every cell."""

    def __init__(self, limits: Limits) -> None:
        self._megabytes = limits.max_unpacked_megabytes
        self._left = limits.max_unpacked_megabytes << 20
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_as_json).encode

    def write(self, sheets: Iterable[tuple[str, bool, Marks, Rows]]) -> None:
        for name, visible, marks, rows in sheets:
            struck = sorted(marks.struck.items())
            self._write_line({"sheet": name, "visible": visible, "hidden": sorted(marks.hidden), "struck": struck})
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
    report = {"not_read": [message.th, message.en], "discreet": [discreet.th, discreet.en]}
    sys.stdout.buffer.write(json.dumps(report).encode() + b"\n")
    sys.stdout.flush()


def _as_json(value: object) -> dict[str, object]:
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, date | time):
        return {type(value).__name__: value.isoformat()}
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()

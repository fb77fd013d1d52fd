"""A workbook file (.xlsx, .xls, .ods, .csv), read cell by cell as it is. What cannot be read is refused in one sentence."""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from io import BufferedReader
from pathlib import Path
from typing import IO

from core.messages import Message
from extract.errors import WorkbookError
from extract.settings import WorkbookSettings
from extract.workbook.rows import Broken, CellValue, RawSheet
from extract.workbook.safe_open.refusals import (
    EMPTY,
    HOLDS,
    MACROS,
    NOT_A_FILE,
    NOT_OPENED,
    NOT_THERE,
    NOT_UNDERSTOOD,
    OTHER_FORM,
    TOO_LARGE,
    TOO_LONG,
    TOO_MUCH,
    FileRefused,
)

FORMS = (".xlsx", ".xls", ".ods", ".csv")
MACRO_FORMS = (".xlsm", ".xltm", ".xlam", ".xla")
PACKAGES = Path(__file__).parents[2]

CELLS: dict[str, Callable[..., CellValue]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "seconds": lambda seconds: timedelta(seconds=seconds),
    "broken": Broken,
}
"""What the child has for cells that JSON has no word for."""


def read_sheets(path: Path, limits: WorkbookSettings) -> tuple[RawSheet, ...]:
    """Every sheet of a workbook; a .csv is one sheet of texts, named as the file.

    The file is read in a process of its own, which is held to the limits and gone when this returns.

    Args:
        path: The file. What it is is decided by what it holds; only a .csv is known by its name.
        limits: Beyond which it is refused.

    Raises:
        WorkbookError: It cannot be read, or must not be: what is wrong with it, and what to do.
    """
    try:
        with _open(path) as file:
            _check_name(path)
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise FileRefused(EMPTY)
            if size > limits.max_megabytes << 20:
                raise FileRefused(TOO_LARGE, megabytes=limits.max_megabytes)
            with _child(file, path.suffix.lower(), limits) as told:
                return _gather(told, shown(path.stem))
    except FileRefused as reason:
        raise _named(reason, path) from None


def check_file(path: Path) -> None:
    """See that there is a file of a form that is read, before any work goes into it.

    Raises:
        WorkbookError: There is none, or it cannot be opened.
    """
    try:
        with _open(path):
            _check_name(path)
    except FileRefused as reason:
        raise _named(reason, path) from None


def file_hash(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits.

    Args:
        path: The file.

    Raises:
        WorkbookError: It cannot be opened.
    """
    try:
        with _open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileRefused as reason:
        raise _named(reason, path) from None


def _named(reason: FileRefused, path: Path) -> WorkbookError:
    def named(said: str) -> str:
        # Not `fill`: the name of a sheet may hold braces of its own.
        return said.replace("{file}", shown(path.name)).replace("{stem}", shown(path.stem))

    said, discreet = reason.message, reason.discreet
    th = discreet.th.replace("ไฟล์ {file}", "{file}").replace("{file}", "ไฟล์ที่นำเข้า")
    en = discreet.en.replace("{file}", "the imported file")
    return WorkbookError(Message(named(said.th), named(said.en)), Message(th, en[:1].upper() + en[1:]))


def shown(name: str) -> str:
    """A file's name as text: one that is no UTF-8, from an old share, cannot be written down as it is."""
    return name.encode(errors="replace").decode()


def _check_name(path: Path) -> None:
    if path.suffix.lower() in MACRO_FORMS:
        raise FileRefused(HOLDS, MACROS)
    if path.suffix.lower() not in FORMS:
        raise FileRefused(OTHER_FORM)


@contextmanager
def _open(path: Path) -> Iterator[BufferedReader]:
    try:
        # Not opened to see what it is: opening a pipe waits for whoever writes to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileRefused(NOT_A_FILE)
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileRefused(NOT_THERE) from error
    except (OSError, ValueError) as error:
        raise FileRefused(NOT_OPENED) from error
    with file:
        yield file


@contextmanager
def _child(file: BufferedReader, named: str, limits: WorkbookSettings) -> Iterator[Iterator[bytes]]:
    """The lines that the reading process says; it is ended with the block, however that ends."""
    late = threading.Event()
    process = subprocess.Popen(  # noqa: S603 (this interpreter, no shell)
        [
            sys.executable,
            "-m",
            "extract.workbook.safe_open.reading_process",
            limits.model_dump_json(),
            named,
            str(file.fileno()),
        ],
        pass_fds=[file.fileno()],
        # It lives no longer than this is open, also where the parent is killed, or interrupted before the next line.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # It runs in the folder of the packages, where it finds them installed or not.
        cwd=PACKAGES,
        # A session of its own: Ctrl-C ends the parent first, and the child by that.
        start_new_session=True,
    )

    def give_up() -> None:
        late.set()
        process.kill()

    clock = threading.Timer(limits.read_seconds, give_up)
    with process:
        try:
            clock.start()
            assert process.stdout is not None
            yield _until_done(process, process.stdout, late, limits)
        finally:
            clock.cancel()
            process.kill()


def _until_done(
    process: subprocess.Popen[bytes], lines: IO[bytes], late: threading.Event, limits: WorkbookSettings
) -> Iterator[bytes]:
    """The lines about sheets. Where the last line is missing, the process died: by the clock, by a limit, by the file."""
    for line in lines:
        if line == b'{"done":true}\n':
            return
        yield line
    code = process.wait()
    if late.is_set():
        raise FileRefused(TOO_LONG, seconds=limits.read_seconds)
    # A reader that is given no more memory aborts; a machine that has none kills.
    if code in (-signal.SIGABRT, -signal.SIGKILL):
        raise FileRefused(TOO_MUCH, megabytes=limits.read_megabytes)
    raise FileRefused(NOT_UNDERSTOOD, Message(f"exit {code}", f"exit {code}"))


def _gather(lines: Iterator[bytes], stem: str) -> tuple[RawSheet, ...]:
    decode = json.JSONDecoder(object_hook=_cell, parse_int=float, parse_constant=lambda _: Broken("error")).decode
    kept: dict[str, str] = {}
    sheets: list[RawSheet] = []
    rows: list[tuple[CellValue, ...]] = []
    for line in lines:
        if line.startswith(b"["):
            # Of equal texts one is kept: most columns hold few different ones.
            rows.append(tuple(kept.setdefault(v, v) if type(v) is str else v for v in decode(line.decode())))
            continue
        said = json.loads(line)
        if "not_read" in said:
            reason = FileRefused(Message(*said["not_read"]))
            reason.discreet = Message(*said["discreet"])
            raise reason
        rows = []
        sheets.append(RawSheet(said["sheet"] or stem, said["visible"], rows))
    return tuple(sheets)


def _cell(tagged: dict[str, object]) -> CellValue:
    ((kind, value),) = tagged.items()
    return CELLS[kind](value)

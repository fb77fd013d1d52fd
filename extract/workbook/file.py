"""Reads a workbook file (.xlsx, .xls, .ods, .csv) cell by cell, or refuses it in one sentence."""

import hashlib
import json
import os
import re
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
from core.text import one_line
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
    OF_43_FILES,
    OTHER_FORM,
    TOO_LARGE,
    TOO_LONG,
    TOO_MUCH,
    FileRefused,
)

FORMS = (".xlsx", ".xls", ".ods", ".csv")
MACRO_FORMS = (".xlsm", ".xltm", ".xlam", ".xla")
TEXT_FORMS = (".csv", ".txt")
HEAD = 4096
NAMES_OF_43_FILES = (
    "PERSON ADDRESS DEATH CHRONIC CARD HOME VILLAGE DISABILITY PROVIDER WOMEN DRUGALLERGY FUNCTIONAL ICF SERVICE DIAGNOSIS_OPD "
    "DRUG_OPD PROCEDURE_OPD CHARGE_OPD SURVEILLANCE ACCIDENT LABFU CHRONICFU ADMISSION DIAGNOSIS_IPD DRUG_IPD PROCEDURE_IPD "
    "CHARGE_IPD APPOINTMENT DENTAL REHABILITATION NCDSCREEN FP PRENATAL ANC LABOR POSTNATAL NEWBORN NEWBORNCARE EPI NUTRITION "
    "SPECIALPP COMMUNITY_ACTIVITY COMMUNITY_SERVICE"
)
"""What the files are called that every facility sends to the Ministry."""
OF_43_FILES_NAME = re.compile(rf"(?:.*[^A-Z])?(?:{NAMES_OF_43_FILES.replace(' ', '|')})(?:[^A-Z].*)?", re.I)
PACKAGES = Path(__file__).parents[2]

CELLS: dict[str, Callable[..., CellValue]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "seconds": lambda seconds: timedelta(seconds=seconds),
    "broken": Broken,
}
"""Makes the cells that JSON has no type for; the child writes them as objects with one of these keys."""


def read_sheets(path: Path, limits: WorkbookSettings) -> tuple[RawSheet, ...]:
    """The sheets of a workbook; a .csv is one sheet of text cells, named like the file.

    The file is read in a child process, which is held to the limits and has ended when this returns.

    Args:
        path: The file. Its type is decided by its content; only a .csv is recognised by its name.
        limits: Files beyond them are refused.

    Raises:
        WorkbookError: It cannot or must not be read; says what is wrong and what to do.
    """
    try:
        with _open(path) as file:
            _check_name(path, file)
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise FileRefused(EMPTY)
            if size > limits.max_megabytes << 20:
                raise FileRefused(TOO_LARGE, megabytes=limits.max_megabytes)
            with _child(file, path.suffix.lower(), limits) as lines:
                return _gather(lines, shown(path.stem))
    except FileRefused as reason:
        raise _named(reason, path) from None


def check_file(path: Path) -> None:
    """Check early that the file exists and has a readable type.

    Raises:
        WorkbookError: It does not exist, cannot be opened, or is of another type.
    """
    try:
        with _open(path) as file:
            _check_name(path, file)
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
    def named(sentence: str) -> str:
        # Not `fill`: the name of a sheet may contain braces.
        return sentence.replace("{file}", shown(path.name)).replace("{stem}", shown(path.stem))

    message, discreet = reason.message, reason.discreet
    th = discreet.th.replace("ไฟล์ {file}", "{file}").replace("{file}", "ไฟล์ที่นำเข้า")
    en = discreet.en.replace("{file}", "the imported file")
    return WorkbookError(Message(named(message.th), named(message.en)), Message(th, en[:1].upper() + en[1:]))


def shown(name: str) -> str:
    """A file's name as plain text; names from old file shares may not be valid UTF-8."""
    return one_line(name)


def _check_name(path: Path, file: BufferedReader) -> None:
    if path.suffix.lower() in TEXT_FORMS and _is_of_43_files(os.pread(file.fileno(), HEAD, 0), path.stem):
        raise FileRefused(OF_43_FILES)
    if path.suffix.lower() in MACRO_FORMS:
        raise FileRefused(HOLDS, MACROS)
    if path.suffix.lower() not in FORMS:
        raise FileRefused(OTHER_FORM)


def _is_of_43_files(head: bytes, stem: str) -> bool:
    """Whether a text with this beginning is one of the Ministry's 43 files: by its heading, or by its name and separator."""
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0].upper()
    named = OF_43_FILES_NAME.fullmatch(stem) is not None
    return b"|" in line and (named or line.lstrip(b'"').startswith(b"HOSPCODE"))


@contextmanager
def _open(path: Path) -> Iterator[BufferedReader]:
    try:
        # Checked before opening: opening a pipe would wait for its writer.
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
    """The lines that the reading process writes. It is ended when the block ends, however it ends."""
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
        # The child ends when this pipe closes, so also if the parent is killed or interrupted.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # The folder of the packages, so that they are found even if they are not installed.
        cwd=PACKAGES,
        # A session of its own: Ctrl-C reaches only the parent, whose end ends the child.
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
    """The lines about sheets. If the last line is missing, the process died: of a limit, or of the file."""
    for line in lines:
        if line == b'{"done":true}\n':
            return
        yield line
    code = process.wait()
    if late.is_set():
        raise FileRefused(TOO_LONG, seconds=limits.read_seconds)
    # At its memory limit the reader aborts; when the machine has no memory left, the kernel kills it.
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
            # Equal texts share one object, as most columns have few different values.
            rows.append(tuple(kept.setdefault(v, v) if type(v) is str else v for v in decode(line.decode())))
            continue
        report = json.loads(line)
        if "not_read" in report:
            reason = FileRefused(Message(*report["not_read"]))
            reason.discreet = Message(*report["discreet"])
            raise reason
        rows = []
        struck = {row: frozenset(columns) for row, columns in report["struck"]}
        sheets.append(RawSheet(report["sheet"] or stem, report["visible"], rows, frozenset(report["hidden"]), struck))
    return tuple(sheets)


def _cell(tagged: dict[str, object]) -> CellValue:
    ((kind, value),) = tagged.items()
    return CELLS[kind](value)

"""The inbox: a folder where workbooks are put, and from where each is taken exactly once.

A file is claimed by renaming it into a folder of its own in `working/`, which only one of several workers can do, on one
machine or on a shared folder. Whoever has it keeps it locked while it lives; what a worker that died has left there is
taken up by the next. It ends in `done/` or `failed/`, beside its result.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Literal

from core.errors import ConfigurationError
from core.messages import Message

HOUSEKEEPING = {".crdownload", ".db", ".download", ".ini", ".lnk", ".part", ".partial", ".tmp"}
"""Endings of what a system or a browser lays into a folder. All else was put there by a person, who learns of it if it
is no workbook."""
End = Literal["done", "failed"]
OURS = ("working", "done", "failed")
LONGEST_NAME = 255
"""Bytes, on nearly every file system; a Thai letter takes three."""
SPARE = 16
"""By so much a result's name is longer while it is being written."""
FORSAKEN_SECONDS = 60
_LOCKS_AND_PARTS = ("~", ".")
_RESULT_NAME = re.compile(r"\.result(-[0-9]+)?\Z")
_RESULT = ".result.xlsx"


class Inbox:
    """The folder.

    Args:
        folder: Made where it is not there.
        settle_seconds: How long a file must have lain unchanged: it may still be being copied.

    Raises:
        ConfigurationError: The folder cannot be made.
    """

    def __init__(self, folder: Path, settle_seconds: float) -> None:
        self.folder = folder
        self._settle_seconds = settle_seconds
        self._working = folder / "working"
        try:
            for place in (folder, *(folder / name for name in OURS)):
                place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                Message(
                    f"ใช้โฟลเดอร์ {folder} ไม่ได้ ({error.strerror}) กรุณาแก้ inbox.folder หรือสิทธิ์ของโฟลเดอร์",
                    f"The folder {folder} cannot be used ({error.strerror}): correct inbox.folder, or the folder's rights.",
                )
            ) from None

    def waiting(self) -> list[Path]:
        """Workbooks that wait, and those that a worker which died has left; the oldest first."""
        return [*self._settled(), *self._left()]

    def _settled(self) -> list[Path]:
        since = time.time() - self._settle_seconds
        found = []
        for path in _workbooks(self.folder):
            with suppress(OSError):  # another worker may have taken it just now
                at = path.stat()
                # The day a copy bears may be its original's; what a file system notes of itself is not.
                found.append((max(at.st_mtime, at.st_ctime), path))
        return [path for changed, path in sorted(found) if changed <= since]

    def _left(self) -> list[Path]:
        found: list[Path] = []
        for own in sorted(self._working.iterdir()):
            with suppress(OSError):  # another worker may have finished with it just now, or keeps it from us
                files = _workbooks(own)
                found += [path for path in files if not _is_locked(path)]
                if not files and own.stat().st_mtime < time.time() - FORSAKEN_SECONDS:
                    own.rmdir()
        return found

    def named(self, name: str) -> Path:
        """The file of that name in the inbox.

        Args:
            name: It may lie in a folder that was put there.

        Raises:
            ConfigurationError: There is none, or the name leads elsewhere.
        """
        with suppress(OSError, ValueError, RuntimeError):  # too long, no name at all, links in a circle
            folder, path = self.folder.resolve(), (self.folder / name).resolve()
            inside = path.is_relative_to(folder) and path.relative_to(folder).parts[:1] not in {(own,) for own in OURS}
            if inside and path.is_file():
                return path
        raise ConfigurationError(
            Message(
                f"ไม่มีไฟล์นี้ในโฟลเดอร์ {self.folder} กรุณาใส่ชื่อไฟล์ที่อยู่ในโฟลเดอร์นั้น",
                f"There is no such file in {self.folder}: give the name of a file that lies there.",
            )
        )

    @contextmanager
    def take(self, path: Path) -> Iterator[Path | None]:
        """Take a file for as long as the block lasts; gives where it lies now, None where another worker was first.

        Args:
            path: One that waits.

        Raises:
            OSError: It cannot be moved; it lies where it lay.
        """
        # Locked before it is moved: in `working` nobody sees it without its lock.
        descriptor = _opened(path)
        try:
            yield self._moved(path, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _moved(self, path: Path, descriptor: int | None) -> Path | None:
        if not _lock(descriptor):
            return None
        try:
            if not path.is_relative_to(self._working):
                path = self._claim(path)
            # Between opening and moving it, another may have finished with it and a new one come.
            same = descriptor is None or os.fstat(descriptor).st_ino == path.stat().st_ino
            return path if same and path.exists() else None
        except FileNotFoundError:
            return None

    def _claim(self, path: Path) -> Path:
        own = self._working / f"{time.time_ns():x}-{secrets.token_hex(4)}"
        own.mkdir()
        try:
            return path.rename(own / path.name)
        except OSError:
            own.rmdir()
            raise

    def finish(self, taken: Path, end: End, write_result: Callable[[Path], None] | None) -> None:
        """Lay a file into `done` or `failed`, its result beside it.

        Args:
            taken: It is gone from our hands afterwards.
            end: Where it goes.
            write_result: Writes the result to a path; None leaves the file without one.

        Raises:
            Exception: What `write_result` raises, or that the file cannot be moved; then it is still in our hands.
        """
        written = taken.with_name(_RESULT)
        if write_result:
            write_result(written)
            # Who may read the officer's file may read what became of it.
            written.chmod(stat.S_IMODE(taken.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        kept = _free(self.folder / end, taken.stem, "{}" + taken.suffix, LONGEST_NAME)
        try:
            if write_result:
                with reserved_result(kept) as result:
                    written.replace(result)
            taken.replace(kept)
        except OSError:
            kept.unlink(missing_ok=True)
            raise
        shutil.rmtree(self._working / taken.parent.name, ignore_errors=True)


@contextmanager
def reserved_result(path: Path) -> Iterator[Path]:
    """Where the result of a workbook will lie, beside it: a free name, held by an empty file, and free again if that stays.

    Raises:
        OSError: The folder cannot be written.
    """
    result = _free(path.parent, _RESULT_NAME.sub("", path.stem), ".result{}.xlsx", LONGEST_NAME - SPARE)
    try:
        yield result
    finally:
        with suppress(OSError):
            if not result.stat().st_size:
                result.unlink()


def _free(folder: Path, stem: str, ending: str, longest: int) -> Path:
    """A free name, with a number where there is such a file, cut to be no longer in bytes; an empty file holds it."""
    for number in chain([""], (f"-{n}" for n in count(2))):
        end = ending.replace("{}", number)
        while len(os.fsencode(stem + end)) > longest:
            stem = stem[:-1]
        path = folder / (stem + end)
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise AssertionError("numbers do not end")


def _workbooks(folder: Path) -> list[Path]:
    """What was put there to be imported, by name; a link is not, it may lead anywhere, nor a folder."""
    with os.scandir(folder) as entries:
        files = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    return sorted(p for p in files if p.suffix.lower() not in HOUSEKEEPING and not p.name.startswith(_LOCKS_AND_PARTS))


def _opened(path: Path) -> int | None:
    """The open file; None where it cannot be opened: that comes out when it is read."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _lock(descriptor: int | None) -> bool:
    """Lock a file for as long as it is open; whether no other holds it."""
    if descriptor is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a share without locks: that only one can move the file must do
        return True
    return True


def _is_locked(path: Path) -> bool:
    descriptor = _opened(path)
    if descriptor is None:
        return not path.exists()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # on a share without locks nobody knows
        return True
    finally:
        os.close(descriptor)
    return False

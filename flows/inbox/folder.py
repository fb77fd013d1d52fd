"""The inbox: a folder where people put workbooks; each is imported by exactly one worker.

A worker takes a file by renaming it into a new folder in `working/`: of several workers, on one machine or on a network
share, the rename succeeds for one only. It holds a lock on the file while it lives. A file in `working/` that is not
locked belonged to a worker that died, and the next worker takes it; on a share without locks a person must move it back. At the end the file goes to `done/` or `failed/`, beside its result.
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

IGNORED_SUFFIXES = {".crdownload", ".db", ".download", ".ini", ".lnk", ".part", ".partial", ".tmp"}
"""Files that an operating system or a browser creates in a folder. Any other file was put there by a person, who is
told if it is no workbook."""
IGNORED_PREFIXES = ("~", ".")
"""Lock files of spreadsheet programs, hidden files, and files that are still being written."""
End = Literal["done", "failed"]
SUBFOLDERS = ("working", "done", "failed")
MAX_NAME_BYTES = 255
"""The limit of nearly every file system; a Thai letter takes three bytes."""
TEMPORARY_NAME_BYTES = 16
"""How much longer the name of a result is while it is being written."""
ABANDONED_SECONDS = 60
"""An empty folder in `working/` that is older was left by a worker that died."""
_RESULT_SUFFIX = re.compile(r"\.result(-[0-9]+)?\Z")
_UNFINISHED_RESULT = ".result.xlsx"


class Inbox:
    """One inbox folder.

    Args:
        folder: Created if it does not exist.
        settle_seconds: How long a file must have been unchanged: it may still be being copied.

    Raises:
        ConfigurationError: The folder cannot be created.
    """

    def __init__(self, folder: Path, settle_seconds: float) -> None:
        self.folder = folder
        self._settle_seconds = settle_seconds
        self._working = folder / "working"
        try:
            for each in (folder, *(folder / name for name in SUBFOLDERS)):
                each.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                Message(
                    f"ใช้โฟลเดอร์ {folder} ไม่ได้ ({error.strerror}) กรุณาแก้ inbox.folder หรือสิทธิ์ของโฟลเดอร์",
                    f"The folder {folder} cannot be used ({error.strerror}): correct inbox.folder, or the folder's rights.",
                )
            ) from None

    def waiting(self) -> list[Path]:
        """Files to import: new ones, the oldest first, then those that a dead worker left."""
        return [*self._new(), *self._abandoned()]

    def _new(self) -> list[Path]:
        latest = time.time() - self._settle_seconds
        found = []
        for path in _workbooks(self.folder):
            with suppress(OSError):  # another worker may have taken it just now
                status = path.stat()
                # A copy may keep its original's mtime; its ctime is its own.
                found.append((max(status.st_mtime, status.st_ctime), path))
        return [path for changed, path in sorted(found) if changed <= latest]

    def _abandoned(self) -> list[Path]:
        found: list[Path] = []
        for folder in sorted(self._working.iterdir()):
            with suppress(OSError):  # another worker may have finished just now, or we may not read its folder
                files = _workbooks(folder)
                found += [path for path in files if not _is_locked(path)]
                if not files and folder.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    folder.rmdir()
        return found

    def named(self, name: str) -> Path:
        """The file of that name in the inbox.

        Args:
            name: The file's name, or its path below the inbox.

        Raises:
            ConfigurationError: There is no such file, or the path leads out of the inbox or into one of our subfolders.
        """
        with suppress(OSError, ValueError, RuntimeError):  # too long, a NUL byte, links in a circle
            folder, path = self.folder.resolve(), (self.folder / name).resolve()
            if path.is_relative_to(folder) and path.is_file() and path.relative_to(folder).parts[0] not in SUBFOLDERS:
                return path
        raise ConfigurationError(
            Message(
                f"ไม่มีไฟล์นี้ในโฟลเดอร์ {self.folder} กรุณาใส่ชื่อไฟล์ที่อยู่ในโฟลเดอร์นั้น",
                f"There is no such file in {self.folder}: give the name of a file that lies there.",
            )
        )

    @contextmanager
    def take(self, path: Path) -> Iterator[Path | None]:
        """Hold a file while the block lasts.

        Args:
            path: A file of `waiting()`.

        Yields:
            Its path in `working/`; None if another worker was faster.

        Raises:
            OSError: The file cannot be moved; it stays where it was.
        """
        # Locked before it is moved: no other worker may see it in `working/` without a lock.
        descriptor = _open(path)
        try:
            yield self._lock_and_move(path, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _lock_and_move(self, path: Path, descriptor: int | None) -> Path | None:
        if not _lock(descriptor):
            return None
        try:
            if not path.is_relative_to(self._working):
                path = self._move_to_working(path)
            # Since we opened it another worker may have finished it, and a new file of this name may have come.
            same = descriptor is None or os.fstat(descriptor).st_ino == path.stat().st_ino
            return path if same and path.exists() else None
        except FileNotFoundError:
            return None

    def _move_to_working(self, path: Path) -> Path:
        folder = self._working / f"{time.time_ns():x}-{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            return path.rename(folder / path.name)
        except OSError:
            folder.rmdir()
            raise

    def finish(self, taken: Path, end: End, write_result: Callable[[Path], None] | None) -> None:
        """Move a file to `done/` or `failed/`, its result beside it.

        Args:
            taken: The file in `working/`.
            end: The subfolder it goes to.
            write_result: Writes the result to a path; None for a file without a result.

        Raises:
            Exception: What `write_result` raises, or the file cannot be moved; then it stays in `working/`.
        """
        written = taken.with_name(_UNFINISHED_RESULT)
        if write_result:
            write_result(written)
            # Whoever may read the officer's file may read its result.
            written.chmod(stat.S_IMODE(taken.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        kept = _reserve(self.folder / end, taken.stem, "{}" + taken.suffix, MAX_NAME_BYTES)
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
    """Reserve a free name beside a workbook for its result.

    An empty file reserves it; that is removed at the end of the block if nothing was written to it.

    Raises:
        OSError: The folder cannot be written to.
    """
    stem = _RESULT_SUFFIX.sub("", path.stem)
    result = _reserve(path.parent, stem, ".result{}.xlsx", MAX_NAME_BYTES - TEMPORARY_NAME_BYTES)
    try:
        yield result
    finally:
        with suppress(OSError):
            if not result.stat().st_size:
                result.unlink()


def _reserve(folder: Path, stem: str, suffix: str, max_bytes: int) -> Path:
    """Create an empty file under a free name: numbered if the name is in use, its stem cut to fit into `max_bytes`.

    Args:
        folder: Where.
        stem: Start of the name.
        suffix: End of the name; "{}" in it stands for the number.
        max_bytes: Longest name.
    """
    for number in chain([""], (f"-{n}" for n in count(2))):
        end = suffix.replace("{}", number)
        while len(os.fsencode(stem + end)) > max_bytes:
            stem = stem[:-1]
        path = folder / (stem + end)
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise AssertionError("numbers do not end")


def _workbooks(folder: Path) -> list[Path]:
    """The files in a folder that are to be imported, by name; no links, which may lead anywhere."""
    with os.scandir(folder) as entries:
        files = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    return sorted(path for path in files if not _is_ignored(path))


def _is_ignored(path: Path) -> bool:
    return path.suffix.lower() in IGNORED_SUFFIXES or path.name.startswith(IGNORED_PREFIXES)


def _open(path: Path) -> int | None:
    """Open a file; None if that fails: the import will say why."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _lock(descriptor: int | None) -> bool:
    """Lock a file until it is closed; False if another process holds the lock."""
    if descriptor is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network share without locks: only one worker can move the file, that must suffice
        return True
    return True


def _is_locked(path: Path) -> bool:
    descriptor = _open(path)
    if descriptor is None:
        return not path.exists()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it; or the share has no locks, so that one may
        return True
    finally:
        os.close(descriptor)
    return False

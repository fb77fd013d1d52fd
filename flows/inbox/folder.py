"""The inbox: a folder where people put workbooks; each is imported by exactly one worker.

A worker takes a file by renaming it into a new folder in `working/`: of several workers, on one machine or on a network
share, the rename succeeds for one only. It holds a lock on the file while it lives. A file in `working/` that is not
locked belonged to a worker that died, and the next worker takes it; on a share without locks a person must move it back.
At the end the file goes to `done/` or `failed/`, beside its result. Links lead nowhere: they could lead to any file that
we may read or write.
"""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import ConfigurationError
from core.messages import Message
from extract.workbook.file import FORMS, MACRO_FORMS
from flows.inbox.handles import copy_mode, discard_if_empty, is_file, open_file, opened_folder, path_in, reserve

WORKBOOKS = frozenset([*FORMS, *MACRO_FORMS, ".xlsb", ".xltx"])
"""Files that are taken: also workbooks that cannot be read, whose result says what to do. All others stay where they are."""
UNMENTIONED = frozenset([".crdownload", ".db", ".download", ".ini", ".lnk", ".part", ".partial", ".tmp"])
"""Files that an operating system or a browser creates in a folder."""
IGNORED_PREFIXES = ("~", ".")
"""Lock files of spreadsheet programs, hidden files, and files that are still being written."""
End = Literal["done", "failed"]
WORKING = "working"
SUBFOLDERS = (WORKING, "done", "failed")
MAX_NAME_BYTES = 255
"""The limit of nearly every file system; a Thai letter takes three bytes."""
TEMPORARY_NAME_BYTES = 16
"""How much longer the name of a result is while it is being written."""
ABANDONED_SECONDS = 60
"""An empty folder in `working/` that is older was left by a worker that died."""
_RESULT_SUFFIX = re.compile(r"\.result(-[0-9]+)?\Z")
_UNFINISHED_RESULT = ".result.xlsx"


@dataclass(frozen=True, slots=True)
class _Held:
    """The folder in `working/` of a file that we hold: its name and its handle."""

    name: str
    handle: int


class Inbox:
    """One inbox folder.

    Args:
        folder: Created if it does not exist.
        settle_seconds: How long a file must have been unchanged: it may still be being copied.

    Raises:
        ConfigurationError: The folder cannot be created, or it or one of its subfolders is a link.
    """

    def __init__(self, folder: Path, settle_seconds: float) -> None:
        self.folder = folder
        self._settle_seconds = settle_seconds
        self._held: dict[Path, _Held] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with opened_folder(folder) as handle:
                for name in SUBFOLDERS:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=handle)
                    with opened_folder(name, within=handle):
                        pass
        except OSError as error:
            raise ConfigurationError(
                Message(
                    f"ใช้โฟลเดอร์ {folder} ไม่ได้ ({error.strerror}) โฟลเดอร์นี้และโฟลเดอร์ย่อยต้องเป็นโฟลเดอร์จริง ไม่ใช่ลิงก์ "
                    "กรุณาแก้ inbox.folder หรือสิทธิ์ของโฟลเดอร์",
                    f"The folder {folder} cannot be used ({error.strerror}); it and its subfolders must be folders, not links: "
                    "correct inbox.folder, or the folder's rights.",
                )
            ) from None

    def waiting(self) -> list[Path]:
        """Files to import: new ones, the oldest first, then those that a dead worker left.

        Raises:
            OSError: The folder or one of its subfolders cannot be read, or has become a link.
        """
        with opened_folder(self.folder) as folder:
            return [*self._new(folder), *self._abandoned(folder)]

    def other_files(self) -> int:
        """How many files and links in the folder are no workbooks; they stay where they are.

        Raises:
            OSError: As `waiting`.
        """
        with opened_folder(self.folder) as folder, os.scandir(folder) as entries:
            return sum(
                not _is_workbook(entry)
                and not entry.is_dir(follow_symlinks=False)
                and not entry.name.startswith(IGNORED_PREFIXES)
                and Path(entry.name).suffix.lower() not in UNMENTIONED
                for entry in entries
            )

    def _new(self, folder: int) -> list[Path]:
        latest = time.time() - self._settle_seconds
        found = []
        with os.scandir(folder) as entries:
            for entry in filter(_is_workbook, entries):
                with suppress(OSError):  # another worker may have taken it just now
                    status = entry.stat(follow_symlinks=False)
                    # A copy may keep its original's mtime; its ctime is its own.
                    found.append((max(status.st_mtime, status.st_ctime), entry.name))
        return [self.folder / name for changed, name in sorted(found) if changed <= latest]

    def _abandoned(self, folder: int) -> list[Path]:
        found: list[Path] = []
        with opened_folder(WORKING, within=folder) as working:
            for name in sorted(os.listdir(working)):  # noqa: PTH208 - of a handle
                # Another worker may have finished just now, or we may not read its folder.
                with suppress(OSError), opened_folder(name, within=working) as held:
                    with os.scandir(held) as entries:
                        files = sorted(entry.name for entry in filter(_is_workbook, entries))
                    found += [self.folder / WORKING / name / file for file in files if not _is_locked(held, file)]
                    if not files and os.fstat(held).st_mtime < time.time() - ABANDONED_SECONDS:
                        os.rmdir(name, dir_fd=working)
        return found

    def named(self, name: str) -> Path:
        """The workbook of that name in the inbox.

        Args:
            name: The file's name, or its path below the inbox.

        Raises:
            ConfigurationError: There is no such workbook, or the path leads out of the inbox, over a link, or into one of
                our subfolders.
        """
        path = Path(name)
        inside = path.parts and not path.is_absolute() and ".." not in path.parts and path.parts[0] not in SUBFOLDERS
        if inside and path.suffix.lower() in WORKBOOKS:
            # No such folder or a link on the way, a name too long, a NUL byte.
            with suppress(OSError, ValueError), opened_folder(self.folder, *path.parts[:-1]) as folder:
                if is_file(folder, path.name, None):
                    return self.folder / path
        raise ConfigurationError(
            Message(
                f"ไม่มีไฟล์นี้ในโฟลเดอร์ {self.folder} กรุณาใส่ชื่อไฟล์ Excel, .ods หรือ .csv ที่อยู่ในโฟลเดอร์นั้น",
                f"There is no such file in {self.folder}: give the name of a workbook that lies there.",
            )
        )

    @contextmanager
    def take(self, path: Path) -> Iterator[Path | None]:
        """Hold a file while the block lasts.

        Args:
            path: A file of `waiting()` or `named()`.

        Yields:
            Its path in `working/`, by that folder's handle; None if another worker was faster, or it is no file any more.

        Raises:
            OSError: The file cannot be moved; it stays where it was.
        """
        *below, name = path.relative_to(self.folder).parts
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(opened_folder(self.folder, *below))
                # Locked before it is moved: no other worker may see it in `working/` without a lock.
                descriptor = open_file(folder, name)
            except OSError:
                yield None
                return
            if descriptor is not None:
                stack.callback(os.close, descriptor)
            taken = self._lock_and_move(folder, below, name, descriptor, stack)
            try:
                yield taken
            finally:
                if taken is not None:
                    self._held.pop(taken, None)

    def _lock_and_move(
        self, folder: int, below: list[str], name: str, descriptor: int | None, stack: ExitStack
    ) -> Path | None:
        if not _lock(descriptor):
            return None
        held = _Held(below[1], folder) if below[:1] == [WORKING] else self._move_to_working(folder, name, stack)
        # Since we opened it another worker may have finished it, and a new file or a link of this name may have come.
        if held is None or not is_file(held.handle, name, descriptor):
            return None
        taken = path_in(held.handle, self.folder / WORKING / held.name / name)
        self._held[taken] = held
        return taken

    def _move_to_working(self, folder: int, name: str, stack: ExitStack) -> _Held | None:
        own = f"{time.time_ns():x}-{secrets.token_hex(4)}"
        working = stack.enter_context(opened_folder(self.folder, WORKING))
        os.mkdir(own, dir_fd=working)
        handle = stack.enter_context(opened_folder(own, within=working))
        try:
            os.rename(name, name, src_dir_fd=folder, dst_dir_fd=handle)
        except OSError as error:
            os.rmdir(own, dir_fd=working)
            if isinstance(error, FileNotFoundError):
                return None
            raise
        return _Held(own, handle)

    def finish(self, taken: Path, end: End, write_result: Callable[[Path], None] | None) -> None:
        """Move a file to `done/` or `failed/`, its result beside it.

        Args:
            taken: The file, as `take` has given it.
            end: The subfolder it goes to.
            write_result: Writes the result to a path; None for a file without a result.

        Raises:
            Exception: What `write_result` raises, or the file cannot be moved; then it stays in `working/`.
        """
        held, name = self._held[taken], taken.name
        if write_result:
            write_result(taken.with_name(_UNFINISHED_RESULT))
            copy_mode(held.handle, name, _UNFINISHED_RESULT)  # whoever may read the officer's file may read its result
        with opened_folder(self.folder) as folder, opened_folder(end, within=folder) as kept_in:
            kept = reserve(kept_in, taken.stem, "{}" + taken.suffix, MAX_NAME_BYTES)
            reserved = [kept]
            try:
                if write_result:
                    reserved.append(_reserve_result(kept_in, Path(kept)))
                    os.rename(_UNFINISHED_RESULT, reserved[1], src_dir_fd=held.handle, dst_dir_fd=kept_in)
                os.rename(name, kept, src_dir_fd=held.handle, dst_dir_fd=kept_in)
            except OSError:
                discard_if_empty(kept_in, reserved)
                raise
            with suppress(OSError), opened_folder(WORKING, within=folder) as working:
                for left in os.listdir(held.handle):  # noqa: PTH208 - of a handle
                    os.unlink(left, dir_fd=held.handle)
                os.rmdir(held.name, dir_fd=working)


@contextmanager
def reserved_result(path: Path) -> Iterator[Path]:
    """Reserve a free name beside a workbook for its result.

    An empty file reserves it; that is removed at the end of the block if nothing was written to it.

    Raises:
        OSError: The folder cannot be written to.
    """
    with opened_folder(path.parent.resolve()) as folder:
        name = _reserve_result(folder, path)
        try:
            yield path.with_name(name)
        finally:
            discard_if_empty(folder, [name])


def _reserve_result(folder: int, path: Path) -> str:
    stem = _RESULT_SUFFIX.sub("", path.stem)
    return reserve(folder, stem, ".result{}.xlsx", MAX_NAME_BYTES - TEMPORARY_NAME_BYTES)


def _is_workbook(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a file that is to be imported; a link may lead anywhere."""
    name = Path(entry.name)
    known = name.suffix.lower() in WORKBOOKS and not name.name.startswith(IGNORED_PREFIXES)
    return known and entry.is_file(follow_symlinks=False)


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


def _is_locked(folder: int, name: str) -> bool:
    descriptor = open_file(folder, name)
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it; or the share has no locks, so that one may
        return True
    finally:
        os.close(descriptor)
    return False

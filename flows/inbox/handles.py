"""Folders by their handles: what is done in one is done in it, whatever somebody puts in its place meanwhile. No link is followed."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A pipe would otherwise wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_HANDLES = Path("/proc/self/fd")


@contextmanager
def opened_folder(folder: Path | str, *below: str, within: int | None = None) -> Iterator[int]:
    """The handle of a folder, open while the block lasts.

    Args:
        folder: Its path, or its name in `within`.
        below: The names that lead from there to the folder that is meant.
        within: The handle of the folder it is in.

    Raises:
        OSError: It, or one on the way, is no folder but a link or something else.
    """
    handle = os.open(folder, _FOLDER, dir_fd=within)
    try:
        for name in below:
            outer, handle = handle, os.open(name, _FOLDER, dir_fd=handle)
            os.close(outer)
        yield handle
    finally:
        os.close(handle)


def open_file(folder: int, name: str) -> int | None:
    """The descriptor of a file, to read; None for one that we may not read.

    Raises:
        OSError: There is none, or it is a link, a folder, a pipe or a device.
    """
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except PermissionError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no file")
    return descriptor


def is_file(folder: int, name: str, descriptor: int | None) -> bool:
    """Whether there is a file of this name, and it is the open one, if one is."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and (descriptor is None or os.path.samestat(found, os.fstat(descriptor)))


def path_in(folder: int, path: Path) -> Path:
    """The path of a file by its folder's handle; as given where the system has no such paths."""
    handle = _HANDLES / str(folder)
    return handle / path.name if handle.exists() else path


def reserve(folder: int, stem: str, suffix: str, max_bytes: int) -> str:
    """Create an empty file under a free name: numbered if the name is in use, its stem cut to fit into `max_bytes`.

    Args:
        folder: Where.
        stem: Start of the name.
        suffix: End of the name; "{}" in it stands for the number.
        max_bytes: Longest name.

    Raises:
        OSError: The folder cannot be written to.
    """
    for number in chain([""], (f"-{n}" for n in count(2))):
        end = suffix.replace("{}", number)
        while len(os.fsencode(stem + end)) > max_bytes:
            stem = stem[:-1]
        with suppress(FileExistsError):
            os.close(os.open(stem + end, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=folder))
            return stem + end
    raise AssertionError("numbers do not end")


def discard_if_empty(folder: int, names: Sequence[str]) -> None:
    """Remove reserved names that nothing was written to."""
    for name in names:
        with suppress(OSError):
            if not os.stat(name, dir_fd=folder, follow_symlinks=False).st_size:
                os.unlink(name, dir_fd=folder)


def copy_mode(folder: int, source: str, target: str) -> None:
    """Whoever may read and write one file may do so with another, and so may we."""
    mode = stat.S_IMODE(os.stat(source, dir_fd=folder, follow_symlinks=False).st_mode) | stat.S_IRUSR | stat.S_IWUSR
    descriptor = open_file(folder, target)
    if descriptor is not None:
        os.fchmod(descriptor, mode)
        os.close(descriptor)

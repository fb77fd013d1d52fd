"""A compound file (OLE): the container of old Office files, and of newer ones with a password.

olefile reads it. What olefile does not check is checked here: sizes in the header larger than the file, chains of
sectors without an end, streams shorter than declared, and directory entries outside the directory's tree (olefile
follows the tree, but the reader that comes later, calamine, reads all entries).
Source: [MS-CFB].
"""

import struct
from collections.abc import Iterator, Sequence

from olefile import MAGIC, MAXREGSECT, STGTY_EMPTY, STGTY_STREAM, OleFileIO

from extract.workbook.safe_open.refusals import DAMAGED, FileRefused

__all__ = ["MAGIC", "Compound"]

HEADER_SIZE = 512
ENTRY_SIZE = 128
SECTOR_SIZES = (512, 4096)
MINI_SECTOR_SIZE = 64
HEADER_TABLES = 109
"""Sectors of the allocation table that the header itself lists."""
# What olefile raises for a damaged file.
_FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, struct.error)


class Compound:
    """A compound file.

    Args:
        data: The whole file.

    Attributes:
        names: Of its streams and folders, in lower case.

    Raises:
        FileRefused: It is damaged.
    """

    def __init__(self, data: bytes) -> None:
        _check_header(data)
        self._size = len(data)
        try:
            self._ole = OleFileIO(data)
        except _FAULTS as error:
            raise FileRefused(DAMAGED) from error
        if self._ole.mini_sector_size != MINI_SECTOR_SIZE or not _ends(self._ole.fat, self._ole.first_dir_sector):
            raise FileRefused(DAMAGED)
        self._entries = list(_entries(self._ole.directory_fp.getvalue()))
        self.names = [name for _, _, name in self._entries]

    def stream(self, name: str) -> bytes | None:
        """The content of a stream; None if there is no such stream.

        Raises:
            FileRefused: It is damaged.
        """
        number = next((n for n, type_, known in self._entries if known == name and type_ == STGTY_STREAM), None)
        if number is None:
            return None
        entry = next((kid for kid in self._ole.root.kids if kid.name.lower() == name), None)
        if entry is None or entry.sid != number or entry.size > self._size:
            raise FileRefused(DAMAGED)
        return self._content(name, entry.size, entry.isectStart, in_mini_stream=entry.is_minifat)

    def _content(self, name: str, size: int, start: int, *, in_mini_stream: bool) -> bytes:
        ole = self._ole
        if not size:
            return b""
        if in_mini_stream and max(ole.num_mini_fat_sectors * ole.sector_size, ole.root.size) > self._size:
            raise FileRefused(DAMAGED)
        try:
            content: bytes = ole.openstream(name).read()
        except _FAULTS as error:
            raise FileRefused(DAMAGED) from error
        chains = [(ole.minifat, start), (ole.fat, ole.minifatsect), (ole.fat, ole.root.isectStart)]
        if len(content) < size or not all(_ends(*c) for c in (chains if in_mini_stream else [(ole.fat, start)])):
            raise FileRefused(DAMAGED)
        return content


def _check_header(data: bytes) -> None:
    """Refuse a header that would make olefile read more of the allocation table than the file can have."""
    if len(data) < HEADER_SIZE:
        raise FileRefused(DAMAGED)
    (shift,) = struct.unpack_from("<H", data, 30)
    (tables,) = struct.unpack_from("<I", data, 44)
    size = 1 << min(shift, 16)
    # A sector of the table covers size / 4 sectors. Some programs keep spare ones.
    enough = len(data) // size // (size // 4 or 1) + 1
    if size not in SECTOR_SIZES or tables > 2 * enough + HEADER_TABLES:
        raise FileRefused(DAMAGED)


def _entries(directory: bytes) -> Iterator[tuple[int, int, str]]:
    """The number, type and name of each entry in use, whether or not it is in the directory's tree."""
    for number in range(len(directory) // ENTRY_SIZE):
        entry = directory[number * ENTRY_SIZE : (number + 1) * ENTRY_SIZE]
        length, type_ = struct.unpack_from("<HB", entry, 64)
        if type_ != STGTY_EMPTY:
            name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            yield number, type_, name.lower()


def _ends(table: Sequence[int], start: int) -> bool:
    """Whether a chain of sectors comes to an end, and does not run in a circle or out of the table."""
    for _ in range(len(table) + 1):
        if start >= MAXREGSECT:
            return True
        if start >= len(table):
            return False
        start = table[start]
    return False

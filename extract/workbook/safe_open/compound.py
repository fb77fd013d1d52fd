"""A compound file (OLE), in which old Office programs keep their streams, and newer ones locked workbooks.

Source: [MS-CFB].
"""

import struct
from dataclasses import dataclass

from extract.workbook.safe_open.not_read import DAMAGED, NotRead

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
HEADER_SIZE = 512
ENTRY_SIZE = 128
LAST_SECTOR = 0xFFFFFFFA
"""Numbers from here on are no sectors: free, end of a chain, part of a table."""
SECTOR_SHIFTS = (9, 12)
MINI_SHIFT = 6
STREAM, ROOT = 2, 5


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    type: int
    start: int
    size: int


class Compound:
    """A compound file.

    Args:
        data: The whole file.

    Attributes:
        names: Of its streams and folders, in lower case.

    Raises:
        NotRead: It is damaged.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        if len(data) < HEADER_SIZE:
            raise NotRead(DAMAGED)
        (self._shift,) = struct.unpack_from("<H", data, 30)
        tables, directory, _, self._cutoff, mini, _, more, _ = struct.unpack_from("<2I4s5I", data, 44)
        if self._shift not in SECTOR_SHIFTS:
            raise NotRead(DAMAGED)
        self._table = self._allocation(list(struct.unpack_from("<109I", data, 76)), more, tables)
        self._entries = self._directory(self._follow(directory))
        self._mini_table = _numbers(self._follow(mini)) if mini < LAST_SECTOR else []
        root = next((entry for entry in self._entries if entry.type == ROOT), None)
        self._mini_stream = self._follow(root.start) if root and root.start < LAST_SECTOR else b""
        self.names = [entry.name for entry in self._entries]

    def stream(self, name: str) -> bytes | None:
        """What a stream holds; None where it is not there.

        Raises:
            NotRead: It is damaged.
        """
        entry = next((e for e in self._entries if e.name == name and e.type == STREAM), None)
        if entry is None:
            return None
        if entry.size >= self._cutoff:
            held = self._follow(entry.start)
        else:
            sectors = _chain(self._mini_table, entry.start) if entry.size else []
            held = b"".join(self._mini_stream[s << MINI_SHIFT : (s + 1) << MINI_SHIFT] for s in sectors)
        if len(held) < entry.size:
            raise NotRead(DAMAGED)
        return held[: entry.size]

    def _allocation(self, places: list[int], more: int, tables: int) -> list[int]:
        """Which sector follows which. The places of this table stand in the header, and then in a chain of their own."""
        seen = set()
        while more < LAST_SECTOR and more not in seen:
            seen.add(more)
            numbers = _numbers(self._sector(more))
            places += numbers[:-1]
            more = numbers[-1]
        enough = (len(self._data) >> self._shift) * 4 // (1 << self._shift) + 1
        held = [place for place in places if place < LAST_SECTOR][: min(tables, enough)]
        return [number for place in held for number in _numbers(self._sector(place))]

    def _directory(self, held: bytes) -> list[_Entry]:
        entries = []
        for at in range(0, len(held) - ENTRY_SIZE + 1, ENTRY_SIZE):
            length, type_ = struct.unpack_from("<HB", held, at + 64)
            start, size = struct.unpack_from("<2I", held, at + 116)
            name = held[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            if type_:
                entries.append(_Entry(name.lower(), type_, start, size))
        return entries

    def _follow(self, start: int) -> bytes:
        return b"".join(map(self._sector, _chain(self._table, start)))

    def _sector(self, number: int) -> bytes:
        at = (number + 1) << self._shift
        held = self._data[at : at + (1 << self._shift)]
        if len(held) < 4:
            raise NotRead(DAMAGED)
        return held


def _chain(table: list[int], start: int) -> list[int]:
    sectors: list[int] = []
    while start < LAST_SECTOR:
        # A chain longer than the table runs in a circle.
        if start >= len(table) or len(sectors) > len(table):
            raise NotRead(DAMAGED)
        sectors.append(start)
        start = table[start]
    return sectors


def _numbers(held: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(held) // 4}I", held[: len(held) // 4 * 4]))

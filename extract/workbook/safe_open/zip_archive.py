"""An untrusted zip archive: its parts are unpacked piece by piece, within a limit."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from extract.workbook.safe_open.limits import Limits
from extract.workbook.safe_open.refusals import BOMB, DAMAGED, LOCKED, FileRefused

MAGIC = b"PK\x03\x04"
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
PIECE = 1 << 18
MOST_PARTS = 10_000
ENCRYPTED = 0x1


class Archive:
    """A zip archive whose table of contents agrees with its local headers.

    Args:
        data: The whole file.
        limits: How much may be unpacked.

    Attributes:
        names: Of its parts, in lower case, as spreadsheet programs ignore case.

    Raises:
        FileRefused: It is damaged, encrypted, inconsistent, or too large.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = memoryview(data)
        self._megabytes = limits.max_unpacked_megabytes
        self._left = limits.max_unpacked_megabytes << 20
        try:
            with ZipFile(BytesIO(data)) as archive:
                infos, end = archive.infolist(), archive.start_dir
        # zipfile raises any of these for a bad table of contents.
        except (BadZipFile, NotImplementedError, ValueError, struct.error, EOFError, OverflowError) as error:
            raise FileRefused(DAMAGED) from error
        files = [info for info in infos if not info.filename.endswith("/")]
        self._parts = {_name(info.filename): info for info in files}
        if len(infos) > MOST_PARTS or len(self._parts) < len(files):
            raise FileRefused(DAMAGED)
        if any(info.flag_bits & ENCRYPTED for info in infos):
            raise FileRefused(LOCKED)
        if sum(info.file_size for info in infos) > self._left:
            raise FileRefused(BOMB, megabytes=self._megabytes)
        self._places = self._lay_out(infos, end)
        self._unread = set(self._parts)
        self.names = frozenset(self._parts)

    def unpack(self, name: str) -> Iterator[bytes]:
        """The pieces of a part. If it is unpacked again, it counts only once towards the limit.

        Raises:
            FileRefused: It is missing or damaged, differs from its declared size or checksum, or the limit is reached.
        """
        if name not in self.names:
            raise FileRefused(DAMAGED)
        info, size, crc, first = self._parts[name], 0, 0, name in self._unread
        self._unread.discard(name)
        for piece in self._inflate(info):
            size += len(piece)
            self._left -= len(piece) * first
            if self._left < 0:
                raise FileRefused(BOMB, megabytes=self._megabytes)
            if size > info.file_size:
                raise FileRefused(DAMAGED)
            crc = zlib.crc32(piece, crc)
            yield piece
        if size != info.file_size or crc != info.CRC:
            raise FileRefused(DAMAGED)

    def unread(self) -> list[str]:
        """The parts that were not unpacked yet."""
        return sorted(self._unread)

    def _inflate(self, info: ZipInfo) -> Iterator[bytes]:
        start = self._places[info.header_offset]
        packed = self._data[start : start + info.compress_size]
        pieces = (packed[i : i + PIECE] for i in range(0, len(packed), PIECE))
        if info.compress_type == ZIP_STORED:
            yield from map(bytes, pieces)
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in pieces:
                yield inflater.decompress(piece, PIECE)
                while inflater.unconsumed_tail:
                    yield inflater.decompress(inflater.unconsumed_tail, PIECE)
            while tail := inflater.decompress(b"", PIECE):
                yield tail
        except zlib.error as error:
            raise FileRefused(DAMAGED) from error
        if not inflater.eof or inflater.unused_data:
            raise FileRefused(DAMAGED)

    def _lay_out(self, infos: list[ZipInfo], end: int) -> dict[int, int]:
        """The offset of each part's packed bytes, by the offset of its header. Parts must not overlap."""
        places = {}
        free = 0
        for info in sorted(infos, key=lambda i: i.header_offset):
            at = info.header_offset
            if at < free or at + LOCAL_HEADER.size > end or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise FileRefused(DAMAGED)
            magic, _, flags, method, *_, name, extra = LOCAL_HEADER.unpack_from(self._data, at)
            start = at + LOCAL_HEADER.size + name + extra
            free = start + info.compress_size
            name_here = bytes(self._data[at + LOCAL_HEADER.size : start - extra])
            known = info.orig_filename.encode("utf-8" if flags & 0x800 else "cp437", "replace")
            if magic != MAGIC or method != info.compress_type or name_here != known or free > end:
                raise FileRefused(DAMAGED)
            places[at] = start
        return places


def _name(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()

"""Room on the disk: enough before a run sends, and a reserve for the answers of a run whose disk fills up.

The reserve lies on the disk of a SQLite audit. When the disk is full it is given up, so that the answers that are still to come
can be written; nothing new is sent. A database server's disk cannot be seen from here: its answers wait in memory while
patience lasts.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy.engine import URL

from core.errors import MophClaimError
from core.messages import Message

# Measured: sending a claim that is accepted at once takes 2.5 KB in a SQLite audit. Bodies may be longer, and tries several.
CLAIM_BYTES = 12 * 1024
# An answer in the audit, at most but for rare ones, and its place in the log.
ANSWER_BYTES = 256 * 1024
MEGABYTE = 1024 * 1024
_TOO_LITTLE = Message(
    "พื้นที่ว่างบนดิสก์ของ {place} เหลือ {free} MB ต้องมีอย่างน้อย {needed} MB จึงยังไม่ได้ส่งอะไร กรุณาเพิ่มพื้นที่ว่าง แล้วสั่งใหม่",
    "The disk of {place} has {free} MB of free room and {needed} MB are needed, so nothing was sent: make room and start again.",
)


class Reserve:
    """Room that is kept for a full disk, in a file without a name: it ends with the process, however that ends.

    Args:
        file: The file; None: nothing is kept.
    """

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file

    def release(self) -> None:
        """Give the room back to the disk."""
        if self._file:
            self._file.close()


def audit_file(url: URL) -> Path | None:
    """The file of a SQLite audit; None for one in memory or on a server."""
    on_disk = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    return Path(url.database or "").absolute() if on_disk else None


def check_room(url: URL, data_folder: Path, *, claims: int, concurrency: int, least_megabytes: int) -> None:
    """Make sure that there is room for what a run writes.

    Args:
        url: Of the audit database.
        data_folder: Where reports and logs go.
        claims: How many claims will be sent.
        concurrency: On how many connections.
        least_megabytes: What must be free besides.

    Raises:
        MophClaimError: There is too little.
    """
    least = least_megabytes * MEGABYTE
    file = audit_file(url)
    if file:
        _check(file.parent, least + claims * CLAIM_BYTES + _reserve_bytes(concurrency))
    if data_folder.exists():
        _check(data_folder, least)


def _check(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise _too_little(folder, needed)


def _too_little(folder: Path, needed: int) -> MophClaimError:
    free = shutil.disk_usage(folder).free
    return MophClaimError(_TOO_LITTLE.fill(place=folder, free=free // MEGABYTE, needed=-(-needed // MEGABYTE)))


def _reserve_bytes(concurrency: int) -> int:
    return 2 * concurrency * ANSWER_BYTES


@contextmanager
def reserved(url: URL, concurrency: int) -> Iterator[Reserve]:
    """Keep room for the answers that so many connections may still bring, while the block lasts.

    Raises:
        MophClaimError: There is too little room.
    """
    file, size = audit_file(url), _reserve_bytes(concurrency)
    if file is None:
        yield Reserve(None)
        return
    with ExitStack() as stack:
        try:
            kept = stack.enter_context(TemporaryFile(dir=file.parent))
            _allocate(kept, size)
        except OSError:
            raise _too_little(file.parent, size) from None
        yield Reserve(kept)


def _allocate(kept: IO[bytes], size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(kept.fileno(), 0, size)
        return
    for _ in range(0, size, MEGABYTE):
        kept.write(bytes(MEGABYTE))
    kept.flush()

"""What keeps Prefect from starting is said at once, not after a wait: no room on the disk, a database that cannot be used."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile

from core.errors import ConfigurationError
from core.messages import Message

ROOM_MB = 300
"""Prefect's pages take some 60 MB at the first start; the rest is for its database, for logs and for reports."""
_PROBE_BYTES = 1_000_000
_LOCK_SECONDS = 10
_TAIL_BYTES = 20_000
_DATABASE_VARIABLES = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
_FULL_BYTES = 2_000_000
_DISK_FULL = Message("ดิสก์เต็ม", "the disk is full")
# What the end of a part's log shows, and what that means; the first that is found counts.
_CAUSES = (
    (("No space left on device", "disk is full", "Disk quota exceeded"), _DISK_FULL),
    (
        ("file is not a database", "disk image is malformed"),
        Message("ฐานข้อมูลของ Prefect เสีย", "Prefect's database is broken"),
    ),
    (
        ("unable to open database file", "readonly database"),
        Message("เปิดฐานข้อมูลของ Prefect ไม่ได้", "Prefect's database cannot be opened"),
    ),
    (("database is locked",), Message("โปรแกรมอื่นใช้ฐานข้อมูลของ Prefect อยู่", "another program holds Prefect's database")),
    (
        ("Can't locate revision",),
        Message("ฐานข้อมูลของ Prefect ใหม่กว่าโปรแกรม", "Prefect's database is newer than the program"),
    ),
    (
        (
            "InvalidPasswordError",
            "ConnectionRefusedError",
            "InvalidCatalogNameError",
            "gaierror",
            "Connect call failed",
        ),
        Message("ต่อฐานข้อมูลของ Prefect ไม่ได้", "Prefect's database cannot be reached"),
    ),
    (("MemoryError", "Cannot allocate memory"), Message("หน่วยความจำไม่พอ", "there is too little memory")),
)


def check_readiness(data_folder: Path) -> None:
    """Check that Prefect has room on the disk, and that its SQLite database can be written.

    Raises:
        ConfigurationError: One of the two is not so.
    """
    home = data_folder / "prefect"
    _check_room(home)
    if not any(os.environ.get(name) for name in _DATABASE_VARIABLES):
        _check_database(home / "prefect.db")


class PartLogs:
    """The logs of the service's parts, which are appended to from one start to the next.

    Args:
        folder: Made if need be.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._begins: dict[str, int] = {}

    def begin(self, name: str) -> Path:
        """The log of a part that starts now."""
        log = self.folder / f"{name}.log"
        self._begins[name] = log.stat().st_size if log.exists() else 0
        return log

    def not_running(self, name: str) -> ConfigurationError:
        """The error for a part that has ended or does not get ready, with the cause if its log shows one."""
        log, cause = self.folder / f"{name}.log", self._cause(name)
        th, en = (f" ({cause.th})", f" ({cause.en})") if cause else ("", "")
        return ConfigurationError(
            Message(f"ส่วน {name} หยุดทำงาน{th} กรุณาดู {log}", f"The part {name} does not run{en}: see {log}.")
        )

    def _cause(self, name: str) -> Message | None:
        if shutil.disk_usage(self.folder).free < _FULL_BYTES:  # then the log may be empty
            return _DISK_FULL
        with (self.folder / f"{name}.log").open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._begins.get(name, 0), end - _TAIL_BYTES))
            tail = file.read().decode(errors="replace")
        return next((cause for signs, cause in _CAUSES if any(sign in tail for sign in signs)), None)


def _check_room(home: Path) -> None:
    try:
        free = shutil.disk_usage(home).free // 1_000_000
        with TemporaryFile(dir=home) as probe:  # quotas and read-only disks show when something is written
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise ConfigurationError(
            Message(
                f"เขียนใน {home} ไม่ได้ ({error.strerror}) กรุณาเพิ่มที่ว่างหรือแก้สิทธิ์",
                f"Nothing can be written in {home} ({error.strerror}): make room, or mend its rights.",
            )
        ) from None
    if free < ROOM_MB:
        raise ConfigurationError(
            Message(
                f"ดิสก์ของ {home} เหลือ {free} MB ต้องมีอย่างน้อย {ROOM_MB} MB กรุณาเพิ่มที่ว่างก่อนเริ่ม",
                f"The disk of {home} has {free} MB left and needs {ROOM_MB} MB: make room before the start.",
            )
        )


def _check_database(file: Path) -> None:
    if not file.exists():
        return
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_LOCK_SECONDS)
        ) as database:
            database.execute("begin immediate")
            database.execute("select count(*) from sqlite_master").fetchone()
            database.rollback()
    except sqlite3.Error as error:
        raise ConfigurationError(
            Message(
                f"ใช้ฐานข้อมูลของ Prefect {file} ไม่ได้ ({error}) ถ้าไฟล์เสีย ให้ย้ายไฟล์นี้ออก ระบบจะสร้างใหม่ บันทึกการส่งไม่ได้อยู่ในไฟล์นี้",
                f"Prefect's database {file} cannot be used ({error}): if it is broken, move it away, a new one is made; the "
                "audit is not in it.",
            )
        ) from None

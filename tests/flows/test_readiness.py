"""What keeps Prefect from starting is said before it is started, or as soon as it has ended."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from flows.service.readiness import PartLogs, check_readiness


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "prefect").mkdir()
    return tmp_path / "prefect"


def database(file: Path) -> Path:
    with sqlite3.connect(file) as made:
        made.execute("create table flow_run (id text)")
    made.close()
    return file


def refused(home: Path) -> str:
    """The sentence in English."""
    with pytest.raises(ConfigurationError) as error:
        check_readiness(home.parent)
    return error.value.message.en


def test_a_folder_with_room_and_a_sound_database_is_ready(home: Path) -> None:
    check_readiness(home.parent)
    database(home / "prefect.db")
    check_readiness(home.parent)
    assert [path.name for path in home.iterdir()] == ["prefect.db"]


def test_too_little_room_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, 10**6))
    assert "has 1 MB left and needs 300 MB: make room" in refused(home)


def test_a_disk_that_takes_nothing_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flows.service.readiness.TemporaryFile", full)
    assert "Nothing can be written in" in refused(home)


@pytest.mark.parametrize(
    "content", [b"not a database, not at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000], ids=["text", "bytes"]
)
def test_a_broken_database_is_said(home: Path, content: bytes) -> None:
    (home / "prefect.db").write_bytes(content)
    assert "move it away, a new one is made" in refused(home)


def test_a_database_whose_schema_is_overwritten_is_said(home: Path) -> None:
    file = database(home / "prefect.db")
    whole = bytearray(file.read_bytes())
    whole[100:4096] = b"\xaa" * 3996
    file.write_bytes(whole)
    assert "cannot be used" in refused(home)


def test_another_database_under_prefect_is_not_looked_for_in_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "prefect.db").write_bytes(b"not a database" * 100)
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://prefect@127.0.0.1/prefect")
    check_readiness(home.parent)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", " (the disk is full)"),
        ("sqlite3.OperationalError: database or disk is full", " (the disk is full)"),
        ("sqlite3.DatabaseError: database disk image is malformed", " (Prefect's database is broken)"),
        ("ConnectionRefusedError: [Errno 111] Connect call failed", " (Prefect's database cannot be reached)"),
        ("asyncpg.exceptions.InvalidPasswordError: for user prefect secret", " (Prefect's database cannot be reached)"),
        ("something else", ""),
    ],
)
def test_the_cause_is_taken_from_what_the_part_logged_since_it_began(tmp_path: Path, line: str, cause: str) -> None:
    logs = PartLogs(tmp_path / "logs")
    logs.begin("server").write_text("MemoryError, of an earlier start\n")
    log = logs.begin("server")
    with log.open("a") as out:
        out.write(f"{line}\n")
    assert logs.not_running("server").message.en == f"The part server does not run{cause}: see {log}."


def test_a_part_that_logged_nothing_has_no_cause(tmp_path: Path) -> None:
    logs = PartLogs(tmp_path / "logs")
    logs.begin("deploy").touch()
    assert "does not run: see" in logs.not_running("deploy").message.en


def test_a_full_disk_is_the_cause_where_the_log_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = PartLogs(tmp_path / "logs")
    logs.begin("server").touch()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, 0))
    assert "(the disk is full)" in logs.not_running("server").message.en

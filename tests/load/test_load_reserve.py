"""A full disk: too little room is said before anything is sent, and what fills up in mid-run loses no answer."""

import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from load_night import DAY, holding, make_claims, night, rows, settings_for, standing, told_ledger
from sqlalchemy import Engine, event, make_url

from core.errors import MophClaimError
from load.account_center import TokenSource
from load.database import open_audit
from load.delivery import Delivery
from load.errors import AuditFull
from load.ledger import Ledger
from load.reserve import CLAIM_BYTES, MEGABYTE, Reserve, check_room, reserved
from load.settings import ApiSettings
from load.states import DUE, State
from load.tables import claim, submission
from load.transactions import within
from sandbox.process import Sandbox
from transform.claim import KINDS

CLAIMS = 115


class DiskFull(sqlite3.OperationalError):
    """What SQLite says."""

    sqlite_errorname = "SQLITE_FULL"


class FullDisk:
    """A disk that is full for whoever inserts an exchange or marks an intent, until room is made."""

    def __init__(self, engine: Engine) -> None:
        self.full = False
        self.met = 0
        event.listen(engine, "before_cursor_execute", self._execute)

    def _execute(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self.full and statement.startswith(("INSERT", "UPDATE")):
            self.met += 1
            raise DiskFull("database or disk is full")


class ToldReserve(Reserve):
    """Makes room on such a disk."""

    def __init__(self, disk: FullDisk) -> None:
        super().__init__(None)
        self._disk = disk

    def release(self) -> None:
        self._disk.full = False


def test_answers_under_way_when_the_disk_fills_up_are_written_into_the_reserve(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.change(latency_ms=10)
    disk = FullDisk(audit)

    def fill(counts: Counter[State]) -> None:
        disk.full = disk.full or (counts.total() >= 30 and not disk.met)

    with pytest.raises(AuditFull, match="is full"), holding(audit) as held:
        ledger = told_ledger(audit, held, fill)
        ledger.intake.register(DAY, KINDS, make_claims(CLAIMS))
        tokens = TokenSource(api, held.hcode)
        with Delivery(api, ledger, tokens, 16, reserve=ToldReserve(disk)) as delivery:
            delivery.send_chunk(1, ledger.queue.due(DUE, KINDS, DAY, DAY, CLAIMS))
    assert disk.met == 1
    left, taken = standing(audit), sandbox.stats()["received"]
    assert left == {State.ACCEPTED: taken, State.READY: CLAIMS - taken}
    assert 30 <= taken < CLAIMS
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["received"] == len(rows(audit, submission)) == CLAIMS


def test_where_nothing_is_reserved_answers_wait_in_memory_for_room_while_patience_lasts(
    sandbox: Sandbox, api: ApiSettings, tmp_path: Path, empty_audit: Path
):
    """As on a database server, whose disk is not ours to see."""
    engine = open_audit(f"sqlite:///{shutil.copy(empty_audit, tmp_path)}", patience_seconds=60)
    disk = FullDisk(engine)
    sandbox.change(latency_ms=10)

    def fill(counts: Counter[State]) -> None:
        disk.full = disk.full or (counts.total() >= 30 and not disk.met)

    def make_room(*_: Any) -> None:
        if disk.met >= 3:
            disk.full = False

    event.listen(engine, "rollback", make_room)
    with pytest.raises(AuditFull):
        night(engine, api, make_claims(CLAIMS), on_progress=fill, concurrency=8)
    assert disk.met >= 3
    taken = sandbox.stats()["received"]
    assert standing(engine) == {State.ACCEPTED: taken, State.READY: CLAIMS - taken}
    engine.dispose()


def test_a_full_disk_is_waited_out_unless_told_otherwise(audit: Engine):
    patient = audit.execution_options(patience=60)
    disk = FullDisk(audit)
    tried: list[int] = []

    def work(connection: Any) -> int:
        tried.append(1)
        disk.full = len(tried) < 3
        return int(connection.execute(claim.update().values(tries=0)).rowcount)

    assert within(patient, work) == 0
    assert len(tried) == 3
    tried.clear()
    with pytest.raises(AuditFull):
        within(patient, work, wait_for_room=False)
    assert len(tried) == 1


# Room before sending.


def test_too_little_room_is_said_with_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    url = make_url(f"sqlite:///{tmp_path / 'audit.sqlite'}")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=150 * MEGABYTE))
    check_room(url, tmp_path, claims=1000, concurrency=16, least_megabytes=100)
    with pytest.raises(MophClaimError) as told:
        check_room(url, tmp_path, claims=10_000, concurrency=16, least_megabytes=100)
    assert "has 150 MB of free room and 226 MB are needed, so nothing was sent" in told.value.message.en
    server = make_url("mysql+pymysql://root@127.0.0.1/audit")
    check_room(server, tmp_path, claims=10_000, concurrency=16, least_megabytes=100)
    with pytest.raises(MophClaimError):  # reports go to the data folder all the same
        check_room(server, tmp_path, claims=0, concurrency=16, least_megabytes=200)


def test_the_reserve_takes_room_has_no_name_and_gives_it_back(tmp_path: Path):
    url = make_url(f"sqlite:///{tmp_path / 'audit.sqlite'}")
    with reserved(url, 4) as reserve:
        assert list(tmp_path.iterdir()) == []
        kept = reserve._file
        assert kept is not None
        assert os.fstat(kept.fileno()).st_blocks * 512 >= 2 * MEGABYTE
        reserve.release()
        reserve.release()
        assert kept.closed
    with reserved(make_url("postgresql+psycopg://127.0.0.1/audit"), 4) as nothing:
        nothing.release()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [4, 16])
def test_on_a_real_disk_that_is_full_in_mid_run_nothing_is_lost_or_sent_twice(
    sandbox: Sandbox, small_disk: Path, concurrency: int
):
    api = settings_for(sandbox)
    sandbox.change(latency_ms=10, second_submission="taken_again")
    engine = open_audit(f"sqlite:///{small_disk / 'audit.sqlite'}", patience_seconds=2)
    filled: list[int] = []

    def fill(counts: Counter[State]) -> None:
        if counts.total() >= 30 and not filled:
            filled.append(1)
            with (small_disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    try:
                        if not filler.write(bytes(4096)):
                            return
                    except OSError:
                        return

    with pytest.raises(AuditFull), reserved(engine.url, concurrency) as reserve, holding(engine) as held:
        ledger = told_ledger(engine, held, fill)
        ledger.intake.register(DAY, KINDS, make_claims(CLAIMS))
        with Delivery(api, ledger, TokenSource(api, held.hcode), concurrency, reserve=reserve) as delivery:
            delivery.send_chunk(1, ledger.queue.due(DUE, KINDS, DAY, DAY, CLAIMS))
            delivery.finish()
    taken = sandbox.stats()["received"]
    assert standing(engine) == {State.ACCEPTED: taken, State.READY: CLAIMS - taken}
    with holding(engine) as held, pytest.raises(MophClaimError, match="nothing was sent"):
        check_room(engine.url, small_disk, claims=CLAIMS, concurrency=concurrency, least_megabytes=100)
    (small_disk / "filler").unlink()
    night(engine, api)
    assert standing(engine) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["received"] == CLAIMS
    engine.dispose()


def test_a_claim_takes_no_more_room_than_is_reckoned(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    def size() -> int:
        with audit.connect().execution_options(isolation_level="AUTOCOMMIT", reading=True) as connection:
            connection.exec_driver_sql("rollback")
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        return Path(audit.url.database or "").stat().st_size

    with holding(audit) as held:
        Ledger(audit, held).intake.register(DAY, KINDS, make_claims(200))
    before = size()
    night(audit, api)
    assert (size() - before) / 200 < CLAIM_BYTES / 2

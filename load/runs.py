"""Runs: each is a row of the audit, and holds its facility while it is alive.

It holds it by a lease: a row in `facility_lock` that the run renews, and that the next run may take once it has expired.
So two runs of one facility never overlap, on one machine or several, and a run that was killed blocks no other for long.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.clock import now
from core.errors import as_sentence
from core.messages import Message
from load.chain import ChainEnd, beginning
from load.database_clock import DatabaseTime
from load.errors import FACILITY_BUSY, AuditError, FacilityBusy, StopRun
from load.seals import seal_run, what_run_wrote
from load.settings import AuditSettings
from load.tables import facility_lock, submission
from load.tables import run as run_table
from load.transactions import transaction, within

_LOST = Message(
    "การทำงานนี้เสียสิทธิ์ถือหน่วยบริการ เพราะเงียบไปนานเกินกำหนด จึงหยุดส่ง รอบถัดไปจะทำต่อเอง",
    "This run went silent for too long and lost its facility, so it stops sending; the next run goes on by itself.",
)
_STOPPED = Message(
    "การทำงานนี้ถูกสั่งหยุด (Ctrl-C, SIGTERM หรือ Cancel) คำตอบที่ได้บันทึกแล้ว รายการที่ยังไม่ได้คำตอบ รอบถัดไปจะสอบถามเอง",
    "This run was told to stop (Ctrl-C, SIGTERM or Cancel): answers that had come are written down; the next run asks about "
    "those that had not.",
)
_DIED = Message("การทำงานนี้หยุดไปกลางคัน", "This run ended without a word.")


@dataclass
class Run:
    """A run that holds its facility.

    Args:
        id: A UUID.
        environment: sandbox, uat or prd.
        hcode: The facility.
        lease_seconds: How long the lease lasts after the run's last renewal.
        counts: The run's counts; recorded when it ends.
        log_ins: How often it logged in; recorded when it ends.
        chain: The end of its chain of submissions, as far as it knows them to be committed.
    """

    id: str
    environment: str
    hcode: str
    lease_seconds: float
    counts: dict[str, Any] = field(default_factory=dict)
    log_ins: int = 0
    chain: ChainEnd = field(init=False)
    _held_until: float = field(init=False, default=0.0)  # by this machine's clock

    def __post_init__(self) -> None:
        self.chain = beginning(self.id)

    def mark_renewed(self, since: float) -> None:
        """Note that the lease was renewed at this time of `uptime`."""
        self._held_until = since + self.lease_seconds

    def check_hold(self) -> None:
        """Make sure, without asking the database, that the lease cannot have expired; the machine may have been suspended.

        Raises:
            StopRun: It may have.
        """
        if uptime() >= self._held_until:
            raise StopRun(_LOST)

    def fence(self, connection: Connection) -> None:
        """Prove, inside a transaction, that this run still holds its facility, and renew the lease.

        Raises:
            StopRun: It does not.
        """
        since = uptime()
        mine = update(facility_lock).where(
            facility_lock.c.environment == self.environment,
            facility_lock.c.hcode == self.hcode,
            facility_lock.c.run_id == self.id,
            facility_lock.c.expires_at > DatabaseTime(),
        )
        if connection.execute(mine.values(expires_at=DatabaseTime(self.lease_seconds))).rowcount != 1:
            raise StopRun(_LOST)
        self.mark_renewed(since)


def uptime() -> float:
    """Seconds since the machine was started, including those in which it was suspended where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@contextmanager
def start_run(
    engine: Engine,
    settings: AuditSettings,
    *,
    environment: str,
    hcode: str,
    flow: str,
    parameters: Mapping[str, object],
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[Run]:
    """Take the facility and record the run; however the run ends, record that and release the facility.

    Args:
        engine: The audit database.
        settings: How long the lease lasts, and how long to wait for another run.
        environment: sandbox, uat or prd.
        hcode: The facility.
        flow: The flow's name.
        parameters: The flow's parameters: nothing personal.
        on_wait: Called once with the other run's id, if there is one to wait for.

    Yields:
        The run; its `counts` are recorded when it ends.

    Raises:
        FacilityBusy: Another run held the facility for longer than `lock_wait_seconds`.
        AuditError: The audit cannot be used.
    """
    run = Run(str(uuid.uuid4()), environment, hcode, settings.lease_seconds)
    _wait_for_facility(engine, run, settings.lock_wait_seconds, on_wait)
    row = {
        "id": run.id,
        "environment": environment,
        "hcode": hcode,
        "flow": flow,
        "parameters": json.dumps(parameters, ensure_ascii=False, default=str),
        "state": "running",
        "started_at": now(),
        "log_ins": 0,
    }
    try:
        within(engine, lambda connection: _insert_run(connection, row))
        with _lease_renewed(engine, run):
            yield run
    except BaseException as error:
        message = as_sentence(error) if isinstance(error, Exception) else _STOPPED
        # If the audit itself has failed, the lease expires by itself and the next run closes this row.
        with suppress(AuditError):
            _end(engine, run, "failed", message)
        raise
    _end(engine, run, "completed", None)


def _insert_run(connection: Connection, row: dict[str, Any]) -> None:
    """Insert the run's row, unless it is there already: the answer to the commit may have been lost."""
    if connection.scalar(select(run_table.c.id).where(run_table.c.id == row["id"])) is None:
        connection.execute(run_table.insert(), row)


def _wait_for_facility(engine: Engine, run: Run, patience_seconds: int, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + patience_seconds
    reported = False
    while (holder := _take_facility(engine, run)) is not None:
        if time.monotonic() >= deadline:
            raise FacilityBusy(FACILITY_BUSY.fill(hcode=run.hcode, run=holder))
        if not reported:
            on_wait(holder)
            reported = True
        time.sleep(min(2.0, max(0.1, deadline - time.monotonic())))


def _take_facility(engine: Engine, run: Run) -> str | None:
    """Try to take the facility; returns None on success, else the run that holds it."""
    lock = facility_lock.c
    ours = (lock.environment == run.environment) & (lock.hcode == run.hcode)
    until = DatabaseTime(run.lease_seconds)

    def take(connection: Connection) -> str | None:
        # Lock the row before the lease begins: a run whose connection broke may keep it locked for a while.
        held = connection.execute(select(lock.run_id).where(ours).with_for_update()).scalar_one_or_none()
        run.mark_renewed(uptime())
        if held == run.id:  # the first commit's answer was lost
            return None
        if held is None:
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(facility_lock).values(
                            environment=run.environment, hcode=run.hcode, run_id=run.id, expires_at=until
                        )
                    )
            except IntegrityError:  # another run was faster
                return connection.execute(select(lock.run_id).where(ours)).scalar_one_or_none() or "?"
            return None
        took_over = update(facility_lock).where(ours, lock.run_id == held, lock.expires_at <= DatabaseTime())
        if connection.execute(took_over.values(run_id=run.id, expires_at=until)).rowcount != 1:
            return str(held)
        died = update(run_table).where(run_table.c.id == held, run_table.c.state == "running")
        end = _chain_end(connection, held)
        connection.execute(
            died.values(
                state="failed",
                ended_at=now(),
                message_th=_DIED.th,
                message_en=_DIED.en,
                exchanges=end.number,
                chain_hash=end.hash,
            )
        )
        seal_run(connection, held)
        return None

    return within(engine, take)


def _chain_end(connection: Connection, run_id: str) -> ChainEnd:
    query = select(submission.c.number, submission.c.hash).where(submission.c.run_id == run_id)
    last = connection.execute(query.order_by(submission.c.number.desc()).limit(1)).first()
    return ChainEnd(last.number, last.hash) if last else beginning(run_id)


@contextmanager
def _lease_renewed(engine: Engine, run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own, so that reading a slow HIS does not lose it."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(run.lease_seconds / 4):
            try:
                with transaction(engine) as connection:
                    run.fence(connection)
            except StopRun:
                return  # the next intent fails at the same fence, which stops the run
            except AuditError:
                continue  # the database may come back before the lease expires

    thread = threading.Thread(target=renew, name="facility-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _end(engine: Engine, run: Run, state: str, message: Message | None) -> None:
    ended = update(run_table).where(run_table.c.id == run.id)
    ended = ended.values(
        state=state,
        ended_at=now(),
        log_ins=run.log_ins,
        counts=json.dumps(run.counts, ensure_ascii=False),
        message_th=message.th if message else None,
        message_en=message.en if message else None,
    )
    lock = facility_lock.c
    given_back = delete(facility_lock).where(
        lock.environment == run.environment, lock.hcode == run.hcode, lock.run_id == run.id
    )

    # Read before the transaction that writes: on SQLite that one keeps all others waiting.
    written = within(engine, lambda connection: what_run_wrote(connection, run.id), reading=True)

    def end(connection: Connection) -> None:
        # Not the run's own: the answer to its last commit may have been lost.
        chain = _chain_end(connection, run.id)
        connection.execute(ended.values(exchanges=chain.number, chain_hash=chain.hash))
        seal_run(connection, run.id, written)
        connection.execute(given_back)

    within(engine, end)


def try_writing(engine: Engine, environment: str) -> None:
    """Try to write to the audit, and roll it back.

    Raises:
        AuditError: It cannot be written.
    """
    nobody = {"environment": environment, "hcode": "00000"}
    with transaction(engine) as connection:
        try_out = connection.begin_nested()
        connection.execute(insert(facility_lock).values(run_id="doctor", expires_at=now(), **nobody))
        try_out.rollback()

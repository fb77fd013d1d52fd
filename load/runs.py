"""Runs: each is a row of the audit, and holds its facility while it lives.

The hold is a lease: a row in `facility_lock` that the run renews, and that the next run may take once it has run out.
So two runs of one facility never overlap, on one machine or several, and a run that was killed blocks nobody for long.
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
from core.errors import MophClaimError
from core.messages import Message
from load.chain import ChainEnd, beginning
from load.database import DatabaseTime, transaction, within
from load.errors import FACILITY_BUSY, AuditError, FacilityBusy, StopRun
from load.settings import AuditSettings
from load.tables import facility_lock, submission
from load.tables import run as run_table

_LOST = Message(
    "การทำงานนี้เสียสิทธิ์ถือหน่วยบริการ เพราะเงียบไปนานเกินกำหนด จึงหยุดส่ง รอบถัดไปจะทำต่อเอง",
    "This run went silent for too long and lost its facility, so it stops sending; the next run goes on by itself.",
)
_DIED = Message("การทำงานนี้หยุดไปกลางคัน", "This run ended without a word.")


@dataclass
class Run:
    """A run that holds its facility.

    Args:
        id: A UUID.
        environment: sandbox, uat or prd.
        hcode: The facility.
        lease_seconds: How long the hold outlives the run's last sign of life.
        counts: What the run counted; written when it ends.
        log_ins: How often it logged in; written when it ends.
        chain: Where its chain of submissions ends; written when it ends.
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

    def hold(self, since: float) -> None:
        """The lease was renewed at this moment of `uptime`."""
        self._held_until = since + self.lease_seconds

    def check_hold(self) -> None:
        """Make sure, without asking the database, that the lease cannot have run out: a machine may have stood still.

        Raises:
            StopRun: It may have.
        """
        if uptime() >= self._held_until:
            raise StopRun(_LOST)

    def fence(self, connection: Connection) -> None:
        """Prove, inside a transaction, that this run still holds its facility, and renew the hold.

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
        self.hold(since)


def uptime() -> float:
    """Seconds since the machine was started, those in which it slept among them where the system counts them."""
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
    """Take the facility, write the run down, and give both back however the run ends.

    Args:
        engine: The audit database.
        settings: Lease and patience.
        environment: sandbox, uat or prd.
        hcode: The facility.
        flow: The flow's name.
        parameters: What it was called with: nothing personal.
        on_wait: Told the other run's id once, if there is one to wait for.

    Yields:
        The run; its `counts` are written when it ends.

    Raises:
        FacilityBusy: Another run held the facility for longer than we wait.
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
        within(engine, lambda connection: _write_down(connection, row))
        with _kept_alive(engine, run):
            yield run
    except BaseException as error:
        message = error.message if isinstance(error, MophClaimError) else _DIED
        # Where the audit itself is the trouble, the lease runs out by itself and the next run closes this row.
        with suppress(AuditError):
            _end(engine, run, "failed", message)
        raise
    _end(engine, run, "completed", None)


def _write_down(connection: Connection, row: dict[str, Any]) -> None:
    """The run's row, unless it stands there already: the answer to its commit may have been lost."""
    if connection.scalar(select(run_table.c.id).where(run_table.c.id == row["id"])) is None:
        connection.execute(run_table.insert(), row)


def _wait_for_facility(engine: Engine, run: Run, patience_seconds: int, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + patience_seconds
    told = False
    while (holder := _take_facility(engine, run)) is not None:
        if time.monotonic() >= deadline:
            raise FacilityBusy(FACILITY_BUSY.fill(hcode=run.hcode, run=holder))
        if not told:
            on_wait(holder)
            told = True
        time.sleep(min(2.0, max(0.1, deadline - time.monotonic())))


def _take_facility(engine: Engine, run: Run) -> str | None:
    """None when the facility is ours, else the run that holds it."""
    lock = facility_lock.c
    ours = (lock.environment == run.environment) & (lock.hcode == run.hcode)
    until = DatabaseTime(run.lease_seconds)

    def take(connection: Connection) -> str | None:
        # Locked before the lease is reckoned: a run that was cut off may keep us waiting here.
        held = connection.execute(select(lock.run_id).where(ours).with_for_update()).scalar_one_or_none()
        run.hold(uptime())
        if held == run.id:  # a commit whose answer was lost
            return None
        if held is None:
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(facility_lock).values(
                            environment=run.environment, hcode=run.hcode, run_id=run.id, expires_at=until
                        )
                    )
            except IntegrityError:  # another run came between
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
        return None

    return within(engine, take)


def _chain_end(connection: Connection, run_id: str) -> ChainEnd:
    query = select(submission.c.number, submission.c.hash).where(submission.c.run_id == run_id)
    last = connection.execute(query.order_by(submission.c.number.desc()).limit(1)).first()
    return ChainEnd(last.number, last.hash) if last else beginning(run_id)


@contextmanager
def _kept_alive(engine: Engine, run: Run) -> Iterator[None]:
    """Renew the hold from a thread of its own: reading a slow HIS must not lose it."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(run.lease_seconds / 4):
            try:
                with transaction(engine) as connection:
                    run.fence(connection)
            except StopRun:
                return  # the next intent meets the same fence, and stops the run
            except AuditError:
                continue  # the database may come back before the lease is over

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
        exchanges=run.chain.number,
        chain_hash=run.chain.hash,
    )
    lock = facility_lock.c
    given_back = delete(facility_lock).where(
        lock.environment == run.environment, lock.hcode == run.hcode, lock.run_id == run.id
    )

    def end(connection: Connection) -> None:
        connection.execute(ended)
        connection.execute(given_back)

    within(engine, end)


def try_writing(engine: Engine, environment: str) -> None:
    """Write to the audit and take it back; nothing stays.

    Raises:
        AuditError: It cannot be written.
    """
    nobody = {"environment": environment, "hcode": "00000"}
    with transaction(engine) as connection:
        try_out = connection.begin_nested()
        connection.execute(insert(facility_lock).values(run_id="doctor", expires_at=now(), **nobody))
        try_out.rollback()

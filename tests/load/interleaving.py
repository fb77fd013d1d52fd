"""A run as a process that dies, or stands still for a while, at a chosen step: what `kill -9` and a laptop's lid do."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Literal, Self

from load_night import holding
from sqlalchemy import Engine, event

from core.errors import MophClaimError
from load.account_center import TokenSource
from load.connections import WatchedAdapter
from load.database import connect
from load.delivery import Delivery
from load.errors import AuditError
from load.ledger import Ledger
from load.runs import Run
from load.settings import ApiSettings
from load.states import State
from transform.claim import KINDS, Claim

Way = Literal["dies", "freezes"]
# Longer than any test: no run renews its hold by itself, so a test alone says when it has run out.
LEASE_SECONDS = 3600.0


class Killed(BaseException):
    """The process is gone: nothing that comes after may leave a trace."""


class Process:
    """One process: an engine of its own, and a gate before and after everything it does to the world.

    A step is the beginning of a transaction, the instant before its commit and the one after, the instant before a
    request leaves and the one after its answer's head has come.

    Args:
        engine: The audit; the process opens it anew.
        way: What happens at that step.
        at: The step's number, from 1; 0: nothing happens.
    """

    def __init__(self, engine: Engine, way: Way = "dies", at: int = 0) -> None:
        self.engine = connect(engine.url.render_as_string(hide_password=False))
        self.run: Run | None = None
        self.failure: BaseException | None = None
        self._way = way
        self._at = at
        self._steps = 0
        self._dead = self._frozen = False
        self._before_the_wire = self._on_the_wire = 0
        self._changed = threading.Condition()  # guards all of the above
        self._thread: threading.Thread | None = None
        commit = self.engine.dialect.do_commit

        def do_commit(connection: Any) -> None:
            self.step(inside=True)
            commit(connection)
            self.step(inside=True)

        self.engine.dialect.do_commit = do_commit  # type: ignore[method-assign]
        event.listen(self.engine, "checkout", lambda *_: self.step())

    def step(self, *, inside: bool = False) -> None:
        """Pass the gate; who is inside a transaction, and may hold a lock, does not freeze there."""
        with self._changed:
            self._steps += 1
            if self._at and self._steps >= self._at and not (inside and self._way == "freezes"):
                self._at = 0
                self._dead, self._frozen = self._way == "dies", self._way == "freezes"
                self._changed.notify_all()
            if not inside:
                self._changed.wait_for(lambda: not self._frozen)
            if self._dead:
                raise Killed

    @contextmanager
    def wire(self) -> Iterator[None]:
        """One request's way to the server and back."""
        with self._changed:
            self._before_the_wire += 1
        try:
            self.step()
        finally:
            with self._changed:
                self._before_the_wire -= 1
        with self._changed:
            self._on_the_wire += 1
        try:
            yield
        finally:
            with self._changed:
                self._on_the_wire -= 1
                self._changed.notify_all()
        self.step()

    def start(self, work: Callable[["Process"], None]) -> Self:
        """Let it work until it has ended or stands still, every request that had left answered."""

        def ended() -> None:
            try:
                work(self)
            except BaseException as error:
                self.failure = error
            finally:
                with self._changed:
                    self._frozen = False
                    self._thread = None
                    self._changed.notify_all()

        self._thread = threading.Thread(target=ended, name="process", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None or (self._frozen and not self._on_the_wire))
        if not self.frozen:
            self.engine.dispose()
        return self

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        with self._changed:
            return self._thread is not None

    def wake(self, dies_after: int = 0) -> int:
        """Let it go on to its end, or to its death so many steps later; gives how many requests were about to leave."""
        with self._changed:
            about_to_leave = self._before_the_wire
            self._way, self._at = "dies", dies_after and self._steps + dies_after
            self._frozen = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._thread is None)
        self.engine.dispose()
        return about_to_leave


class _Wire(WatchedAdapter):
    def __init__(self, process: Process, connections: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections)
        self._process = process

    def send(self, *request: Any, **options: Any) -> Any:
        with self._process.wire():
            return super().send(*request, **options)


def night(
    process: Process,
    settings: ApiSettings,
    hcode: str,
    claims: Sequence[Claim],
    days: Sequence[date],
    *,
    states: Collection[State],
    concurrency: int,
    give_up_before: date,
) -> None:
    """A whole run in this process: recover, register all days, send what is due, give up."""
    with holding(process.engine, hcode=hcode, lease=LEASE_SECONDS) as run:
        process.run = run
        ledger = Ledger(process.engine, run)
        ledger.writer.recover()
        for day in days:
            ledger.intake.register(day, KINDS, [c for c in claims if c.service_date == day])
        with Delivery(settings, ledger, TokenSource(settings, hcode), concurrency) as delivery:
            delivery._api._transport.adapter = _Wire(process, concurrency)
            number = 0
            while due := ledger.queue.due(states, KINDS, min(days), max(days), 3):
                number += 1
                delivery.send_chunk(number, due)
            delivery.finish()
        ledger.writer.give_up(give_up_before)


def ended_in_order(process: Process) -> bool:
    """Whether it ended, died, or stopped for a reason of the outside world."""
    failure = process.failure
    told = isinstance(failure, MophClaimError) and not isinstance(failure, AuditError)
    return failure is None or told or isinstance(failure, Killed)

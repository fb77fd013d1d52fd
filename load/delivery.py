"""Sending a run's claims over several connections: every exchange is recorded, each claim sent exactly once.

Only one thread writes to the audit. It commits the intents of the next few claims together with the answers that have
come, passes those claims to the sending threads, and gathers their answers. The calling thread does not write: it may
be interrupted at any instant, and it prepares the next chunk while the last answers of a chunk are still to come.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from core.messages import Message
from load.account_center import TokenSource
from load.batch import Batch, SubmissionRecord, SubmissionResult
from load.breaker import Breaker, StopSignal
from load.claim_submission import ClaimSender, Unsent
from load.errors import StopRun
from load.ledger import Ledger
from load.moph_claim_api import MophClaimApi
from load.queue import DueClaim
from load.settings import ApiSettings
from load.states import State
from load.worker_pool import WorkerPool

# An answer waits at most this long for others to be committed with it.
GATHER_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Chunk:
    number: int
    due: Sequence[DueClaim]


class _End:
    """No further chunk will come."""


_Intent = tuple[int, DueClaim]  # with the number of its chunk
_Report = SubmissionRecord | SubmissionResult | Unsent  # from a sending thread
_Item = _Chunk | _End | _Report


class Delivery:
    """Sends a run's claims.

    Use it as a context manager: its exit stops sending, records the answers to what is under way, and closes the
    connections.

    Args:
        settings: Address, time-outs, retries.
        ledger: Where intents and answers are committed.
        tokens: The run's log-in.
        concurrency: How many threads send at once. Twice as many claims are handed to them, so that none waits for work.
        notify: Called in a sending thread when sending pauses because MOPH Claim is down, and when it resumes.
    """

    def __init__(
        self,
        settings: ApiSettings,
        ledger: Ledger,
        tokens: TokenSource,
        concurrency: int,
        notify: Callable[[Message], None] = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._concurrency = concurrency
        self._api = MophClaimApi(settings, concurrency)
        self._stop_signal = StopSignal()
        breaker = Breaker(settings, self._stop_signal, notify)
        self._sender = ClaimSender(settings, self._api, ledger, tokens, self._stop_signal, breaker)
        self._pool: WorkerPool[_Item] = WorkerPool(concurrency, "send", self._stop_signal)
        self._changed = threading.Condition()  # guards the four that follow
        self._waiting = 0  # claims given to `send_chunk` whose intent is not committed yet
        self._under_way = 0
        self._counts: Counter[State] = Counter()
        self._failure: BaseException | None = None
        self._writer = threading.Thread(target=self._run_writer, name="write", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_signal.stop(None)
        self._pool.put(_End())
        self._writer.join()
        self._pool.close()
        self._api.close()

    @property
    def counts(self) -> Counter[State]:
        """How many of the claims sent so far are in each state, as committed."""
        with self._changed:
            return self._counts.copy()

    def send_chunk(self, number: int, due: Sequence[DueClaim]) -> None:
        """Send a chunk. Returns when the last of its claims are under way and there is room for the next chunk; `finish`
        waits for their answers.

        Args:
            number: The chunk's number in the run, from 1.
            due: The claims to send.

        Raises:
            StopRun: Every further claim would fail in the same way. Answers are committed, the other claims unchanged.
            LoginError: The token expired and the log-in gave no other; as above.
            AuditError: The audit cannot be written. Claims under way are in doubt in the next run.
        """
        with self._changed:
            self._waiting += len(due)
        self._pool.put(_Chunk(number, due))
        self._wait(under_way=self._concurrency * 3 // 2)

    def finish(self) -> None:
        """Wait until every answer is committed.

        Raises:
            MophClaimError: As `send_chunk`.
        """
        self._wait(under_way=0)

    def _wait(self, under_way: int) -> None:
        def done() -> bool:
            few = 0 if self._stop_signal.stopped() else under_way
            return self._failure is not None or (not self._waiting and self._under_way <= few)

        with self._changed:
            try:
                self._changed.wait_for(done)
            except BaseException:  # Ctrl-C, or a cancelled run: answers of what is under way are still recorded
                self._stop_signal.stop(None)
                self._changed.wait_for(done)
                raise
        if reason := self._failure or self._stop_signal.reason:
            raise reason

    def _run_writer(self) -> None:
        """The writing thread, until no chunk is to come and nothing is under way."""
        waiting: deque[_Intent] = deque()
        reports: list[_Report] = []
        under_way = 0
        more = True
        try:
            while more or under_way or reports:
                under_way -= sum(not isinstance(r, SubmissionRecord) for r in reports)
                intents = [waiting.popleft() for _ in range(self._room(len(waiting), under_way))]
                committed = self._commit([] if self._stop_signal.stopped() else intents, reports)
                for number, due in committed:
                    self._pool.submit(partial(self._sender.send_claim, number, due, self._pool.put))
                under_way += len(committed)
                self._publish(len(intents), under_way, reports)
                reports = []
                for item in self._gather() if under_way or (more and not waiting) else []:
                    if isinstance(item, _Chunk):
                        waiting.extend((item.number, due) for due in item.due)
                    elif isinstance(item, _End):
                        more = False
                    else:
                        reports.append(item)
        except BaseException as failure:
            self._stop_signal.stop(None)
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _room(self, waiting: int, under_way: int) -> int:
        """How many waiting claims to take up. Once sending has stopped: all, which are dropped. Else so many that twice as
        many as there are threads are under way, which keeps every thread busy while the audit is being written."""
        return waiting if self._stop_signal.stopped() else min(waiting, 2 * self._concurrency - under_way)

    def _gather(self) -> list[_Item]:
        return self._pool.gather(2 * self._concurrency, GATHER_SECONDS)

    def _commit(self, intents: list[_Intent], reports: Sequence[_Report]) -> list[_Intent]:
        """Commit reports and intents; returns the intents that may be sent."""
        if not intents and not reports:
            return []
        try:
            return self._write(intents, reports)
        except StopRun as lost:  # another run has the facility: nothing more is sent, but answers are recorded
            self._stop_signal.stop(lost)
            return self._write([], reports)

    def _write(self, intents: Sequence[_Intent], reports: Sequence[_Report]) -> list[_Intent]:
        batch = Batch(
            intents=[due for _, due in intents],
            records=[r for r in reports if isinstance(r, SubmissionRecord)],
            results=[r for r in reports if isinstance(r, SubmissionResult)],
            unsent=[r.due for r in reports if isinstance(r, Unsent)],
        )
        committed = {due.id for due in self._ledger.writer.write(batch)}
        return [(number, due) for number, due in intents if due.id in committed]

    def _publish(self, taken_up: int, under_way: int, reports: Sequence[_Report]) -> None:
        with self._changed:
            self._waiting -= taken_up
            self._under_way = under_way
            self._counts.update(r.state for r in reports if isinstance(r, SubmissionResult))
            self._changed.notify_all()

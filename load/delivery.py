"""Sending a run's claims over several connections: every exchange is recorded, each claim sent exactly once.

The calling thread does not write to the audit (`load.delivery_writer` does): it may be interrupted at any instant, and it
prepares the next chunk while the last answers of a chunk are still to come.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from core.messages import Message
from load.account_center import TokenSource
from load.breaker import Breaker, StopSignal
from load.claim_submission import ClaimSender
from load.delivery_writer import Abandon, Chunk, DeliveryWriter, End, Finish, Item, Progress
from load.ledger import Ledger
from load.moph_claim_api import MophClaimApi
from load.queue import DueClaim
from load.reserve import Reserve
from load.settings import ApiSettings
from load.states import State
from load.worker_pool import WorkerPool, start_thread

# When the sending is left before its end (Ctrl-C, SIGTERM, Cancel), answers that are on their way may still come for
# GRACE_SECONDS; then the connections are closed, and what is under way is written down as in doubt. Each of these two steps
# takes STEP_SECONDS at most, so that a run ends within 15 s whatever the server does.
GRACE_SECONDS = 5.0
STEP_SECONDS = 2.0


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
        reserve: Room for the answers that are still to come when the audit's disk is full.

    Raises:
        MophClaimError: The operating system gives no thread; nothing was sent.
    """

    def __init__(
        self,
        settings: ApiSettings,
        ledger: Ledger,
        tokens: TokenSource,
        concurrency: int,
        notify: Callable[[Message], None] = lambda _: None,
        reserve: Reserve | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._tokens = tokens
        self._api = MophClaimApi(settings, concurrency)
        self._stop_signal = StopSignal()
        breaker = Breaker(settings, self._stop_signal, notify)
        sender = ClaimSender(settings, self._api, ledger, tokens, self._stop_signal, breaker)
        self._pool: WorkerPool[Item] = WorkerPool(concurrency, "send")
        self._progress = Progress()
        writer = DeliveryWriter(sender, self._pool, self._progress, concurrency, reserve)
        self._writer = start_thread(writer.run, "write")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_signal.stop(None)
        self._pool.put(End())
        try:
            self._writer.join(GRACE_SECONDS)
        finally:  # also after a second Ctrl-C, which ends the wait
            self._end_exchanges()
            self._api.close()

    def _end_exchanges(self) -> None:
        if self._writer.is_alive():
            self._api.abort()
            self._tokens.abort()
            self._writer.join(STEP_SECONDS)
        if self._writer.is_alive():  # a thread hangs where it cannot be reached: nothing of it is sent any more
            self._pool.put(Abandon())
            self._writer.join(STEP_SECONDS)
        self._pool.close(STEP_SECONDS)

    @property
    def counts(self) -> Counter[State]:
        """How many of the claims sent so far are in each state, as committed."""
        with self._progress.changed:
            return self._progress.counts.copy()

    @property
    def asked(self) -> Counter[State]:
        """How many of the claims that were only asked about are in each state since, as committed."""
        with self._progress.changed:
            return self._progress.asked.copy()

    @property
    def looks_shared(self) -> Message | None:
        """Whether the answers look as if others sent claims of the same facility; then a sentence, else None."""
        with self._progress.changed:
            return self._progress.first_sendings.looks_shared()

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
        with self._progress.changed:
            self._progress.waiting += len(due)
        self._pool.put(Chunk(number, due))
        self._wait(under_way=self._concurrency * 3 // 2)

    def finish(self) -> None:
        """Wait until every answer is committed; claims that made way for others go again first.

        Raises:
            MophClaimError: As `send_chunk`; or the program had a fault of its own, and the claim it met is in doubt.
        """
        self._pool.put(Finish())
        self._wait(under_way=None)
        if self._progress.fault:
            raise self._progress.fault

    def _wait(self, under_way: int | None) -> None:
        """Wait until so many are under way; None: until nothing is left to do, the deferred claims included."""
        progress = self._progress

        def done() -> bool:
            if progress.failure is not None:
                return True
            if under_way is None or self._stop_signal.stopped():
                return not (progress.waiting or progress.under_way or progress.deferred)
            return not progress.waiting and progress.under_way <= under_way

        try:
            with progress.changed:
                progress.changed.wait_for(done)
        except BaseException:  # Ctrl-C, or a cancelled run: no more is sent from this instant on
            self._stop_signal.stop(None)
            raise
        if reason := progress.failure or self._stop_signal.reason:
            raise reason

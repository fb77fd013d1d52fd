"""Sending a run's claims: a handful of connections, every exchange written down, each claim exactly once.

One thread alone writes to the audit. It commits the intents of the next few claims together with the answers that
have come, hands those claims to the sending threads, and gathers their answers. It is not the calling thread: that one
may be interrupted at any instant, and turns to the next chunk while the last answers of this one are still to come.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from core.messages import Message
from load.account_center import TokenSource
from load.breaker import Breaker, StopSignal
from load.errors import StopRun
from load.ledger import DueClaim, Ledger, SubmissionRecord, SubmissionResult
from load.moph_claim import MophClaimApi
from load.sending import ClaimSender, Unsent
from load.settings import ApiSettings
from load.states import State

# An answer waits at most this long for others to be committed with it.
GATHER_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Chunk:
    number: int
    due: Sequence[DueClaim]


class _NoMore:
    """No further chunk will come."""


_Intent = tuple[int, DueClaim]
_Came = SubmissionRecord | SubmissionResult | Unsent
_News = _Chunk | _NoMore | _Came | BaseException


class Delivery:
    """The connections of one run. Use it as a context: leaving it sends nothing more, writes down what is under way and
    closes them.

    Args:
        settings: Address, time-outs, retries.
        ledger: Where intents and answers are committed.
        tokens: The run's log-in.
        concurrency: How many claims are under way at once.
        tell: Told, in a sending thread, when sending pauses because MOPH Claim is down, and when it goes on.
    """

    def __init__(
        self,
        settings: ApiSettings,
        ledger: Ledger,
        tokens: TokenSource,
        concurrency: int,
        tell: Callable[[Message], None] = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._concurrency = concurrency
        self._api = MophClaimApi(settings, concurrency)
        self._halt = StopSignal()
        breaker = Breaker(settings, self._halt, tell)
        self._sender = ClaimSender(settings, self._api, ledger, tokens, self._halt, breaker)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="send")
        self._news: SimpleQueue[_News] = SimpleQueue()
        self._changed = threading.Condition()  # guards the four that follow
        self._waiting = 0  # claims handed in whose intent is not committed yet
        self._under_way = 0
        self._counts: Counter[State] = Counter()
        self._failure: BaseException | None = None
        self._writer = threading.Thread(target=self._write_on, name="write", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._halt.stop(None)
        self._news.put(_NoMore())
        self._writer.join()
        self._threads.shutdown(wait=True)
        self._api.close()

    @property
    def counts(self) -> Counter[State]:
        """Where the claims sent so far stand, as committed."""
        with self._changed:
            return self._counts.copy()

    def send_chunk(self, number: int, due: Sequence[DueClaim]) -> None:
        """Send a chunk. Returns when the last of it are under way and the connections want the next; `finish` waits for
        their answers.

        Args:
            number: The chunk's number in the run, from 1.
            due: The claims to send.

        Raises:
            StopRun: Every further claim would fail alike. What was answered is committed, the rest is as it was.
            LoginError: The token ran out and no other was to be had; as above.
            AuditError: The audit cannot be written. What was under way is in doubt in the next run.
        """
        with self._changed:
            self._waiting += len(due)
        self._news.put(_Chunk(number, due))
        self._wait(under_way=self._concurrency * 3 // 2)

    def finish(self) -> None:
        """Wait until every answer is committed.

        Raises:
            MophClaimError: As `send_chunk`.
        """
        self._wait(under_way=0)

    def _wait(self, under_way: int) -> None:
        def done() -> bool:
            few = 0 if self._halt.stopped() else under_way
            return self._failure is not None or (not self._waiting and self._under_way <= few)

        with self._changed:
            try:
                self._changed.wait_for(done)
            except BaseException:  # Ctrl-C, or a cancelled run: what is under way is still written down
                self._halt.stop(None)
                self._changed.wait_for(done)
                raise
        if reason := self._failure or self._halt.reason:
            raise reason

    def _write_on(self) -> None:
        """The writing thread, until there is no more to come and nothing under way."""
        waiting: deque[_Intent] = deque()
        came: list[_Came] = []
        under_way = 0
        more = True
        try:
            while more or under_way or came:
                under_way -= sum(not isinstance(n, SubmissionRecord) for n in came)
                # Twice as many as there are threads: none waits while the audit is being written.
                room = len(waiting) if self._halt.stopped() else min(len(waiting), 2 * self._concurrency - under_way)
                intents = [waiting.popleft() for _ in range(room)]
                going = self._commit([] if self._halt.stopped() else intents, came)
                for number, due in going:
                    self._threads.submit(self._deliver, number, due)
                under_way += len(going)
                self._tell(len(intents), under_way, came)
                came = []
                for n in self._gather() if under_way or (more and not waiting) else []:
                    if isinstance(n, BaseException):
                        raise n
                    if isinstance(n, _Chunk):
                        waiting.extend((n.number, due) for due in n.due)
                    elif isinstance(n, _NoMore):
                        more = False
                    else:
                        came.append(n)
        except BaseException as failure:
            self._halt.stop(None)
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _gather(self) -> list[_News]:
        """What has come: waits for the first, then a moment for others to be committed with it."""
        news = [self._news.get()]
        deadline = time.monotonic() + GATHER_SECONDS
        while len(news) < 2 * self._concurrency:
            try:
                news.append(self._news.get(timeout=max(0.0, deadline - time.monotonic())))
            except Empty:
                break
        return news

    def _commit(self, intents: list[_Intent], came: Sequence[_Came]) -> list[_Intent]:
        """Write down what has come and what is about to go; gives what may go."""
        if not intents and not came:
            return []
        try:
            return self._write(intents, came)
        except StopRun as lost:  # the facility is another's: nothing more goes, but what was answered stands
            self._halt.stop(lost)
            return self._write([], came)

    def _write(self, intents: Sequence[_Intent], came: Sequence[_Came]) -> list[_Intent]:
        going = self._ledger.write(
            intents=[due for _, due in intents],
            records=[n for n in came if isinstance(n, SubmissionRecord)],
            verdicts=[n for n in came if isinstance(n, SubmissionResult)],
            unsent=[n.due for n in came if isinstance(n, Unsent)],
        )
        marked = {due.id for due in going}
        return [(number, due) for number, due in intents if due.id in marked]

    def _tell(self, taken_up: int, under_way: int, came: Sequence[_Came]) -> None:
        with self._changed:
            self._waiting -= taken_up
            self._under_way = under_way
            self._counts.update(n.state for n in came if isinstance(n, SubmissionResult))
            self._changed.notify_all()

    def _deliver(self, chunk: int, due: DueClaim) -> None:
        """One claim, in a sending thread: its last word is a verdict, `Unsent`, or the bug that kept it from either."""
        try:
            self._news.put(self._sender.settle(chunk, due, self._news.put))
        except BaseException as bug:
            self._halt.stop(None)
            self._news.put(bug)

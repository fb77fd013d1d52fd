"""The thread that writes to the audit while claims are sent, the only one.

It commits the intents of the next few claims together with the answers that have come, passes those claims to the sending
threads, and gathers their answers. Whatever happens to one of these, the others' answers are committed.
"""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.errors import MophClaimError, as_sentence
from load.batch import Batch, SubmissionRecord, SubmissionResult
from load.claim_submission import ClaimSender, ClaimSubmission, Deferred, Unsent
from load.errors import AuditAway, AuditFull, StopRun
from load.first_sendings import FirstSendings
from load.queue import DueClaim
from load.reserve import Reserve
from load.states import State
from load.worker_pool import WorkerPool

# An answer waits at most this long for others to be committed with it.
GATHER_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Chunk:
    """Claims to send.

    Args:
        number: The chunk's number in the run.
        due: The claims; their intents are not committed yet.
    """

    number: int
    due: Sequence[DueClaim]


class Finish:
    """All claims have been handed over: those that made way for others go again."""


class End:
    """The sending is left: nothing more will come."""


class Abandon:
    """What is under way is not waited for any longer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the program in the sending of a claim.

    Args:
        submission: The claim's.
        error: What was raised.
    """

    submission: ClaimSubmission
    error: BaseException


_Report = SubmissionRecord | SubmissionResult | Unsent
Item = Chunk | Finish | End | Abandon | Fault | Deferred | _Report


@dataclass
class Progress:
    """How far a delivery has come; `changed` guards it.

    Args:
        changed: Notified of every change.
        waiting: Claims handed over whose intent is not committed yet.
        under_way: Claims in the hands of the sending threads.
        deferred: Claims that made way for others.
        counts: Claims that were sent, by state, as committed.
        asked: Claims that were only asked about, by state, as committed.
        first_sendings: Answers to claims that were sent for the first time.
        fault: A fault of the program that one claim met.
        failure: Why the writing thread has ended before its time.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: int = 0
    under_way: int = 0
    deferred: int = 0
    counts: Counter[State] = field(default_factory=Counter)
    asked: Counter[State] = field(default_factory=Counter)
    first_sendings: FirstSendings = field(default_factory=FirstSendings)
    fault: MophClaimError | None = None
    failure: BaseException | None = None


class DeliveryWriter:
    """The writing thread of a delivery.

    Args:
        sender: What the sending threads share.
        pool: The sending threads.
        progress: Where it tells how far it has come.
        concurrency: How many threads there are at most.
        reserve: Room that is given up when the disk is full.
    """

    def __init__(
        self,
        sender: ClaimSender,
        pool: WorkerPool[Item],
        progress: Progress,
        concurrency: int,
        reserve: Reserve | None,
    ) -> None:
        self._sender = sender
        self._stop_signal = sender.stop_signal
        self._pool = pool
        self._progress = progress
        self._most = 2 * concurrency  # which keeps every thread busy while the audit is being written
        self._reserve = reserve
        self._waiting: deque[tuple[int, DueClaim]] = deque()  # with the number of its chunk
        self._under_way: dict[int, ClaimSubmission] = {}  # by the claim's row
        self._deferred: deque[ClaimSubmission] = deque()
        self._reports: list[_Report] = []
        self._finishing = False
        self._ended = False

    def run(self) -> None:
        """Write, until no chunk is to come and nothing is under way."""
        try:
            while not self._ended or self._under_way or self._deferred or self._reports:
                self._step()
        except BaseException as failure:
            self._stop_signal.stop(None)
            with self._progress.changed:
                self._progress.failure = failure if isinstance(failure, MophClaimError) else _as_failure(failure)
                self._progress.changed.notify_all()

    def _step(self) -> None:
        stopped = self._stop_signal.stopped()
        if stopped:
            self._reports += [submission.conclude() for submission in self._deferred]
            self._deferred.clear()
        reports, self._reports = self._reports, []
        intents = [self._waiting.popleft() for _ in range(self._room(stopped))]
        for number, due in self._commit([] if stopped else intents, reports):
            self._send(ClaimSubmission(self._sender, number, due, self._pool.put))
        while self._finishing and not self._waiting and self._deferred and len(self._under_way) < self._most:
            self._send(self._deferred.popleft())
        self._publish(len(intents), reports)
        if self._under_way or not (self._ended or self._waiting):
            for item in self._pool.gather(self._most, GATHER_SECONDS):
                self._take(item)

    def _room(self, stopped: bool) -> int:
        """How many waiting claims to take up. Once sending has stopped: all, which are dropped."""
        return len(self._waiting) if stopped else max(0, min(len(self._waiting), self._most - len(self._under_way)))

    def _send(self, submission: ClaimSubmission) -> None:
        self._under_way[submission.due.id] = submission
        self._pool.submit(submission.run, lambda error: Fault(submission, error))

    def _take(self, item: Item) -> None:
        match item:
            case Chunk():
                self._finishing = False
                self._waiting.extend((item.number, due) for due in _mixed(item.due))
            case Finish():
                self._finishing = True
            case End():
                self._ended = True
            case Abandon():
                self._reports += [submission.conclude() for submission in self._under_way.values()]
                self._under_way.clear()
            case SubmissionRecord():
                self._reports.append(item)
            case Deferred():
                if self._under_way.pop(item.submission.due.id, None):
                    self._deferred.append(item.submission)
            case Fault():
                with self._progress.changed:
                    self._progress.fault = self._progress.fault or _as_failure(item.error)
                self._conclude(item.submission.after_fault())
            case SubmissionResult() | Unsent():
                self._conclude(item)

    def _conclude(self, report: SubmissionResult | Unsent) -> None:
        submission = self._under_way.pop(_claim_id(report), None)
        if submission is None:  # abandoned, and written down as such
            return
        self._reports.append(report)
        if isinstance(report, SubmissionResult):
            with self._progress.changed:
                self._progress.first_sendings.count(submission.due, report)

    def _commit(self, intents: list[tuple[int, DueClaim]], reports: Sequence[_Report]) -> list[tuple[int, DueClaim]]:
        """Commit reports and intents; returns the intents that may be sent."""
        if not intents and not reports:
            return []
        try:
            return self._write(intents, reports, wait_for_room=False)
        except StopRun as lost:  # another run has the facility: nothing more is sent, but answers are recorded
            self._stop_signal.stop(lost)
        except AuditFull as full:  # what was reserved is for the answers
            self._stop_signal.stop(full)
            if self._reserve:
                self._reserve.release()
        except AuditAway:
            raise
        except Exception as fault:  # one of these cannot be written
            self._stop_signal.stop(_as_failure(fault))
            self._write_each(reports)
            return []
        return self._write([], reports, wait_for_room=True)

    def _write_each(self, reports: Sequence[_Report]) -> None:
        """Write what can be written, claim by claim; what cannot leaves its claim to the next run, in doubt."""
        by_claim: dict[int, list[_Report]] = defaultdict(list)
        for report in reports:
            by_claim[_claim_id(report)].append(report)
        for some in by_claim.values():
            try:
                self._write([], some, wait_for_room=True)
            except AuditAway:
                raise
            except Exception:  # noqa: S112 - the first such error has stopped the run, and is its reason
                continue

    def _write(
        self, intents: Sequence[tuple[int, DueClaim]], reports: Sequence[_Report], *, wait_for_room: bool
    ) -> list[tuple[int, DueClaim]]:
        batch = Batch(
            intents=[due for _, due in intents],
            records=[r for r in reports if isinstance(r, SubmissionRecord)],
            results=[r for r in reports if isinstance(r, SubmissionResult)],
            unsent=[r.due for r in reports if isinstance(r, Unsent)],
        )
        committed = {due.id for due in self._sender.ledger.writer.write(batch, wait_for_room=wait_for_room)}
        return [(number, due) for number, due in intents if due.id in committed]

    def _publish(self, taken_up: int, reports: Sequence[_Report]) -> None:
        progress = self._progress
        with progress.changed:
            progress.waiting -= taken_up
            progress.under_way = len(self._under_way) + len(self._reports)
            progress.deferred = len(self._deferred)
            results = [r for r in reports if isinstance(r, SubmissionResult)]
            progress.counts.update(r.state for r in results if not r.asked)
            progress.asked.update(r.state for r in results if r.asked)
            progress.changed.notify_all()


def _claim_id(report: _Report) -> int:
    return report.due.id if isinstance(report, Unsent) else report.claim_id


def _mixed(due: Sequence[DueClaim]) -> Iterator[DueClaim]:
    """The claims of a chunk in the order of their hashes, which is like drawn at random: those that MOPH Claim fails on are
    often of one day or kind, and a whole row of them would look as if it were down."""
    return iter(sorted(due, key=lambda claim: claim.payload_hash))


def _as_failure(error: BaseException) -> MophClaimError:
    return error if isinstance(error, MophClaimError) else MophClaimError(as_sentence(error))

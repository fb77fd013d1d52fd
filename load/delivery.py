"""Sending a chunk: a handful of connections, every exchange written down, each claim exactly once.

One thread alone writes to the audit. It commits the intents of the next few claims together with the answers that
have come, hands those claims to the sending threads, and gathers their answers. It is not the calling thread: that one
may be interrupted at any instant.
"""

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import count
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from extract.errors import MophClaimError
from extract.messages import Message
from load.account_center import Token, TokenSource
from load.errors import StopRun
from load.ledger import DueClaim, Ledger, Record, Verdict
from load.moph_claim import Exchange, MophClaimApi
from load.outcomes import Answer, Outcome
from load.settings import ApiSettings
from load.states import State

# An answer waits at most this long for others to be committed with it.
GATHER_SECONDS = 0.05

_API_DOWN = Message(
    "MOPH Claim ไม่ตอบหรือขัดข้องติดต่อกัน {failures} ครั้ง จึงหยุดส่งไว้ก่อน รายการที่เหลือจะส่งในรอบถัดไปเอง",
    "MOPH Claim failed {failures} times in a row, so nothing more is sent; the rest goes in the next run by itself.",
)


class Halt:
    """The run's emergency brake: the first reason to stop counts, and every sending thread sees it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.reason: MophClaimError | None = None

    def pull(self, reason: MophClaimError | None) -> None:
        """Stop sending; None stops without a reason of its own (the caller has one)."""
        with self._lock:
            if not self._event.is_set():
                self.reason = reason
                self._event.set()

    def pulled(self) -> bool:
        """Whether sending has stopped."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Pause, but no longer than until the brake is pulled."""
        self._event.wait(seconds)


@dataclass
class _Health:
    """Counts failures in a row over all threads; too many pull the brake."""

    limit: int
    halt: Halt
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failures: int = 0

    def note(self, outcome: Outcome) -> None:
        with self._lock:
            self._failures = self._failures + 1 if outcome in (Outcome.RETRY, Outcome.IN_DOUBT) else 0
            if self._failures >= self.limit:
                self.halt.pull(StopRun(_API_DOWN.fill(failures=self._failures)))


@dataclass(frozen=True, slots=True)
class _Unsent:
    """A claim whose intent was committed and that was not sent after all: the brake was pulled."""

    due: DueClaim


class Delivery:
    """The connections of one run. Use it as a context: leaving it closes them.

    Args:
        settings: Address, time-outs, retries.
        ledger: Where intents and answers are committed.
        tokens: The run's log-in.
        concurrency: How many claims are under way at once.
    """

    def __init__(self, settings: ApiSettings, ledger: Ledger, tokens: TokenSource, concurrency: int) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tokens = tokens
        self._concurrency = concurrency
        self._api = MophClaimApi(settings, concurrency)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="send")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._halt = Halt()
        self._health = _Health(settings.failures_before_stop, self._halt)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._halt.pull(None)
        self._writer.shutdown(wait=True)
        self._threads.shutdown(wait=True)
        self._api.close()

    def send_chunk(
        self, number: int, due: Sequence[DueClaim], on_progress: Callable[[Counter[State]], None] = lambda _: None
    ) -> Counter[State]:
        """Send a chunk and commit every answer.

        Args:
            number: The chunk's number in the run, from 1.
            due: The claims to send.
            on_progress: Told the counts so far after every commit, in a thread of ours.

        Returns:
            How many claims of the chunk stand where now.

        Raises:
            StopRun: Every further claim would fail alike. What was answered is committed, the rest is as it was.
            LoginError: The token ran out and no other was to be had; as above.
            AuditError: The audit cannot be written. What was under way is in doubt in the next run.
        """
        chunk = self._writer.submit(self._send_and_write, number, due, on_progress)
        try:
            return chunk.result()
        except BaseException:  # Ctrl-C, or a cancelled run: what is under way is still written down
            self._halt.pull(None)
            wait([chunk])
            raise

    def _send_and_write(
        self, number: int, due: Sequence[DueClaim], on_progress: Callable[[Counter[State]], None]
    ) -> Counter[State]:
        waiting = deque(due)
        under_way = 0
        news: SimpleQueue[_News] = SimpleQueue()
        came: list[_News] = []
        counts: Counter[State] = Counter()
        while under_way or came or (waiting and not self._halt.pulled()):
            # Twice as many as there are threads: none waits while the audit is being written.
            room = 0 if self._halt.pulled() else 2 * self._concurrency - under_way
            intents = self._commit([waiting.popleft() for _ in range(min(room, len(waiting)))], came)
            verdicts = [n.state for n in came if isinstance(n, Verdict)]
            if verdicts:
                counts.update(verdicts)
                on_progress(counts)
            for claim in intents:
                self._threads.submit(self._deliver, number, claim, news)
            under_way += len(intents)
            came = _gather(news, self._concurrency) if under_way else []
            under_way -= sum(not isinstance(n, Record) for n in came)
        if self._halt.reason:
            raise self._halt.reason
        return counts

    def _commit(self, intents: list[DueClaim], came: Sequence["_News"]) -> list[DueClaim]:
        """Write down what has come and what is about to go; gives what may go."""
        if not intents and not came:
            return []
        try:
            self._write(intents, came)
        except StopRun as lost:  # the facility is another's: nothing more goes, but what was answered stands
            self._halt.pull(lost)
            intents = []
            self._write(intents, came)
        for bug in came:
            if isinstance(bug, BaseException):
                raise bug
        return intents

    def _write(self, intents: Sequence[DueClaim], came: Sequence["_News"]) -> None:
        self._ledger.write(
            intents=intents,
            records=[n for n in came if isinstance(n, Record)],
            verdicts=[n for n in came if isinstance(n, Verdict)],
            unsent=[n.due for n in came if isinstance(n, _Unsent)],
        )

    def _deliver(self, chunk: int, due: DueClaim, news: "SimpleQueue[_News]") -> None:
        """One claim, in a sending thread: its last word is a verdict, `_Unsent`, or the bug that kept it from either."""
        try:
            news.put(self._settle(chunk, due, news.put))
        except MophClaimError as reason:
            self._halt.pull(reason)
            news.put(_Unsent(due))
        except BaseException as bug:
            self._halt.pull(None)
            news.put(bug)

    def _settle(self, chunk: int, due: DueClaim, put: Callable[[Record], None]) -> Verdict | _Unsent:
        attempts = count(1)
        maybe_taken = due.maybe_taken
        known_as: str | None = None

        def exchange(call: Callable[[Token], Exchange]) -> Exchange:
            """Make a call, log in once more where the token has run out, and write down both exchanges."""
            token = self._tokens.token()
            made = call(token)
            put(Record(due.id, chunk, next(attempts), due.payload_hash, made))
            if made.answer.outcome is Outcome.TOKEN_EXPIRED:
                token = self._tokens.replace(token)
                made = call(token)
                put(Record(due.id, chunk, next(attempts), due.payload_hash, made))
            if made.http_status is not None and made.answer.outcome is not Outcome.TOKEN_EXPIRED:
                self._tokens.served(token)
            return made

        if self._halt.pulled():
            return _Unsent(due)
        if maybe_taken and self._settings.ask_eligibility:
            asked = exchange(lambda token: self._api.eligibility(due.kind, _question(due), token))
            known_as = asked.answer.transaction_uid
            # Refused as claimed already, under a number: that is our claim. A number beside a "yes" proves nothing (the
            # reference does not say what it numbers); the sending that follows tells.
            if known_as and asked.answer.meaning.already_claimed:
                return _verdict(due, State.ACCEPTED, asked, maybe_taken)
        sent: Exchange | None = None
        for sending in range(1, self._settings.attempts + 1):
            try:
                sent = exchange(lambda token: self._api.submit(due.service, due.payload, token))
            except MophClaimError as reason:  # no other token, say: what an earlier sending meant still stands
                self._halt.pull(reason)
                break
            maybe_taken = maybe_taken or sent.answer.meaning.maybe_taken
            self._health.note(sent.answer.outcome)
            if sent.answer.outcome not in (Outcome.RETRY, Outcome.TOKEN_EXPIRED):
                break
            pause = self._pause(sending, sent.retry_after_seconds)
            if sending == self._settings.attempts or pause is None:
                break
            self._halt.wait(pause)
            if self._halt.pulled():
                break
        if sent is None:
            return _Unsent(due)
        if sent.answer.outcome is Outcome.STOP:
            self._halt.pull(StopRun(_refused(sent)))
        state = _state(sent.answer, maybe_taken)
        verdict = _verdict(due, state, sent, maybe_taken)
        # What a refusal numbers is not this claim; of one presumed accepted, the eligibility check's number is a hint.
        if state is State.PRESUMED_ACCEPTED:
            return replace(verdict, transaction_uid=verdict.transaction_uid or known_as)
        return verdict if state is State.ACCEPTED else replace(verdict, transaction_uid=None)

    def _pause(self, sending: int, retry_after_seconds: float | None) -> float | None:
        """Seconds until the next sending; None leaves the claim for the next run."""
        limit = self._settings.backoff_limit_seconds
        if retry_after_seconds is not None and retry_after_seconds > limit:
            return None
        backoff = min(limit, self._settings.backoff_seconds * 2.0 ** (sending - 1))
        # Jitter, or all threads would come back at the same instant.
        return max(retry_after_seconds or 0.0, backoff * random.uniform(0.5, 1.0))


_News = Record | Verdict | _Unsent | BaseException


def _gather(news: "SimpleQueue[_News]", enough: int) -> list[_News]:
    """What has come: waits for the first, then a moment for others to be committed with it."""
    came = [news.get()]
    deadline = time.monotonic() + GATHER_SECONDS
    while len(came) < 2 * enough:
        try:
            came.append(news.get(timeout=max(0.0, deadline - time.monotonic())))
        except Empty:
            break
    return came


def _state(answer: Answer, maybe_taken: bool) -> State:
    """Where a claim stands after the last answer of its sending."""
    match answer.outcome:
        case Outcome.ACCEPTED:
            return State.ACCEPTED
        case Outcome.HELD:
            return State.HELD
        case Outcome.CORRECTABLE:
            return State.CORRECTABLE
        case Outcome.FINAL:
            return State.PRESUMED_ACCEPTED if maybe_taken and answer.meaning.already_claimed else State.FINAL
        case Outcome.IN_DOUBT:
            return State.IN_DOUBT
        case Outcome.RETRY | Outcome.TOKEN_EXPIRED | Outcome.STOP:
            return State.IN_DOUBT if maybe_taken else State.RETRY


def _verdict(due: DueClaim, state: State, last: Exchange, maybe_taken: bool) -> Verdict:
    answer = last.answer
    return Verdict(due.id, state, answer.meaning, answer.message, answer.transaction_uid, maybe_taken)


def _question(due: DueClaim) -> bytes:
    """The body of the eligibility check (reference, §5), from the claim's own payload."""
    payload = json.loads(due.payload)
    question = {key: payload[key] for key in ("pid", "id_type", "hcode", "visit_date_time")}
    if due.item:
        question |= {"vaccine_code": due.item, "dob": payload["dob"]}
    return json.dumps(question, ensure_ascii=False, separators=(",", ":")).encode()


def _refused(sent: Exchange) -> Message:
    meaning = sent.answer.meaning
    status = sent.http_status or ""
    return Message(
        f"{meaning.meaning.th} ({status}) จึงหยุดส่ง {meaning.advice.th}",
        f"Sending stopped: {meaning.meaning.en} ({status}). {meaning.advice.en}",
    )

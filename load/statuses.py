"""Asking what has become of transactions, over a few connections, every exchange written down.

The call is known from one program only, so trouble with it harms nothing: asking stops, and the reason is kept. What was
not asked, or not answered, is asked in the next run.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from core.errors import MophClaimError
from core.messages import Message
from load.account_center import TokenSource
from load.breaker import StopSignal
from load.errors import StopRun
from load.ledger import Ledger, Status, SubmissionRecord, Transaction
from load.moph_claim import Exchange, MophClaimApi, signed
from load.outcomes import Outcome, one_line
from load.settings import ApiSettings
from load.states import State

# Statuses belong to no chunk of claims.
CHUNK = 0
# Answers are committed together, but wait no longer than this for one another.
GATHER_SECONDS = 0.2
GATHER_MOST = 32
# So many transactions unknown in a row before the first one that is known: the call itself is not there.
UNKNOWN_AT_FIRST = 5

_NOT_HERE = Message(
    "MOPH Claim ไม่มีบริการสอบถามสถานะธุรกรรมที่ที่อยู่นี้ จึงไม่ถามต่อ รายการเบิกไม่ได้รับผลกระทบ ถ้าไม่ต้องการถามให้ตั้ง reconcile.ask_status = false",
    "MOPH Claim does not know the status call, so asking stopped; no claim is affected. Set reconcile.ask_status = false "
    "to ask no more.",
)
_REFUSED = Message(
    "MOPH Claim ไม่ยอมให้สอบถามสถานะธุรกรรม ({why}) จึงไม่ถามต่อ รายการเบิกไม่ได้รับผลกระทบ รอบถัดไปจะถามใหม่เอง",
    "MOPH Claim refuses to say what became of transactions ({why}), so asking stopped; no claim is affected, and the next "
    "run asks again by itself.",
)
_DOWN = Message(
    "MOPH Claim ไม่ตอบหรือขัดข้องติดต่อกัน {failures} ครั้งเมื่อสอบถามสถานะธุรกรรม จึงหยุดถาม รอบถัดไปจะถามใหม่เอง",
    "MOPH Claim failed {failures} times in a row when asked what became of transactions, so asking stopped; the next run "
    "asks again by itself.",
)
_FAILURES = (Outcome.RETRY, Outcome.IN_DOUBT)
_NOT_FOUND = (404, 405)


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of one transaction: the exchanges it took, and the status if they gave one."""

    records: list[SubmissionRecord]
    status: Status | None


class Inquiry:
    """The connections that ask. Use it as a context: leaving it closes them.

    Attributes:
        asked: Transactions asked about.
        answered: Of these, answered with a status.
        proved: Of these, presumed accepted and now known to be.
        trouble: Why asking stopped, if it did.

    Args:
        settings: Address, time-outs, how many failures in a row are too many.
        ledger: Where exchanges and statuses are committed.
        tokens: The run's log-in.
        concurrency: How many are asked at once.
    """

    def __init__(self, settings: ApiSettings, ledger: Ledger, tokens: TokenSource, concurrency: int) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tokens = tokens
        self._api = MophClaimApi(settings, concurrency)
        self._halt = StopSignal()
        self._lock = threading.Lock()  # guards the three that follow
        self._failures = 0
        self._unknown = 0
        self._known = False
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="ask")
        self._news: SimpleQueue[_Came | BaseException] = SimpleQueue()
        self.asked = self.answered = self.proved = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._halt.stop(None)
        self._threads.shutdown(wait=True)
        self._api.close()
        if kind and not issubclass(kind, Exception):  # Ctrl-C, or a cancelled run: what was under way is written down
            self._write([came for came in _waiting(self._news) if isinstance(came, _Came)])

    @property
    def trouble(self) -> Message | None:
        """Why asking stopped, if it did."""
        return self._halt.reason.message if self._halt.reason else None

    def ask(self, transactions: Sequence[Transaction]) -> None:
        """Ask about some transactions, and return when what came of them is committed.

        Raises:
            AuditError: The audit cannot be written.
        """
        for transaction in transactions:
            self._threads.submit(self._put, transaction)
        left = len(transactions)
        while left:
            came = self._gather(left)
            left -= len(came)
            self._write(came)

    def _write(self, came: Sequence[_Came]) -> None:
        records = [record for c in came for record in c.records]
        statuses = [c.status for c in came if c.status]
        if records:
            self._ledger.write(records=records, statuses=statuses)
        self.asked += sum(bool(c.records) for c in came)
        self.answered += sum(s.status is not None for s in statuses)
        self.proved += sum(s.proves for s in statuses)

    def _gather(self, most: int) -> list[_Came]:
        """What has come: waits for the first, then a moment for others to be committed with it."""
        news = [self._news.get()]
        deadline = time.monotonic() + GATHER_SECONDS
        with suppress(Empty):
            while len(news) < min(most, GATHER_MOST):
                news.append(self._news.get(timeout=max(0.0, deadline - time.monotonic())))
        for bug in news:
            if isinstance(bug, BaseException):
                raise bug
        return [came for came in news if isinstance(came, _Came)]

    def _put(self, transaction: Transaction) -> None:
        """One transaction, in a thread: exactly one word comes of it."""
        try:
            self._news.put(self._came_of(transaction))
        except BaseException as bug:
            self._halt.stop(None)
            self._news.put(bug)

    def _came_of(self, transaction: Transaction) -> _Came:
        records: list[SubmissionRecord] = []
        status: Status | None = None
        try:
            if not self._halt.stopped():
                exchange = self._exchange(transaction, records)
                self._note(exchange)
                status = read_status(transaction, exchange)
        except MophClaimError as reason:  # no token is to be had, or nobody can be asked at this address
            self._halt.stop(reason)
        return _Came(records, status)

    def _exchange(self, transaction: Transaction, records: list[SubmissionRecord]) -> Exchange:
        def put(made: Exchange) -> None:
            records.append(SubmissionRecord(transaction.id, CHUNK, len(records) + 1, transaction.payload_hash, made))

        return signed(self._tokens, lambda token: self._api.status(transaction.transaction_uid, token), put)

    def _note(self, exchange: Exchange) -> None:
        """See whether asking still makes sense after this answer."""
        answer = exchange.answer
        with self._lock:
            failed = answer.outcome in _FAILURES
            unknown = answer.meaning.status in _NOT_FOUND
            self._failures = self._failures + 1 if failed else 0
            self._unknown += unknown
            self._known = self._known or answer.outcome is Outcome.ACCEPTED
            failures, many_unknown = self._failures, not self._known and self._unknown >= UNKNOWN_AT_FIRST
        if failures >= self._settings.breaker_failures:
            self._halt.stop(StopRun(_DOWN.fill(failures=failures)))
        elif unknown and (many_unknown or not _is_json(exchange.response)):
            self._halt.stop(StopRun(_NOT_HERE))
        elif answer.outcome in (Outcome.STOP, Outcome.TOKEN_EXPIRED) and not unknown:
            why = answer.meaning.meaning
            self._halt.stop(StopRun(Message(_REFUSED.th.format(why=why.th), _REFUSED.en.format(why=why.en))))
        elif failed:
            asked_for = max(self._settings.backoff_seconds, exchange.retry_after_seconds or 0)
            self._halt.wait(min(asked_for, self._settings.backoff_limit_seconds))


def read_status(transaction: Transaction, exchange: Exchange) -> Status | None:
    """What an answer says of the transaction; None where there was no answer to keep.

    An answer about another transaction, or about another person, says nothing of this one.
    """
    answer = exchange.answer
    if answer.outcome is not Outcome.ACCEPTED:
        return None if exchange.http_status is None or answer.outcome in _FAILURES else _unsaid(transaction)
    pid = _line(answer.data.get("pid"), 20)
    if answer.transaction_uid not in (None, transaction.transaction_uid) or pid not in (None, transaction.pid):
        return _unsaid(transaction)
    named = answer.transaction_uid is not None
    proves = named and transaction.state is State.PRESUMED_ACCEPTED
    said, said_th = _line(answer.data.get("status"), 80), _line(answer.data.get("status_th"), 200)
    return Status(transaction.id, said, said_th, proves)


def _unsaid(transaction: Transaction) -> Status:
    return Status(transaction.id, None, None, proves=False)


def _line(said: object, length: int) -> str | None:
    return (one_line(said)[:length] or None) if said is not None else None


def _is_json(response: str | None) -> bool:
    return (response or "").lstrip().startswith("{")


def _waiting(news: "SimpleQueue[_Came | BaseException]") -> Iterator[_Came | BaseException]:
    with suppress(Empty):
        while True:
            yield news.get_nowait()

"""Asking for the status of transactions over a few connections: every exchange is recorded.

The call is known from one program only, so a failure of it fails nothing else: asking stops, and the reason is kept.
Transactions that were not asked about, or not answered, are asked about in the next run.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from core.errors import MophClaimError, as_sentence
from core.messages import Message
from core.text import one_line
from load.account_center import TokenSource
from load.batch import Batch, SubmissionRecord, TransactionStatus
from load.breaker import StopSignal
from load.errors import StopRun
from load.ledger import Ledger
from load.moph_claim_api import Exchange, MophClaimApi, call_with_token
from load.outcomes import Outcome
from load.queue import Transaction
from load.settings import ApiSettings
from load.states import State
from load.worker_pool import WorkerPool

# Statuses belong to no chunk of claims.
CHUNK = 0
# Answers are committed in groups of at most GATHER_MOST, gathered for at most GATHER_SECONDS.
GATHER_SECONDS = 0.2
GATHER_MOST = 32
# As `load.delivery`: how long answers are waited for, and threads after their connections were closed.
GRACE_SECONDS = 5.0
STEP_SECONDS = 2.0
# If this many transactions are unknown before the first known one, the server does not have the call at all.
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
class _Asked:
    """One transaction asked about: the exchanges that took place (none once asking has stopped), and the status given."""

    records: list[SubmissionRecord]
    status: TransactionStatus | None


class Inquiry:
    """Asks for the status of a run's transactions. Use it as a context manager: its exit closes the connections.

    Attributes:
        asked: Transactions asked about.
        answered: Of these, answered with a status.
        proved: Of these, presumed accepted and now known to be accepted.
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
        self._stop_signal = StopSignal()
        self._lock = threading.Lock()  # guards the three that follow
        self._failures = 0
        self._unknown = 0
        self._known = False
        self._fault: MophClaimError | None = None
        self._pool: WorkerPool[_Asked] | None = None  # made when it is needed
        self._concurrency = concurrency
        self.asked = self.answered = self.proved = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_signal.stop(None)
        if self._pool:
            if not self._pool.close(GRACE_SECONDS):
                self._api.abort()
                self._tokens.abort()
                self._pool.close(STEP_SECONDS)
            if kind and not issubclass(kind, Exception):  # Ctrl-C, or a cancelled run: what was under way is recorded
                self._write(self._pool.left())
        self._api.close()

    @property
    def trouble(self) -> Message | None:
        """Why asking stopped, if it did."""
        return self._stop_signal.reason.message if self._stop_signal.reason else None

    def ask(self, transactions: Sequence[Transaction]) -> None:
        """Ask about some transactions; returns when their answers are committed.

        Raises:
            AuditError: The audit cannot be written.
            MophClaimError: The program had a fault of its own; the answers are committed.
        """
        pool = self._pool = self._pool or WorkerPool(self._concurrency, "ask")
        for transaction in transactions:
            records: list[SubmissionRecord] = []  # kept whatever becomes of the rest
            pool.submit(partial(self._ask_one, transaction, records), partial(self._failed, records))
        left = len(transactions)
        while left:
            asked = pool.gather(min(left, GATHER_MOST), GATHER_SECONDS)
            left -= len(asked)
            self._write(asked)
        if self._fault:
            raise self._fault

    def _write(self, asked: Sequence[_Asked]) -> None:
        records = [record for a in asked for record in a.records]
        statuses = [a.status for a in asked if a.status]
        if records:
            self._ledger.writer.write(Batch(records=records, statuses=statuses))
        self.asked += sum(bool(a.records) for a in asked)
        self.answered += sum(s.status is not None for s in statuses)
        self.proved += sum(s.proves for s in statuses)

    def _failed(self, records: list[SubmissionRecord], fault: BaseException) -> _Asked:
        """A fault of the program: asking stops, and what was asked is recorded."""
        self._fault = MophClaimError(as_sentence(fault))
        self._stop_signal.stop(None)
        return _Asked(records, None)

    def _ask_one(self, transaction: Transaction, records: list[SubmissionRecord]) -> _Asked:
        """Ask about one transaction, in a thread of the pool."""
        status: TransactionStatus | None = None
        try:
            if not self._stop_signal.stopped():
                exchange = self._exchange(transaction, records)
                self._consider_stopping(exchange)
                status = read_status(transaction, exchange)
        except MophClaimError as reason:  # the log-in gives no token, or nobody answers at this address
            self._stop_signal.stop(reason)
        return _Asked(records, status)

    def _exchange(self, transaction: Transaction, records: list[SubmissionRecord]) -> Exchange:
        def record(made: Exchange) -> None:
            records.append(SubmissionRecord(transaction.id, CHUNK, len(records) + 1, transaction.payload_hash, made))

        return call_with_token(self._tokens, lambda token: self._api.status(transaction.transaction_uid, token), record)

    def _consider_stopping(self, exchange: Exchange) -> None:
        """Stop asking if this answer shows that it is of no use; pause after a failure."""
        answer = exchange.answer
        with self._lock:
            failed = answer.outcome in _FAILURES
            unknown = answer.status in _NOT_FOUND
            self._failures = self._failures + 1 if failed else 0
            self._unknown += unknown
            self._known = self._known or answer.outcome is Outcome.ACCEPTED
            failures, many_unknown = self._failures, not self._known and self._unknown >= UNKNOWN_AT_FIRST
        if failures >= self._settings.breaker_failures:
            self._stop_signal.stop(StopRun(_DOWN.fill(failures=failures)))
        elif unknown and (many_unknown or not _is_json(exchange.response)):
            self._stop_signal.stop(StopRun(_NOT_HERE))
        elif answer.outcome in (Outcome.STOP, Outcome.TOKEN_EXPIRED) and not unknown:
            why = answer.meaning.meaning
            self._stop_signal.stop(StopRun(Message(_REFUSED.th.format(why=why.th), _REFUSED.en.format(why=why.en))))
        elif failed:
            asked_for = max(self._settings.backoff_seconds, exchange.retry_after_seconds or 0)
            self._stop_signal.wait(min(asked_for, self._settings.backoff_limit_seconds))


def read_status(transaction: Transaction, exchange: Exchange) -> TransactionStatus | None:
    """The status that an answer gives of the transaction; None where there was no answer to keep.

    An answer about another transaction, or another person, gives none.
    """
    answer = exchange.answer
    if answer.outcome is not Outcome.ACCEPTED:
        return None if exchange.http_status is None or answer.outcome in _FAILURES else _no_status(transaction)
    pid = _line(answer.data.get("pid"), 20)
    if answer.transaction_uid not in (None, transaction.transaction_uid) or pid not in (None, transaction.pid):
        return _no_status(transaction)
    named = answer.transaction_uid is not None
    proves = named and transaction.state is State.PRESUMED_ACCEPTED
    status, status_th = _line(answer.data.get("status"), 80), _line(answer.data.get("status_th"), 200)
    return TransactionStatus(transaction.id, status, status_th, proves)


def _no_status(transaction: Transaction) -> TransactionStatus:
    return TransactionStatus(transaction.id, None, None, proves=False)


def _line(value: object, length: int) -> str | None:
    return (one_line(value)[:length] or None) if value is not None else None


def _is_json(response: str | None) -> bool:
    return (response or "").lstrip().startswith("{")

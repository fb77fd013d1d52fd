"""Sending one claim: the calls it takes, what each answer means for it, and when nothing more may be sent."""

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from extract.errors import MophClaimError
from extract.messages import Message
from load.account_center import TokenSource
from load.errors import StopRun
from load.ledger import DueClaim, Ledger, Record, Verdict
from load.moph_claim import Exchange, MophClaimApi
from load.outcomes import Answer, Outcome
from load.settings import ApiSettings
from load.states import State
from load.token import Token

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
class Health:
    """Counts failures in a row over all threads; too many pull the brake."""

    limit: int
    halt: Halt
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failures: int = 0

    def note(self, outcome: Outcome) -> None:
        """Count one answer, or none."""
        with self._lock:
            self._failures = self._failures + 1 if outcome in (Outcome.RETRY, Outcome.IN_DOUBT) else 0
            if self._failures >= self.limit:
                self.halt.pull(StopRun(_API_DOWN.fill(failures=self._failures)))


@dataclass(frozen=True, slots=True)
class Unsent:
    """A claim whose intent was committed and that was not sent after all: the brake was pulled."""

    due: DueClaim


class Sender:
    """What the sending threads share.

    Args:
        settings: Retries and their pauses.
        api: The connections.
        ledger: Asked whose a transaction number is.
        tokens: The run's log-in.
        halt: The run's brake.
    """

    def __init__(
        self, settings: ApiSettings, api: MophClaimApi, ledger: Ledger, tokens: TokenSource, halt: Halt
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._api = api
        self._tokens = tokens
        self._halt = halt
        self._health = Health(settings.failures_before_stop, halt)

    def settle(self, chunk: int, due: DueClaim, put: Callable[[Record], None]) -> Verdict | Unsent:
        """Send one claim until it is clear where it stands, or the run's tries are used up.

        Args:
            chunk: The chunk's number, for the audit.
            due: The claim; its intent is committed.
            put: Takes every exchange as soon as it has been made.

        Returns:
            Where the claim stands; or that it was not sent, because the brake was pulled.

        Raises:
            StopRun: Every claim would fail alike, and nothing of this one was sent.
            LoginError: As above.
        """
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
            return Unsent(due)
        if maybe_taken and self._settings.ask_eligibility:
            asked = exchange(lambda token: self._api.eligibility(due.kind, _question(due), token))
            known_as = asked.answer.transaction_uid
            # Refused as claimed already, under a number: that is our claim. A number beside a "yes" proves nothing (the
            # reference does not say what it numbers); the sending that follows tells.
            if known_as and self._ledger.numbers_another(known_as, due.id):
                known_as = None
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
            return Unsent(due)
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

"""Sending one claim: the calls it takes, and the state that their answers lead to."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from core.errors import MophClaimError
from core.messages import Message
from load.account_center import TokenSource
from load.batch import SubmissionRecord, SubmissionResult
from load.breaker import Breaker, StopSignal
from load.errors import StopRun
from load.ledger import Ledger
from load.moph_claim_api import Exchange, MophClaimApi, call_with_token
from load.outcomes import NOT_TAKEN, NOT_UNDERSTOOD, SOURCE_CHANGED, UNREADABLE, Answer, Outcome
from load.queue import DueClaim
from load.settings import ApiSettings
from load.states import UNANSWERED_STATES, State
from load.token import Token


@dataclass(frozen=True, slots=True)
class Unsent:
    """A claim whose intent was committed and that was not sent after all, because sending was stopped."""

    due: DueClaim


@dataclass(frozen=True, slots=True)
class ClaimSender:
    """What the sending threads share.

    Args:
        settings: Retries and their pauses.
        api: The connections.
        ledger: Tells whether a transaction number is another claim's.
        tokens: The run's log-in.
        stop_signal: Stops the run's sending.
        breaker: Asked before a claim is sent.
    """

    settings: ApiSettings
    api: MophClaimApi
    ledger: Ledger
    tokens: TokenSource
    stop_signal: StopSignal
    breaker: Breaker


class ClaimSubmission:
    """The sending of one claim: in one thread at a time.

    Args:
        sender: What the threads share.
        chunk: The chunk's number, for the audit.
        due: The claim; its intent is committed.
        record: Called with every exchange as soon as it has taken place.
    """

    def __init__(
        self, sender: ClaimSender, chunk: int, due: DueClaim, record: Callable[[SubmissionRecord], None]
    ) -> None:
        self.due = due
        self._sender = sender
        self._chunk = chunk
        self._record = record
        self._attempts = count(1)  # of the claim's exchanges in this run, for the audit
        self._possibly_accepted = due.possibly_accepted
        self._hint: str | None = None
        self._sent: Exchange | None = None
        self._asked: Exchange | None = None  # the last answer of the eligibility check
        self._proof: Exchange | None = None  # that an earlier sending was accepted
        self._submitting = False  # its request may be on its way, its answer is not understood yet

    def run(self) -> "SubmissionResult | Unsent | Deferred":
        """Send the claim until its state is clear, its attempts are used up, or it has to make way for others.

        Returns:
            The claim's state; `Unsent` if sending was stopped before this claim was sent; `Deferred` if it failed and
            sending pauses: others go first.
        """
        try:
            if self.due.only_ask:
                return self._only_ask()
            if not self._ask_and_send():
                return Deferred(self)
        except MophClaimError as reason:  # such as no new token: the answer to an earlier sending still counts
            self._sender.stop_signal.stop(reason)
        return self.conclude()

    def conclude(self) -> SubmissionResult | Unsent:
        """The claim's state after what has been answered so far; a request without an answer leaves it in doubt."""
        if self._proof:
            return self._result(State.ACCEPTED, self._proof.answer, self._hint)
        if self._submitting:
            return self.in_doubt()
        if self._sent is None:
            return Unsent(self.due)
        answer = self._sent.answer
        state = _state(answer, self._possibly_accepted)
        # The number in other refusals is not this claim's. "Claimed already" may name it; if not, the eligibility check's is a hint.
        numbers = {
            State.ACCEPTED: answer.transaction_uid,
            State.PRESUMED_ACCEPTED: answer.transaction_uid or self._hint,
        }
        return self._result(state, answer, numbers.get(state))

    def after_fault(self) -> SubmissionResult | Unsent:
        """The claim's state after a fault of the program: in doubt, unless nothing was sent."""
        return Unsent(self.due) if self._sent is None and not self._submitting else self.in_doubt()

    def in_doubt(self) -> SubmissionResult:
        """The claim in doubt: what became of its request is not known."""
        self._possibly_accepted = True
        return self._result(State.IN_DOUBT, Answer(Outcome.IN_DOUBT, UNREADABLE), None)

    def _only_ask(self) -> SubmissionResult | Unsent:
        """Ask whether the claim was accepted as it was sent; only a clear no lets what its source says now take its place."""
        if self._sender.stop_signal.stopped():
            return Unsent(self.due)
        if self._sender.settings.ask_eligibility:
            self._proof = self._ask()
        asked = self._asked.answer if self._asked else None
        if self._proof:
            result = self.conclude()
            assert isinstance(result, SubmissionResult)
        elif asked and asked.outcome is Outcome.ACCEPTED and asked.transaction_uid is None:
            # Another claim of the same person and day may still be refused as claimed already: then it is presumed accepted.
            self._possibly_accepted = _is_same_service(self.due)
            state = State.READY if self.due.replacement else State.WITHDRAWN
            result = self._result(state, Answer(Outcome.RETRY, NOT_TAKEN), None)
        elif asked and asked.meaning.already_claimed:
            result = self._result(State.PRESUMED_ACCEPTED, asked, self._hint)
        else:
            self._possibly_accepted = True
            result = self._result(State.IN_DOUBT, Answer(Outcome.IN_DOUBT, SOURCE_CHANGED), None)
        return replace(result, asked=self.due)

    def _ask_and_send(self) -> bool:
        """Send, again and again while that helps; a claim that may have been accepted is asked about first.

        Returns:
            Whether that is all for this run; False if sending pauses after a failure of this claim.
        """
        breaker, settings = self._sender.breaker, self._sender.settings
        sendings = 0
        while (acquired := breaker.acquire()) is not None:
            try:
                if self._possibly_accepted and settings.ask_eligibility:
                    self._proof = self._ask()
                    if not self._proof and not breaker.is_current(acquired):
                        continue
                sent = self._proof or self._submit()
            except MophClaimError:
                raise
            except BaseException:  # if this was a probe, the others wait for its end
                self._tell_breaker(acquired, Answer(Outcome.IN_DOUBT, NOT_UNDERSTOOD))
                raise
            sendings += 1
            self._tell_breaker(acquired, sent.answer)
            if self._proof or not self._may_send_again(sent):
                return True
            if breaker.is_current(acquired):
                if sendings >= settings.attempts:
                    return True
                self._pause(sendings, sent)
            if not breaker.is_current(acquired):
                # Failures before a pause of all sending may not have been this claim's fault: it goes again, after others.
                return self._sender.stop_signal.stopped()
        return True

    def _tell_breaker(self, acquired: int, answer: Answer) -> None:
        failed_before = self.due.state in UNANSWERED_STATES
        self._sender.breaker.record_result(
            acquired, answer.outcome, self.due.id, why=answer.meaning.meaning, failed_before=failed_before
        )

    def _ask(self) -> Exchange | None:
        """Call the eligibility check, then ask about the number it may give; returns the answer that proves acceptance.

        After any other answer, or none, the claim is sent. Such an answer does not count for the breaker: the check is
        known from one program only, and does not show whether MOPH Claim accepts claims.
        """
        due = self.due
        asked = self._exchange(lambda token: self._sender.api.eligibility(due.kind, _question(due), token))
        self._asked = asked
        number = asked.answer.transaction_uid
        if not number or self._sender.ledger.queue.may_be_uid_of_another_claim(number, due.id):
            return None
        # Neither a "yes" nor "claimed already" tells which claim a number beside it belongs to: it is ours if its transaction
        # is this person's.
        if asked.answer.outcome is not Outcome.ACCEPTED and not asked.answer.meaning.already_claimed:
            return None
        status = self._exchange(lambda token: self._sender.api.status(number, token))
        if status.answer.outcome is not Outcome.ACCEPTED:
            self._hint = number
            return None
        same = status.answer.transaction_uid in (None, number) and status.answer.data.get("pid") == _payload(due)["pid"]
        self._hint = number if same else None
        return status if same else None

    def _submit(self) -> Exchange:
        # A process that stood still since its intent may have lost its lease to another run.
        self._sender.ledger.writer.check_hold()
        sent = self._exchange(self._call_submit)
        self._sent = sent
        self._possibly_accepted = self._possibly_accepted or sent.answer.meaning.possibly_accepted
        self._submitting = False
        if sent.answer.outcome is Outcome.STOP:
            self._sender.stop_signal.stop(StopRun(_refused(sent)))
        return sent

    def _call_submit(self, token: Token) -> Exchange:
        self._submitting = True
        try:
            sent = self._sender.api.submit(self.due.service, self.due.payload, token)
        except MophClaimError:  # certainly not sent
            self._submitting = False
            raise
        if sent.answer.outcome is Outcome.TOKEN_EXPIRED:  # refused for the token; the log-in that follows may fail
            self._submitting = False
        return sent

    def _exchange(self, call: Callable[[Token], Exchange]) -> Exchange:
        return call_with_token(self._sender.tokens, call, self._record_exchange)

    def _record_exchange(self, exchange: Exchange) -> None:
        attempt = next(self._attempts)
        self._record(SubmissionRecord(self.due.id, self._chunk, attempt, self.due.payload_hash, exchange))

    def _may_send_again(self, sent: Exchange) -> bool:
        """Whether another sending in this run may help; the server may ask for a longer pause than a run waits.

        A token that is called expired has been replaced already, and the claim sent with the new one.
        """
        return (
            sent.answer.outcome is Outcome.RETRY
            and (sent.retry_after_seconds or 0.0) <= self._sender.settings.backoff_limit_seconds
        )

    def _pause(self, sendings: int, sent: Exchange) -> None:
        """Wait before the next sending."""
        settings = self._sender.settings
        backoff = min(settings.backoff_limit_seconds, settings.backoff_seconds * 2.0 ** (sendings - 1))
        # Jitter: without it all threads would send again at the same instant.
        self._sender.stop_signal.wait(max(sent.retry_after_seconds or 0.0, backoff * random.uniform(0.5, 1.0)))

    def _result(self, state: State, answer: Answer, transaction_uid: str | None) -> SubmissionResult:
        return SubmissionResult(
            self.due.id, state, answer.meaning, answer.message, transaction_uid, self._possibly_accepted
        )


@dataclass(frozen=True, slots=True)
class Deferred:
    """A claim that failed when sending paused: it goes again once there is no other to send."""

    submission: ClaimSubmission


def _state(answer: Answer, possibly_accepted: bool) -> State:
    """The state of a claim after the last answer to it."""
    match answer.outcome:
        case Outcome.ACCEPTED:
            return State.ACCEPTED
        case Outcome.HELD:
            return State.HELD
        case Outcome.CORRECTABLE:
            return State.CORRECTABLE
        case Outcome.FINAL:
            return State.PRESUMED_ACCEPTED if possibly_accepted and answer.meaning.already_claimed else State.FINAL
        case Outcome.IN_DOUBT:
            return State.IN_DOUBT
        case Outcome.RETRY | Outcome.TOKEN_EXPIRED | Outcome.STOP:
            return State.IN_DOUBT if possibly_accepted else State.RETRY


def _payload(due: DueClaim) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(due.payload)
    return payload


def _is_same_service(due: DueClaim) -> bool:
    """Whether what would take the claim's place is of the same person and day."""
    now, sent = due.replacement, _payload(due)
    return now is not None and (now.pid, now.service_date.isoformat()) == (sent["pid"], sent["visit_date_time"][:10])


def _question(due: DueClaim) -> bytes:
    """The body of the eligibility check (reference, §5), from the claim's own payload."""
    payload = _payload(due)
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

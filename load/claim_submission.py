"""Sending one claim: the calls it takes, and the state that their answers lead to."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
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
from load.outcomes import Answer, Outcome
from load.queue import DueClaim
from load.settings import ApiSettings
from load.states import State
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

    def send_claim(
        self, chunk: int, due: DueClaim, record: Callable[[SubmissionRecord], None]
    ) -> SubmissionResult | Unsent:
        """Send one claim until its state is clear, or the run's attempts are used up.

        Args:
            chunk: The chunk's number, for the audit.
            due: The claim; its intent is committed.
            record: Called with every exchange as soon as it has taken place.

        Returns:
            The claim's state; `Unsent` if sending was stopped before this claim was sent.
        """
        return ClaimSubmission(self, chunk, due, record).run()


class ClaimSubmission:
    """The sending of one claim, in one thread."""

    def __init__(
        self, sender: ClaimSender, chunk: int, due: DueClaim, record: Callable[[SubmissionRecord], None]
    ) -> None:
        self._sender = sender
        self._chunk = chunk
        self._due = due
        self._record = record
        self._attempts = count(1)  # of the claim's exchanges in this run, for the audit
        self._possibly_accepted = due.possibly_accepted
        self._hint: str | None = None
        self._sent: Exchange | None = None

    def run(self) -> SubmissionResult | Unsent:
        """As `ClaimSender.send_claim`."""
        proof: Exchange | None = None
        try:
            proof = self._ask_and_send()
        except MophClaimError as reason:  # such as no new token: the answer to an earlier sending still counts
            self._sender.stop_signal.stop(reason)
        if proof:
            return self._result(State.ACCEPTED, proof.answer, self._hint)
        if self._sent is None:
            return Unsent(self._due)
        answer = self._sent.answer
        state = _state(answer, self._possibly_accepted)
        # The number in other refusals is not this claim's. "Claimed already" may name it; if not, the eligibility check's is a hint.
        numbers = {
            State.ACCEPTED: answer.transaction_uid,
            State.PRESUMED_ACCEPTED: answer.transaction_uid or self._hint,
        }
        return self._result(state, answer, numbers.get(state))

    def _ask_and_send(self) -> Exchange | None:
        """Send, again and again while that helps; a claim that may have been accepted is asked about first.

        Returns:
            The answer that proves that an earlier sending was accepted, if that is how it ended.
        """
        breaker = self._sender.breaker
        generation, sendings = None, 0
        while (acquired := breaker.acquire()) is not None:
            if acquired != generation:  # failures before a pause of all sending were not this claim's fault
                generation, sendings = acquired, 0
            if self._possibly_accepted and self._sender.settings.ask_eligibility:
                if proof := self._ask():
                    breaker.record_result(acquired, proof.answer.outcome)
                    return proof
                if not breaker.is_current(acquired):
                    continue
            sendings += 1
            sent = self._submit()
            breaker.record_result(acquired, sent.answer.outcome)
            used_up = sendings >= self._sender.settings.attempts and breaker.is_current(acquired)
            if used_up or not self._pause(sendings, sent):
                break
        return None

    def _ask(self) -> Exchange | None:
        """Call the eligibility check, then ask about the number it may give; returns the answer that proves acceptance.

        After any other answer, or none, the claim is sent. Such an answer does not count for the breaker: the check is
        known from one program only, and does not show whether MOPH Claim accepts claims.
        """
        due = self._due
        asked = self._exchange(lambda token: self._sender.api.eligibility(due.kind, _question(due), token))
        number = asked.answer.transaction_uid
        if not number or self._sender.ledger.queue.may_be_uid_of_another_claim(number, due.id):
            return None
        self._hint = number
        # Refused as claimed already, under a number: that is our claim.
        if asked.answer.meaning.already_claimed:
            return asked
        # It is not documented which claim a number beside a "yes" belongs to: it is ours if its transaction is this
        # person's.
        if asked.answer.outcome is not Outcome.ACCEPTED:
            return None
        status = self._exchange(lambda token: self._sender.api.status(number, token))
        same = status.answer.transaction_uid in (None, number) and status.answer.data.get("pid") == _payload(due)["pid"]
        return status if status.answer.outcome is Outcome.ACCEPTED and same else None

    def _submit(self) -> Exchange:
        due = self._due
        # A process that stood still since its intent may have lost its lease to another run.
        self._sender.ledger.writer.check_hold()
        sent = self._exchange(lambda token: self._sender.api.submit(due.service, due.payload, token))
        self._sent = sent
        self._possibly_accepted = self._possibly_accepted or sent.answer.meaning.possibly_accepted
        if sent.answer.outcome is Outcome.STOP:
            self._sender.stop_signal.stop(StopRun(_refused(sent)))
        return sent

    def _exchange(self, call: Callable[[Token], Exchange]) -> Exchange:
        return call_with_token(self._sender.tokens, call, self._record_exchange)

    def _record_exchange(self, exchange: Exchange) -> None:
        attempt = next(self._attempts)
        self._record(SubmissionRecord(self._due.id, self._chunk, attempt, self._due.payload_hash, exchange))

    def _pause(self, sendings: int, sent: Exchange) -> bool:
        """Wait before the next sending; False if the claim is not to be sent again in this run."""
        if sent.answer.outcome not in (Outcome.RETRY, Outcome.TOKEN_EXPIRED):
            return False
        settings = self._sender.settings
        asked_for = sent.retry_after_seconds or 0.0
        if asked_for > settings.backoff_limit_seconds:
            return False
        backoff = min(settings.backoff_limit_seconds, settings.backoff_seconds * 2.0 ** (sendings - 1))
        # Jitter: without it all threads would send again at the same instant.
        self._sender.stop_signal.wait(max(asked_for, backoff * random.uniform(0.5, 1.0)))
        return True

    def _result(self, state: State, answer: Answer, transaction_uid: str | None) -> SubmissionResult:
        return SubmissionResult(
            self._due.id, state, answer.meaning, answer.message, transaction_uid, self._possibly_accepted
        )


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

"""Sending one claim: the calls it takes, and what each answer means for it."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from core.errors import MophClaimError
from core.messages import Message
from load.account_center import TokenSource
from load.breaker import Breaker, StopSignal
from load.errors import StopRun
from load.ledger import DueClaim, Ledger, SubmissionRecord, SubmissionResult
from load.moph_claim import Exchange, MophClaimApi, signed
from load.outcomes import Answer, Outcome
from load.settings import ApiSettings
from load.states import State
from load.token import Token


@dataclass(frozen=True, slots=True)
class Unsent:
    """A claim whose intent was committed and that was not sent after all: the brake was pulled."""

    due: DueClaim


@dataclass(frozen=True, slots=True)
class ClaimSender:
    """What the sending threads share.

    Args:
        settings: Retries and their pauses.
        api: The connections.
        ledger: Asked whose a transaction number is.
        tokens: The run's log-in.
        halt: The run's brake.
        breaker: Asked for leave before a claim goes.
    """

    settings: ApiSettings
    api: MophClaimApi
    ledger: Ledger
    tokens: TokenSource
    halt: StopSignal
    breaker: Breaker

    def settle(self, chunk: int, due: DueClaim, put: Callable[[SubmissionRecord], None]) -> SubmissionResult | Unsent:
        """Send one claim until it is clear where it stands, or the run's tries are used up.

        Args:
            chunk: The chunk's number, for the audit.
            due: The claim; its intent is committed.
            put: Takes every exchange as soon as it has been made.

        Returns:
            Where the claim stands; or that it was not sent, because the brake was pulled: by another claim, or by this
            one, for a reason that every claim would meet.
        """
        return ClaimSubmission(self, chunk, due, put).settle()


class ClaimSubmission:
    """One claim on its way, in one sending thread."""

    def __init__(self, sender: ClaimSender, chunk: int, due: DueClaim, put: Callable[[SubmissionRecord], None]) -> None:
        self._sender = sender
        self._chunk = chunk
        self._due = due
        self._put = put
        self._attempts = count(1)  # of the claim's exchanges in this run, for the audit
        self._possibly_accepted = due.possibly_accepted
        self._hint: str | None = None
        self._sent: Exchange | None = None

    def settle(self) -> SubmissionResult | Unsent:
        """As `Sender.settle`."""
        found: Exchange | None = None
        try:
            found = self._ask_and_send()
        except MophClaimError as reason:  # no other token, say: what an earlier sending meant still stands
            self._sender.halt.stop(reason)
        if found:
            return self._verdict(State.ACCEPTED, found.answer, self._hint)
        if self._sent is None:
            return Unsent(self._due)
        answer = self._sent.answer
        state = _state(answer, self._possibly_accepted)
        # What a refusal numbers is not this claim; of one presumed accepted, the eligibility check's number is a hint.
        numbers = {
            State.ACCEPTED: answer.transaction_uid,
            State.PRESUMED_ACCEPTED: answer.transaction_uid or self._hint,
        }
        return self._verdict(state, answer, numbers.get(state))

    def _ask_and_send(self) -> Exchange | None:
        """Send, again and again while that helps; what may have been taken is asked about first.

        Returns:
            The answer that says the claim was taken by an earlier sending, if that is how it ended.
        """
        breaker = self._sender.breaker
        acquire, sendings = None, 0
        while (given := breaker.acquire()) is not None:
            if given != acquire:  # what failed before all sending paused was not this claim's fault
                acquire, sendings = given, 0
            if self._possibly_accepted and self._sender.settings.ask_eligibility:
                if found := self._ask():
                    breaker.note(given, found.answer.outcome)
                    return found
                if not breaker.is_current(given):
                    continue
            sendings += 1
            sent = self._submit()
            breaker.note(given, sent.answer.outcome)
            used_up = sendings >= self._sender.settings.attempts and breaker.is_current(given)
            if used_up or not self._pause(sendings, sent):
                break
        return None

    def _ask(self) -> Exchange | None:
        """Ask the eligibility check, and what became of the number it may give; the answer that settles the claim, if any.

        Any other answer, or none, leaves it to the sending that follows, and so does not count at the breaker: the
        check is known from one program only, and says nothing of whether claims are being taken.
        """
        due = self._due
        asked = self._exchange(lambda token: self._sender.api.eligibility(due.kind, _question(due), token))
        number = asked.answer.transaction_uid
        if not number or self._sender.ledger.may_number_another(number, due.id):
            return None
        self._hint = number
        # Refused as claimed already, under a number: that is our claim.
        if asked.answer.meaning.already_claimed:
            return asked
        # What a number beside a "yes" numbers is not known: it is ours if there is a transaction of this person under it.
        if asked.answer.outcome is not Outcome.ACCEPTED:
            return None
        told = self._exchange(lambda token: self._sender.api.status(number, token))
        same = told.answer.transaction_uid in (None, number) and told.answer.data.get("pid") == _payload(due)["pid"]
        return told if told.answer.outcome is Outcome.ACCEPTED and same else None

    def _submit(self) -> Exchange:
        due = self._due
        # A process that stood still between its intent and here may have been given up for dead.
        self._sender.ledger.check_hold()
        sent = self._exchange(lambda token: self._sender.api.submit(due.service, due.payload, token))
        self._sent = sent
        self._possibly_accepted = self._possibly_accepted or sent.answer.meaning.possibly_accepted
        if sent.answer.outcome is Outcome.STOP:
            self._sender.halt.stop(StopRun(_refused(sent)))
        return sent

    def _exchange(self, call: Callable[[Token], Exchange]) -> Exchange:
        return signed(self._sender.tokens, call, self._put_down)

    def _put_down(self, exchange: Exchange) -> None:
        self._put(SubmissionRecord(self._due.id, self._chunk, next(self._attempts), self._due.payload_hash, exchange))

    def _pause(self, sendings: int, sent: Exchange) -> bool:
        """Wait before the next sending; False leaves the claim as it stands, for the next run if for any."""
        if sent.answer.outcome not in (Outcome.RETRY, Outcome.TOKEN_EXPIRED):
            return False
        settings = self._sender.settings
        asked_for = sent.retry_after_seconds or 0.0
        if asked_for > settings.backoff_limit_seconds:
            return False
        backoff = min(settings.backoff_limit_seconds, settings.backoff_seconds * 2.0 ** (sendings - 1))
        # Jitter, or all threads would come back at the same instant.
        self._sender.halt.wait(max(asked_for, backoff * random.uniform(0.5, 1.0)))
        return True

    def _verdict(self, state: State, answer: Answer, transaction_uid: str | None) -> SubmissionResult:
        return SubmissionResult(
            self._due.id, state, answer.meaning, answer.message, transaction_uid, self._possibly_accepted
        )


def _state(answer: Answer, possibly_accepted: bool) -> State:
    """Where a claim stands after the last answer of its sending."""
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

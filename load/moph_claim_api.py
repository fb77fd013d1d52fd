"""The MOPH Claim API: send a claim, check eligibility, ask for the status of a transaction.

The only module that calls it. Every call returns an exchange, also after a failure; only a certificate that does not
verify and a malformed address raise, for then nothing was sent and no other call could succeed.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from core.clock import now
from load.account_center import TokenSource
from load.outcomes import (
    NO_ANSWER,
    NOT_SENT,
    NOT_UNDERSTOOD,
    NUMBER_GIVEN_TWICE,
    TOO_LARGE,
    Answer,
    Meaning,
    Outcome,
    interpret,
)
from load.settings import ApiSettings
from load.token import Token
from load.transport import Reply, Transport

Call = Literal["submit", "eligibility", "status"]
BODY_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, or its failure.

    Args:
        call: submit, eligibility or status.
        path: The path called.
        request: The body sent; never shown by `repr`.
        sent_at: When it was sent.
        answered_at: When the answer or the failure came.
        http_status: The HTTP status; None where no head of an answer came.
        response: The answer's text, or what came of it, at most 65,536 characters; never shown by `repr`.
        answer: What it means.
        retry_after_seconds: How long the server asks to wait.
        failure: The name of the transport error; None if there was a whole answer.
    """

    call: Call
    path: str
    request: bytes = field(repr=False)
    sent_at: datetime
    answered_at: datetime
    http_status: int | None
    response: str | None = field(repr=False)
    answer: Answer
    retry_after_seconds: float | None = None
    failure: str | None = None

    @property
    def duration_ms(self) -> int:
        """Milliseconds between sending and answer."""
        return round((self.answered_at - self.sent_at).total_seconds() * 1000)


class MophClaimApi:
    """Kept-alive connections to one environment.

    Args:
        settings: The address and the time-outs.
        connections: How many connections at most: one per thread.

    Raises:
        ConfigurationError: The file of certificate authorities cannot be read.
    """

    def __init__(self, settings: ApiSettings, connections: int) -> None:
        _, self._base = settings.addresses()
        self._headers = {"User-Agent": settings.user_agent, "Content-Type": "application/json"}
        self._transport = Transport(settings, self._base, "api.api_url", connections)
        self._lock = threading.Lock()
        self._numbers: dict[str, bytes] = {}  # of the claims accepted here, with the hash of each one's payload

    def abort(self) -> None:
        """Close the sockets of all exchanges under way: the threads blocked in them return at once, and none begins.

        An exchange whose request may have arrived is in doubt; one that begins later raises StopRun. Callable from any
        thread and from a signal handler; it waits for nothing.
        """
        self._transport.abort()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def submit(self, service: str, payload: bytes, token: Token) -> Exchange:
        """Send one claim.

        Args:
            service: dmht, epi or dt.
            payload: The canonical JSON body.
            token: The token to send with it.
        """
        sent = self._exchange("submit", "POST", f"/api/v1/opd/service-admissions/{service}", payload, token)
        if sent.answer.outcome is Outcome.ACCEPTED and self._was_given_before(sent.answer.transaction_uid, payload):
            return replace(sent, answer=in_doubt(NUMBER_GIVEN_TWICE, sent.answer))
        return sent

    def _was_given_before(self, number: str | None, payload: bytes) -> bool:
        """Whether a transaction number was given to another claim; those of earlier runs are known to the ledger."""
        digest = hashlib.sha256(payload).digest()
        with self._lock:
            return number is not None and self._numbers.setdefault(number, digest) != digest

    def eligibility(self, kind: str, question: bytes, token: Token) -> Exchange:
        """Ask whether a claim for a person would be eligible; the answer may hold the number of one that was accepted.

        Args:
            kind: dm, ht, epi or dt.
            question: The JSON body (reference, §5).
            token: The token to send with it.
        """
        return self._exchange("eligibility", "POST", f"/api/v1/opd/{kind}", question, token)

    def status(self, transaction_uid: str, token: Token) -> Exchange:
        """Ask for the status of a transaction.

        Args:
            transaction_uid: The number that the acceptance gave.
            token: The token to send with it.
        """
        path = f"/api/v1/opd/service-transactions/{quote(transaction_uid, safe='')}/status"
        return self._exchange("status", "GET", path, b"", token)

    def _exchange(self, call: Call, method: str, path: str, body: bytes, token: Token) -> Exchange:
        sent_at, started = now(), time.monotonic()
        headers = self._headers | {"Authorization": f"Bearer {token.text.get_secret_value()}"}
        reply = self._transport.exchange(method, self._base + path, headers, body or None)
        answered_at = sent_at + timedelta(seconds=time.monotonic() - started)
        text = None if reply.status is None else reply.text
        failure, retry_after = reply.failure, None
        try:
            answer = _answer(reply, text or "", expects_uid=call == "submit")
            retry_after = _retry_after(reply.headers)
        except Exception as fault:  # a fault of ours loses no answer: it is recorded all the same
            failure, answer = type(fault).__name__, Answer(Outcome.IN_DOUBT, NOT_UNDERSTOOD)
        return Exchange(
            call,
            path,
            body,
            sent_at,
            answered_at,
            reply.status,
            text if text is None else text[:BODY_LIMIT],
            answer,
            retry_after,
            failure,
        )


def in_doubt(meaning: Meaning, answer: Answer) -> Answer:
    """An acceptance that cannot be believed, for this reason."""
    return replace(answer, outcome=meaning.outcome, meaning=meaning, transaction_uid=None)


def _answer(reply: Reply, text: str, *, expects_uid: bool) -> Answer:
    # A request that was not sent may be sent again; one that may have arrived is in doubt.
    if not reply.sent:
        return Answer(Outcome.RETRY, NOT_SENT)
    if reply.too_large:
        return Answer(Outcome.IN_DOUBT, TOO_LARGE)
    if reply.failure or reply.status is None:
        return Answer(Outcome.IN_DOUBT, NO_ANSWER)
    return interpret(reply.status, text, expects_uid=expects_uid)


def call_with_token(
    tokens: TokenSource, call: Callable[[Token], Exchange], record: Callable[[Exchange], None]
) -> Exchange:
    """Make a call with the run's token, and once more with a new one if it has expired.

    Args:
        tokens: The run's log-in.
        call: Makes the call with a token.
        record: Called with every exchange as soon as it has taken place.

    Returns:
        The last exchange.

    Raises:
        StopRun: Every call would fail in the same way.
        LoginError: The log-in gives no token.
    """
    token = tokens.token()
    exchange = call(token)
    record(exchange)
    if exchange.answer.outcome is Outcome.TOKEN_EXPIRED:
        token = tokens.replace(token)
        exchange = call(token)
        record(exchange)
    if exchange.http_status is not None and exchange.answer.outcome is not Outcome.TOKEN_EXPIRED:
        tokens.mark_working(token)
    return exchange


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most six hours; None where the header is missing or malformed."""
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        return Retry().parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):  # a date out of range, or a number of thousands of digits
        return None

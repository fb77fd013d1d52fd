"""The MOPH Claim API: send one claim, ask whether one was taken, ask what became of one.

The only place that talks to it. An exchange says what happened; only a certificate that does not
verify and a malformed address raise, for then nothing was sent and nothing can be.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from core.clock import now
from load.account_center import TokenSource
from load.errors import StopRun, certificate_refused, malformed_address
from load.outcomes import NO_ANSWER, NOT_SENT, Answer, Outcome, understand
from load.settings import ApiSettings
from load.token import Bearer, Token
from load.transport import authorities, certificate_failed, never_left

Call = Literal["submit", "eligibility", "status"]
BODY_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back.

    Args:
        call: submit, eligibility or status.
        path: The path called.
        request: The body sent; never shown by `repr`.
        sent_at: When it went out.
        answered_at: When the answer, or the failure, came.
        http_status: The HTTP status; None without an answer.
        response: The answer's text, at most 65,536 characters; never shown by `repr`.
        answer: What it means.
        retry_after_seconds: How long the server asks to wait.
        failure: The name of the transport error; None with an answer.
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
        connections: How many connections at most, one a thread.

    Raises:
        ConfigurationError: The file of certificate authorities cannot be read.
    """

    def __init__(self, settings: ApiSettings, connections: int) -> None:
        self._settings = settings
        _, self._base = settings.addresses()
        self._authorities = authorities(settings.ca_bundle)
        self._headers = {"User-Agent": settings.user_agent, "Content-Type": "application/json"}
        self._session = requests.Session()
        # What the environment says of proxies, looked up once: requests would at every request.
        self._proxies = requests.utils.get_environ_proxies(self._base)
        # Retries are ours: each attempt is an exchange of its own in the audit.
        self._session.mount(self._base, HTTPAdapter(pool_connections=1, pool_maxsize=connections, pool_block=True))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def submit(self, service: str, payload: bytes, token: Token) -> Exchange:
        """Send one claim.

        Args:
            service: dmht, epi or dt.
            payload: The canonical JSON body.
            token: The token to sign it with.
        """
        return self._exchange("submit", "POST", f"/api/v1/opd/service-admissions/{service}", payload, token)

    def eligibility(self, kind: str, question: bytes, token: Token) -> Exchange:
        """Ask whether a person can (still) be claimed for; the answer may carry the number of what was taken.

        Args:
            kind: dm, ht, epi or dt.
            question: The JSON body, as the reference has it.
            token: The token to sign it with.
        """
        return self._exchange("eligibility", "POST", f"/api/v1/opd/{kind}", question, token)

    def status(self, transaction_uid: str, token: Token) -> Exchange:
        """Ask what became of a transaction.

        Args:
            transaction_uid: The number kept from the acceptance.
            token: The token to sign it with.
        """
        path = f"/api/v1/opd/service-transactions/{quote(transaction_uid, safe='')}/status"
        return self._exchange("status", "GET", path, b"", token)

    def _exchange(self, call: Call, method: str, path: str, body: bytes, token: Token) -> Exchange:
        sent_at, started = now(), time.monotonic()
        http_status: int | None = None
        text: str | None = None
        wait: float | None = None
        failure: str | None = None
        try:
            request = requests.Request(method, self._base + path, self._headers, data=body or None, auth=Bearer(token))
            answer = self._session.send(
                request.prepare(),
                proxies=self._proxies,
                timeout=(self._settings.connect_timeout_seconds, self._settings.read_timeout_seconds),
                verify=self._authorities,
                allow_redirects=False,
            )
            http_status, text = answer.status_code, _text(answer)
            wait = _retry_after(answer.headers)
            meant = understand(http_status, text, expects_uid=call == "submit")
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise StopRun(malformed_address(self._base, "api.api_url")) from None
        except requests.RequestException as error:
            if certificate_failed(error):
                raise StopRun(certificate_refused(self._base)) from None
            failure = type(error).__name__
            # A claim that never left is sent again; one that may have arrived is in doubt.
            meant = Answer(Outcome.RETRY, NOT_SENT) if never_left(error) else Answer(Outcome.IN_DOUBT, NO_ANSWER)
        answered_at = sent_at + _since(started)
        return Exchange(call, path, body, sent_at, answered_at, http_status, text, meant, wait, failure)


def signed(tokens: TokenSource, call: Callable[[Token], Exchange], put: Callable[[Exchange], None]) -> Exchange:
    """Make a call with the run's token, and once more with a new one where that has run out.

    Args:
        tokens: The run's log-in.
        call: What to do with a token.
        put: Takes every exchange as soon as it has been made.

    Returns:
        The last exchange.

    Raises:
        StopRun: Every call would fail alike.
        LoginError: No token is to be had.
    """
    token = tokens.token()
    made = call(token)
    put(made)
    if made.answer.outcome is Outcome.TOKEN_EXPIRED:
        token = tokens.replace(token)
        made = call(token)
        put(made)
    if made.http_status is not None and made.answer.outcome is not Outcome.TOKEN_EXPIRED:
        tokens.served(token)
    return made


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)


def _text(answer: requests.Response) -> str:
    # The API speaks UTF-8 whatever a gateway's header says.
    return answer.content.decode("utf-8", errors="replace").replace("\x00", "")[:BODY_LIMIT]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number of seconds or an HTTP date; None where the header is missing or unreadable."""
    said = (headers.get("Retry-After") or "").strip()
    if not said:
        return None
    try:
        if said.isdigit():
            return float(said)
        return max(0.0, (parsedate_to_datetime(said) - now()).total_seconds())
    except (ValueError, TypeError):
        return None

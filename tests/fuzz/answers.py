"""Any bytes as an answer to any call, through the program's own HTTP: what must hold of what comes out."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

from pydantic import SecretStr

from core.clock import BANGKOK
from core.errors import MophClaimError
from core.text import one_line
from load.account_center import log_in, transport_for
from load.connections import _Watched
from load.inquiry import read_status
from load.moph_claim_api import BODY_LIMIT, Exchange, MophClaimApi
from load.outcomes import NOT_UNDERSTOOD, Outcome
from load.queue import Transaction
from load.settings import ApiSettings
from load.states import State
from load.token import Token
from load.watchdog import current_guard

CALLS = ("submit", "eligibility", "status", "log in")
TOKEN = Token(SecretStr("aaa.bbb.ccc"))
SETTINGS = ApiSettings(
    username="u", password=SecretStr("p"), attempts=1, connect_timeout_seconds=2, read_timeout_seconds=2
)
TRANSACTION = Transaction(1, "uid-1", "1100000000001", "0" * 64, State.PRESUMED_ACCEPTED)
# Exceptions of the HTTP library that an answer may end in; any other is a fault that was caught as a last resort.
FAILURES = {
    "AnswerTooLarge",
    "ChunkedEncodingError",
    "ConnectionError",
    "DeadlineExceeded",
    "DecodeError",
    "IncompleteRead",
    "InvalidHeader",
    "ProtocolError",
    "ReadTimeout",
    "ReadTimeoutError",
}
EXAMPLES = (
    {"status": 200, "message": "success", "message_th": "สำเร็จ", "data": {"transaction_uid": "uid-1"}},
    {"status": "400", "message": "dm patient unable to claim"},
    {"status": 503, "message": "external server error", "error": {"message": [{"field": "a", "message": "b"}]}},
    {"error": {"statusCode": 400, "message": "Invalid x-api-key"}},
    {"code": 401, "message": "JWT Expire", "success": False},
    {"status": 200, "data": {"transaction_uid": 1, "pid": "1100000000001", "status": "approved", "status_th": "อนุมัติ"}},
    {"access_token": "e30.eyJleHAiOjQxMDI0NDQ4MDAsImNsaWVudCI6eyJob3NwaXRhbF9jb2RlIjoiMTA5NTMifX0.c2ln"},
)


def http(body: bytes, head: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """An answer of these."""
    return head + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


SEEDS = [
    *(http(json.dumps(example, ensure_ascii=False).encode()) for example in EXAMPLES),
    http(b"<html>Bad Request</html>", b"HTTP/1.1 400 Bad Request"),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 ?\r\nRetry-After: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, deflate\r\n\r\n\x1f\x8b\x08\x00",
]


class Answers:
    """Makes calls that are answered with given bytes, without a network."""

    def __init__(self) -> None:
        self._answer = b""
        self._far_ends: list[socket.socket] = []
        self._api = MophClaimApi(SETTINGS, 1)
        self._log_in = transport_for(SETTINGS)

    @contextmanager
    def connected(self) -> Iterator["Answers"]:
        """Let every connection lead to the bytes given."""
        with patch.object(_Watched, "_new_conn", lambda _: self._connect()):
            yield self
        self._api.close()
        self._log_in.close()

    def _connect(self) -> socket.socket:
        near, far = socket.socketpair()
        far.setblocking(False)
        far.send(self._answer or b"\n")  # as much of it as there is room for
        far.shutdown(socket.SHUT_WR)
        self._far_ends.append(far)
        current_guard().watch(near)
        return near

    def check(self, call: str, answer: bytes) -> Exchange | None:
        """Make a call that is answered so.

        Raises:
            AssertionError: Something does not hold.
            Exception: The program raised something other than its own.
        """
        self._answer = answer
        self._api._numbers.clear()
        try:
            if call == "log in":
                log_in(SETTINGS, "10953", self._log_in)
                return None
            made = self._make(call)
        except MophClaimError as error:
            assert str(error)
            return None
        finally:
            while self._far_ends:
                self._far_ends.pop().close()
        check_exchange(made)
        return made

    def _make(self, call: str) -> Exchange:
        if call == "submit":
            return self._api.submit("dmht", b"{}", TOKEN)
        if call == "eligibility":
            return self._api.eligibility("dm", b"{}", TOKEN)
        return self._api.status("uid-1", TOKEN)


def check_exchange(made: Exchange) -> None:
    """What holds of every exchange that was sent, whatever answered it."""
    answer = made.answer
    assert made.failure is None or made.failure in FAILURES, made.failure
    assert answer.meaning is not NOT_UNDERSTOOD
    assert answer.meaning.outcome is answer.outcome
    assert made.failure is None or answer.outcome is Outcome.IN_DOUBT
    assert len(made.response or "") <= BODY_LIMIT
    assert len(answer.message) <= 500
    for text in (answer.message, answer.transaction_uid or ""):
        assert text.strip() == one_line(text)  # a cut may end in a space
        text.encode()
    if answer.outcome is Outcome.ACCEPTED:
        assert made.http_status is not None
        assert 200 <= made.http_status < 300
        assert answer.transaction_uid or made.call != "submit"
    if answer.outcome in (Outcome.CORRECTABLE, Outcome.FINAL, Outcome.HELD):
        assert answer.status in (400, 422) or answer.meaning.form == "fields"
    assert 0 < len(answer.transaction_uid or "-") <= 64
    assert made.retry_after_seconds is None or 0 <= made.retry_after_seconds <= 6 * 3600
    status = read_status(TRANSACTION, made)
    if status is not None:
        assert len(status.status or "") <= 80
        assert len(status.status_th or "") <= 200
    assert made.answered_at >= made.sent_at >= datetime(2020, 1, 1, tzinfo=BANGKOK)

"""An exchange has an end, in time and in size, whatever the server does; and any thread can end it."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from load_night import make_claim
from pydantic import SecretStr

from load.account_center import TokenSource, log_in
from load.errors import LoginError, StopRun
from load.moph_claim_api import Exchange, MophClaimApi
from load.outcomes import Outcome
from load.settings import ApiSettings
from load.token import Token

TOKEN = Token(SecretStr("aaa.bbb.ccc"))
Behaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(behave: Behaviour) -> Iterator[tuple[str, threading.Semaphore]]:
    """A server that does as told with every connection; the semaphore counts the requests."""
    over, accepted = threading.Event(), threading.Semaphore(0)
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                if behave is not deaf:
                    connection.recv(65536)
                accepted.release()
                behave(connection, over)
            except OSError:
                return
            over.wait(60)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", accepted
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Read the request, and say nothing."""


def deaf(connection: socket.socket, over: threading.Event) -> None:
    """Read nothing either."""


def drips(start: bytes, again: bytes) -> Behaviour:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.02):
            connection.sendall(again)

    return behave


DRIPS = {
    "head": drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "body": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n", b" "),
    "body without a length": drips(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "chunks": drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "trailer": drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "100 Continue": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints": drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


def settings(url: str, **changes: object) -> ApiSettings:
    of_test = {"connect_timeout_seconds": 0.3, "read_timeout_seconds": 0.3, "username": "u", "password": "p"}
    return ApiSettings.model_validate(of_test | {"api_url": url, "token_url": url} | changes)


def submit(api: MophClaimApi, payload: bytes = make_claim().payload) -> Exchange:
    return api.submit("dmht", payload, TOKEN)


@pytest.mark.parametrize("kind", DRIPS)
def test_an_answer_that_drips_ends_at_the_deadline_and_is_in_doubt(kind: str):
    with server(DRIPS[kind]) as (url, _):
        api = MophClaimApi(settings(url), 1)
        made = submit(api)
        api.close()
    assert (made.failure, made.answer.outcome) == ("DeadlineExceeded", Outcome.IN_DOUBT)
    assert made.duration_ms < 10_000


def test_a_server_that_does_not_read_the_request_does_not_hold_it_up():
    with server(deaf) as (url, _):
        api = MophClaimApi(settings(url), 1)
        made = submit(api, b"x" * 30_000_000)
        api.close()
    assert (made.http_status, made.answer.outcome) == (None, Outcome.IN_DOUBT)
    assert made.duration_ms < 10_000


def test_aborting_ends_every_exchange_under_way_and_lets_none_begin():
    with server(silent) as (url, accepted), ThreadPoolExecutor(4) as threads:
        api = MophClaimApi(settings(url, connect_timeout_seconds=60, read_timeout_seconds=60), 4)
        under_way = [threads.submit(submit, api) for _ in range(4)]
        for _ in range(4):
            assert accepted.acquire(timeout=20)
        api.abort()
        made = [one.result(timeout=10) for one in under_way]
        assert {(e.failure, e.answer.outcome) for e in made} == {("Aborted", Outcome.IN_DOUBT)}
        with pytest.raises(StopRun, match="stopped"):
            submit(api)
        api.close()


def test_a_log_in_that_drips_ends_and_can_be_aborted():
    with server(DRIPS["body"]) as (url, accepted):
        with pytest.raises(LoginError, match="does not answer"):
            log_in(settings(url, attempts=9, backoff_seconds=0), "10953")
        tokens = TokenSource(settings(url, connect_timeout_seconds=60, read_timeout_seconds=60), "10953")
        with ThreadPoolExecutor(1) as threads:
            while accepted.acquire(blocking=False):
                pass
            asked = threads.submit(tokens.token)
            assert accepted.acquire(timeout=20)
            tokens.abort()
            with pytest.raises(LoginError):
                asked.result(timeout=10)

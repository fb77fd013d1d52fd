"""An exchange has an end, in time and in size, whatever the server does; and any thread can end it."""

import codecs
import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from load_night import make_claim
from odd_server import answer, odd_server, read_request, self_signed
from pydantic import SecretStr

from load.account_center import TokenSource, log_in
from load.errors import LoginError, StopRun
from load.moph_claim_api import Exchange, MophClaimApi
from load.outcomes import NO_ANSWER, NOT_SENT, NOT_UNDERSTOOD, NUMBER_GIVEN_TWICE, TOO_LARGE, Outcome
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
                    read_request(connection)
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


def quick_and_slow(kinds: Mapping[str, Behaviour], *quick: str) -> list[Any]:
    return [kind if kind in quick else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


def floods(start: bytes, again: bytes) -> Behaviour:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.is_set():
            connection.sendall(again)

    return behave


def bomb(encoding: bytes, status: bytes = b"200 OK") -> Behaviour:
    """30 MB of spaces in a few kilobytes, packed as often as the header says."""
    content = b" " * 30_000_000
    for name in encoding.split(b", "):
        content = gzip.compress(content) if name == b"gzip" else zlib.compress(content)
    head = b"HTTP/1.1 %b\r\nContent-Encoding: %b\r\nContent-Length: %d\r\nLocation: /elsewhere\r\n\r\n"
    return lambda connection, _: connection.sendall(head % (status, encoding, len(content)) + content)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL_CHUNKS, LARGE_CHUNK = b"1\r\nx\r\n" * 9000, b"fffffffff\r\n"
FLOODS = {
    "body": floods(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", b" " * 65536),
    "body without a length": floods(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    "small chunks": floods(CHUNKED, SMALL_CHUNKS),
    "one large chunk": floods(CHUNKED + LARGE_CHUNK, b" " * 65536),
    "trailer": floods(CHUNKED + b"0\r\n", b"X: y\r\n" * 9000),
    "100 Continue": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 3000),
    "103 Early Hints": floods(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3000),
    "gzip": bomb(b"gzip"),
    "deflate": bomb(b"deflate"),
    "gzip in gzip": bomb(b"gzip, gzip"),
    "gzip under a redirect": bomb(b"gzip", b"302 Found"),
}


@pytest.mark.parametrize("kind", quick_and_slow(FLOODS, "gzip", "gzip in gzip", "100 Continue", "body"))
def test_an_answer_without_end_is_left_at_the_limit_and_is_in_doubt_with_its_own_sentence(kind: str):
    tracemalloc.start()
    with server(FLOODS[kind]) as (url, _):
        api = MophClaimApi(settings(url, read_timeout_seconds=60), 1)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        made = submit(api)
        _, peak = tracemalloc.get_traced_memory()
        api.close()
    tracemalloc.stop()
    assert (made.failure, made.answer.meaning) == ("AnswerTooLarge", TOO_LARGE)
    assert len(made.response or "") <= 65_536
    assert "1 MB" in made.answer.meaning.meaning.en
    assert peak - before < 12_000_000


@pytest.mark.parametrize("kind", ["gzip", "100 Continue"])
def test_a_log_in_that_is_answered_without_end_ends(kind: str):
    with server(FLOODS[kind]) as (url, _), pytest.raises(LoginError, match="does not answer"):
        log_in(settings(url, read_timeout_seconds=60, attempts=1), "10953")


@pytest.mark.parametrize(
    "line", [b"X: " + b"y" * 70_000, *(b"X: y\r\n" * 200,), b"Content-Length: 1\r\nContent-Length: 2", b"\x00: \xff"]
)
def test_a_head_out_of_order_ends_in_an_exchange(line: bytes):
    with server(lambda c, _: c.sendall(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n{}")) as (url, _):
        api = MophClaimApi(settings(url), 1)
        assert submit(api).answer.outcome is Outcome.IN_DOUBT
        api.close()


@pytest.mark.parametrize("head", [b"401 Unauthorized\r\n", b"503 Busy\r\nRetry-", b"200 OK\r\nX: y\r\n"])
def test_a_head_that_breaks_off_is_no_answer(head: bytes):
    def breaks_off(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 " + head)
        connection.shutdown(socket.SHUT_WR)

    with server(breaks_off) as (url, _):
        api = MophClaimApi(settings(url, read_timeout_seconds=20), 1)
        made = submit(api)
        api.close()
    assert (made.http_status, made.answer.meaning) == (None, NO_ANSWER)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_body_where_none_may_be_is_not_taken_for_the_next_answer(status: bytes):
    def answers(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 %b\r\n\r\n" % status)
        read_request(connection)  # of the next claim, if it is sent here
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(accepted(1)), accepted(1)))

    with server(answers) as (url, _):
        api = MophClaimApi(settings(url, read_timeout_seconds=20), 1)
        assert {submit(api).answer.transaction_uid for _ in range(3)} == {None}
        api.close()


@pytest.mark.parametrize("when", ["-5", "soon", "9" * 5000, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"])
def test_a_wait_that_cannot_be_read_is_none(when: str):
    with odd_server(answer("503 Busy", b'{"status": 503, "message": "?"}', Retry_After=when)) as odd:
        api = MophClaimApi(settings(odd.url), 1)
        made = submit(api)
        api.close()
    assert (made.answer.outcome, made.retry_after_seconds, made.failure) == (Outcome.RETRY, None, None)


def test_the_answer_that_follows_an_interim_one_belongs_to_the_same_request():
    answers = [
        b"HTTP/1.1 %b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (interim, len(body), body)
        for interim, body in zip((b"100 Continue", b"103 Early Hints", b"102 ?"), map(accepted, range(3)), strict=True)
    ]

    def one_after_the_other(connection: socket.socket, over: threading.Event) -> None:
        for each in answers:
            connection.sendall(each)
            read_request(connection)

    with server(one_after_the_other) as (url, _):
        api = MophClaimApi(settings(url, read_timeout_seconds=20), 1)
        numbers = [submit(api, b'{"number":%d}' % number).answer.transaction_uid for number in range(3)]
        api.close()
    assert numbers == ["uid-0", "uid-1", "uid-2"]


def accepted(number: int) -> bytes:
    return b'{"status": 200, "data": {"transaction_uid": "uid-%d"}}' % number


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF8 * 2])
def test_a_byte_order_mark_does_no_harm(mark: bytes):
    body = mark + accepted(1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server(lambda c, _: c.sendall(head + body)) as (url, _):
        api = MophClaimApi(settings(url), 1)
        assert submit(api).answer.transaction_uid == "uid-1"
        api.close()


def test_an_answer_of_utf_16_and_one_longer_than_what_is_kept_are_read_whole():
    wide = codecs.BOM_UTF16_LE + accepted(1).decode().encode("utf-16-le")
    for body in (wide, b'{"padding": "%b", %b' % (b"x" * 900_000, accepted(1)[1:])):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        with server(lambda c, _, whole=head + body: c.sendall(whole)) as (url, _):
            api = MophClaimApi(settings(url, read_timeout_seconds=20), 1)
            made = submit(api)
            api.close()
        assert made.answer.transaction_uid == "uid-1"
        assert len(made.response or "") <= 65_536


def test_a_number_given_to_two_claims_is_in_doubt_for_the_second():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(accepted(1)), accepted(1))

    def always(connection: socket.socket, over: threading.Event) -> None:
        while True:
            connection.sendall(head)
            read_request(connection)

    with server(always) as (url, _):
        api = MophClaimApi(settings(url, read_timeout_seconds=20), 1)
        made = [submit(api, payload).answer for payload in (b"{}", b"{}", b'{"other":1}')]
        api.close()
    assert [answer.transaction_uid for answer in made] == ["uid-1", "uid-1", None]
    assert made[2].meaning is NUMBER_GIVEN_TWICE


def test_a_fault_of_ours_in_understanding_an_answer_loses_neither_status_nor_bytes(monkeypatch: pytest.MonkeyPatch):
    def fault(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("load.moph_claim_api.interpret", fault)
    with server(lambda c, _: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as (url, _):
        api = MophClaimApi(settings(url), 1)
        made = submit(api)
        api.close()
    assert (made.http_status, made.response, made.failure) == (200, "{}", "MemoryError")
    assert made.answer.meaning is NOT_UNDERSTOOD


# Certificate authorities and proxies: one rule for the log-in and the sending.


def test_neither_log_in_nor_sending_follow_variables_for_authorities_or_a_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "gone.pem"))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    certificate = self_signed(tmp_path)
    with odd_server(answer("200 OK", accepted(1)), certificate) as sending:
        api = MophClaimApi(settings(sending.url, ca_bundle=certificate, read_timeout_seconds=20), 1)
        assert submit(api).answer.outcome is Outcome.ACCEPTED
        api.close()
    assert b"Authorization: Bearer aaa.bbb.ccc" in sending.requests[0]
    with odd_server(answer("200 OK", "e30.e30.c2ln"), certificate) as log_ins:
        log_in(settings(log_ins.url, ca_bundle=certificate, read_timeout_seconds=20), "10953")
    assert b"Authorization" not in log_ins.requests[0]


@pytest.mark.parametrize("spelling", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_log_in_and_sending_go_by_the_environments_proxy_but_not_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, spelling: str
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with odd_server(answer("200 OK", accepted(1))) as proxy, odd_server(answer("200 OK", "e30.e30.c2ln")) as here:
        monkeypatch.setenv(spelling, proxy.url)
        far = settings("http://claims.example", read_timeout_seconds=20)
        api = MophClaimApi(far, 1)
        assert submit(api).answer.outcome is Outcome.ACCEPTED
        api.close()
        with pytest.raises(LoginError):
            log_in(far, "10953")
        assert all(request.startswith(b"POST http://claims.example/") for request in proxy.requests)
        log_in(settings(here.url, read_timeout_seconds=20), "10953")
        assert (len(proxy.requests), len(here.requests)) == (2, 1)


def settings(url: str, **changes: object) -> ApiSettings:
    of_test = {"connect_timeout_seconds": 0.3, "read_timeout_seconds": 0.3, "username": "u", "password": "p"}
    return ApiSettings.model_validate(of_test | {"api_url": url, "token_url": url} | changes)


def submit(api: MophClaimApi, payload: bytes = make_claim().payload) -> Exchange:
    return api.submit("dmht", payload, TOKEN)


@pytest.mark.parametrize("kind", quick_and_slow(DRIPS, "body without a length", "100 Continue"))
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


def test_aborting_ends_a_tls_handshake_and_nothing_was_sent():
    with server(deaf) as (url, accepted), ThreadPoolExecutor(1) as threads:
        secure = settings(url.replace("http", "https"), connect_timeout_seconds=60, read_timeout_seconds=60)
        api = MophClaimApi(secure, 1)
        under_way = threads.submit(submit, api)
        assert accepted.acquire(timeout=20)
        api.abort()
        made = under_way.result(timeout=10)
        api.close()
    assert (made.failure, made.answer.outcome, made.answer.meaning) == ("Aborted", Outcome.RETRY, NOT_SENT)


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

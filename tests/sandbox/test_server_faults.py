import socket
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from server_caller import MANUAL_LOGIN, Caller, dm, ht, message

from sandbox.process import Sandbox
from sandbox.world import Fault

ACCEPTED = (200, "success")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("429", 429),
        ("500", 500),
        ("502_html", 502),
        ("503", 503),
        ("504", 504),
        ("not_found", 404),
        ("jwt_expire", 401),
        ("invalid_scope", 401),
        ("invalid_session", 401),
        ("permission_denied", 403),
    ],
)
def test_fault_instead_of_an_answer_takes_nothing(sandbox: Sandbox, caller: Caller, kind: str, status: int) -> None:
    sandbox.misbehave(Fault(kind=kind, times=1))
    assert caller.submit("dmht", dm()).status_code == status
    assert sandbox.stats()["accepted"] == 0
    assert message(caller.submit("dmht", dm())) == ACCEPTED
    assert sandbox.stats()["faults"] == {kind: 1}


@pytest.mark.parametrize("kind", ["500_after", "502_after"])
def test_error_after_taking_hides_that_the_claim_was_taken(sandbox: Sandbox, caller: Caller, kind: str) -> None:
    sandbox.misbehave(Fault(kind=kind))
    assert caller.submit("dmht", dm()).status_code == int(kind[:3])
    assert sandbox.stats()["accepted"] == 1


def test_bad_gateway_is_a_page_of_html(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="502_html"))
    reply = caller.submit("dmht", dm())
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "Bad Gateway" in reply.text


@pytest.mark.parametrize("wait", [None, "3"])
def test_too_many_requests_may_say_how_long_to_wait(sandbox: Sandbox, caller: Caller, wait: str | None) -> None:
    sandbox.misbehave(Fault(kind="429", retry_after=wait))
    assert caller.submit("dmht", dm()).headers.get("Retry-After") == wait


@pytest.mark.parametrize(
    ("kind", "cause", "taken"),
    [
        ("reset_before", "ConnectionResetError", 0),
        ("reset_after", "ConnectionResetError", 1),
        ("hang_up_before", "RemoteDisconnected", 0),
        ("hang_up_after", "RemoteDisconnected", 1),
        ("cut_off_after", "IncompleteRead", 1),
    ],
)
def test_connection_breaks_before_or_after_taking(
    sandbox: Sandbox, caller: Caller, kind: str, cause: str, taken: int
) -> None:
    sandbox.misbehave(Fault(kind=kind, times=1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError), match=cause):
        caller.submit("dmht", dm())
    assert sandbox.stats()["accepted"] == taken
    assert caller.submit("dmht", dm()).status_code == (400 if taken else 200)


def test_truncated_answer_is_whole_http_and_half_json(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="truncated_after"))
    reply = caller.submit("dmht", dm())
    assert reply.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        reply.json()
    assert sandbox.stats()["accepted"] == 1


@pytest.mark.parametrize(("kind", "taken"), [("timeout_before", 0), ("timeout_after", 1)])
def test_held_answer_outlasts_the_callers_patience(sandbox: Sandbox, caller: Caller, kind: str, taken: int) -> None:
    sandbox.misbehave(Fault(kind=kind, hold_seconds=5))
    with pytest.raises(requests.ReadTimeout):
        caller.submit("dmht", dm(), timeout=0.3)
    assert sandbox.stats()["accepted"] == taken


ENDLESS = {
    "drip_after": b"\r\ncontent-length: 1024\r\n\r\n ",
    "drip_head_after": b"\r\nx-padding: x",
    "flood_after": b"\r\n\r\n" + b" " * 100_000,
    "flood_100_after": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_answer_without_an_end_goes_on_and_on(sandbox: Sandbox, kind: str) -> None:
    sandbox.misbehave(Fault(kind=kind, on=("token",)))
    with socket.create_connection(("127.0.0.1", sandbox.port)) as caller:
        head = b"POST /token?Action=get_moph_access_token HTTP/1.1\r\n"
        caller.sendall(head + b"host: x\r\nuser-agent: test\r\ncontent-length: 0\r\n\r\n")
        said = b""
        while ENDLESS[kind] not in said:
            said += (received := caller.recv(1 << 20))
            assert received


@pytest.mark.slow
def test_bomb_is_small_on_its_way_and_large_when_it_has_come(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="bomb_after", on=("token",)))
    reply = caller.session.post(sandbox.token_url, json=MANUAL_LOGIN, timeout=300, stream=True)
    assert int(reply.headers["Content-Length"]) < 500_000
    unpacked = zlib.decompressobj(wbits=31).decompress(reply.raw.read(decode_content=False))
    assert len(unpacked) == 320 << 20


def test_fault_spares_some_requests_and_meets_so_many(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="503", skip=2, times=3))
    answers = [caller.submit("dmht", ht(number)).status_code for number in range(7)]
    assert answers == [200, 200, 503, 503, 503, 200, 200]


def test_faults_by_chance_are_the_same_for_a_seed(sandbox: Sandbox, caller: Caller) -> None:
    def answers(first: int) -> list[int]:
        sandbox.misbehave(Fault(kind="503", probability=0.3), Fault(kind="429", probability=0.3))
        return [caller.submit("dmht", ht(first + number)).status_code for number in range(30)]

    once = answers(0)
    assert once == answers(100)
    assert set(once) == {200, 429, 503}


def test_faults_meet_only_the_calls_they_are_for(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="503", on=("eligibility", "token")))
    assert caller.submit("dmht", dm()).status_code == 200
    assert caller.ask("dm", dm()).status_code == 503
    assert caller.session.post(sandbox.token_url, json=MANUAL_LOGIN, timeout=300).status_code == 503


def test_account_suspended_in_mid_run_stays_so(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="account_suspended", skip=1, times=1))
    answers = [message(caller.submit("dmht", ht(number))) for number in range(3)]
    assert answers == [ACCEPTED, (403, "permission denied"), (403, "permission denied")]


def test_tokens_run_out_after_so_many_claims(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(tokens_expire_after_claims=2)
    answers = []
    for number in range(5):
        reply = caller.submit("dmht", ht(number))
        if reply.status_code == 401:
            caller.log_in()
            answers.append(reply.json()["message"])
            reply = caller.submit("dmht", ht(number))
        answers.append(reply.status_code)
    assert answers == [200, 200, "JWT Expire", 200, 200, "JWT Expire", 200]
    assert sandbox.stats()["logins"] == 3


def test_tokens_run_out_at_a_request_in_mid_run(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.misbehave(Fault(kind="expire_tokens", skip=1, times=1))
    assert message(caller.submit("dmht", ht(1))) == ACCEPTED
    assert message(caller.submit("dmht", ht(2))) == (401, "JWT Expire")
    caller.log_in()
    assert message(caller.submit("dmht", ht(2))) == ACCEPTED


def test_latency_delays_each_request_but_not_one_behind_the_other(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(latency_ms=200, jitter_ms=20)
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: caller.submit("dmht", ht(number)).status_code, range(8)))
    took = time.perf_counter() - started
    assert answers == [200] * 8
    assert 0.2 <= took < 8 * 0.2
    assert sandbox.stats()["most_in_flight"] > 1


def test_same_claim_sent_at_once_is_taken_once(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(latency_ms=50)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: caller.submit("dmht", dm()).status_code, range(8)))
    assert sorted(answers) == [200] + [400] * 7
    assert sandbox.stats()["accepted"] == 1


def test_kept_alive_connection_is_counted_once(sandbox: Sandbox, caller: Caller) -> None:
    for number in range(5):
        caller.submit("dmht", ht(number))
    assert sandbox.stats()["connections"] == 1


def test_answer_on_a_kept_alive_connection_is_not_held_back(sandbox: Sandbox, caller: Caller) -> None:
    started = time.perf_counter()
    for number in range(10):
        caller.submit("dmht", ht(number))
    # Nagle's delay would cost 40 ms an answer.
    assert time.perf_counter() - started < 10 * 0.04


def test_unknown_setting_is_refused(sandbox: Sandbox) -> None:
    reply = requests.post(f"{sandbox.url}/_sandbox/world", json={"latency": 5}, timeout=300)
    assert reply.status_code == 422
    assert sandbox.stats()["accepted"] == 0

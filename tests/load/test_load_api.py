"""One exchange with MOPH Claim, and what it means that no answer came."""

import json
import socket
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from load_night import make_claim, settings_for
from odd_server import GARBLED, HANG_UP, OddServer, answer, closed_port, odd_server, self_signed
from pydantic import SecretStr

from core.clock import now
from core.errors import ConfigurationError
from load.account_center import log_in
from load.errors import StopRun
from load.moph_claim_api import Exchange, MophClaimApi
from load.outcomes import Outcome
from load.settings import ApiSettings
from load.token import Token
from sandbox.process import Sandbox
from sandbox.world import Fault, FaultKind

TOKEN = Token(SecretStr("aaa.bbb.ccc"))
TAKEN = json.dumps({"status": 200, "data": {"transaction_uid": "uid-1"}})


def submit(settings: ApiSettings, token: Token = TOKEN) -> Exchange:
    api = MophClaimApi(settings, 1)
    try:
        return api.submit("dmht", make_claim().payload, token)
    finally:
        api.close()


def at(server: OddServer, **changes: object) -> ApiSettings:
    return ApiSettings.model_validate({"api_url": server.url, "connect_timeout_seconds": 5} | changes)


def test_a_claim_a_question_and_a_status_are_asked_where_the_reference_says(sandbox: Sandbox, api: ApiSettings):
    token, claim = log_in(api, "10953"), make_claim()
    moph = MophClaimApi(api, 1)
    sent = moph.submit("dmht", claim.payload, token)
    assert sent.path == "/api/v1/opd/service-admissions/dmht"
    assert sent.answer.outcome is Outcome.ACCEPTED
    uid = sent.answer.transaction_uid
    assert uid == sandbox.accepted()[0]["transaction_uid"]
    body = {k: v for k, v in json.loads(claim.payload).items() if k in ("pid", "id_type", "hcode", "visit_date_time")}
    asked = moph.eligibility("dm", json.dumps(body).encode(), token)
    assert asked.path == "/api/v1/opd/dm"
    assert asked.answer.transaction_uid == uid
    status = moph.status(str(uid), token)
    assert status.path == f"/api/v1/opd/service-transactions/{uid}/status"
    assert (status.answer.data["status"], status.answer.data["status_th"]) == ("approved", "อนุมัติ")
    moph.close()


def test_every_call_carries_the_token_the_content_type_and_the_programs_name():
    with odd_server(answer("200 OK", TAKEN)) as server:
        submit(at(server))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    for line in (
        b"Authorization: Bearer aaa.bbb.ccc",
        b"Content-Type: application/json",
        b"User-Agent: moph-claim-etl/",
    ):
        assert line in head
    assert body == make_claim().payload


def test_an_exchange_keeps_request_answer_and_times(sandbox: Sandbox, api: ApiSettings):
    sandbox.change(latency_ms=40)
    before = now()
    made = submit(api, log_in(api, "10953"))
    assert made.request == make_claim().payload
    assert made.http_status == 200
    assert json.loads(made.response or "")["message"] == "success"
    assert before <= made.sent_at <= made.answered_at <= now() + timedelta(milliseconds=1)
    assert 40 <= made.duration_ms < 5000
    assert made.failure is None


def test_neither_payload_nor_answer_nor_token_is_shown():
    with odd_server(answer("200 OK", TAKEN.replace("}}", '}, "message": "ตัวอย่าง"}'))) as server:
        shown = repr(submit(at(server)))
    for personal in ("ตัวอย่าง", make_claim().pid, "aaa.bbb.ccc"):
        assert personal not in shown


def test_thai_is_read_as_utf8_whatever_the_header_says():
    said = json.dumps({"status": 400, "message_th": "ข้อมูลไม่ถูกต้อง"}, ensure_ascii=False)
    with odd_server(answer("400 Bad Request", said, "text/html; charset=tis-620")) as server:
        assert submit(at(server)).answer.message == "ข้อมูลไม่ถูกต้อง"


def test_bytes_that_are_no_text_do_no_harm_and_a_long_page_is_cut():
    with odd_server(answer("502 Bad Gateway", b"\xff\xfd\x00<html>" + b"x" * 100_000, "text/html")) as server:
        made = submit(at(server))
    assert made.answer.outcome is Outcome.RETRY
    assert made.response is not None
    assert len(made.response) == 65_536
    assert "\x00" not in made.response


def test_a_redirect_is_not_followed():
    with odd_server(answer("302 Found", Location="http://127.0.0.1:1/")) as server:
        assert submit(at(server)).answer.outcome is Outcome.STOP
    assert len(server.requests) == 1


# No answer.


def test_a_refused_connection_was_not_sent():
    made = submit(ApiSettings(api_url=f"http://127.0.0.1:{closed_port()}"))
    assert made.answer.outcome is Outcome.RETRY
    assert not made.answer.meaning.possibly_accepted
    assert (made.http_status, made.response, made.failure) == (None, None, "ConnectionError")


def test_a_host_that_is_not_found_was_not_sent():
    made = submit(ApiSettings(api_url="https://no-such-host.invalid"))
    assert (made.answer.outcome, made.answer.meaning.possibly_accepted) == (Outcome.RETRY, False)


def test_a_connection_that_is_never_made_was_not_sent():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # fills the queue: the next one gets no answer at all
            made = submit(ApiSettings(api_url=f"http://127.0.0.1:{address[1]}", connect_timeout_seconds=0.2))
    assert (made.failure, made.answer.outcome) == ("ConnectTimeout", Outcome.RETRY)
    assert not made.answer.meaning.possibly_accepted


@pytest.mark.parametrize(
    "kind",
    [
        "reset_before",
        "reset_after",
        "hang_up_before",
        "hang_up_after",
        "timeout_before",
        "timeout_after",
        "cut_off_after",
    ],
)
def test_no_answer_after_sending_is_in_doubt(sandbox: Sandbox, kind: FaultKind):
    settings = settings_for(sandbox, read_timeout_seconds=0.2)
    token = log_in(settings, "10953")
    sandbox.misbehave(Fault(kind=kind, hold_seconds=0.5))
    made = submit(settings, token)
    assert made.answer.outcome is Outcome.IN_DOUBT
    assert made.answer.meaning.possibly_accepted
    assert made.http_status == (200 if kind == "cut_off_after" else None)
    assert made.failure in ("ConnectionError", "ReadTimeout", "ProtocolError")


def test_an_answer_that_is_no_http_is_in_doubt():
    with odd_server(b"SSH-2.0-OpenSSH_9.6\r\n") as server:
        assert submit(at(server)).answer.outcome is Outcome.IN_DOUBT


# TLS.


def test_a_self_signed_certificate_stops_the_run_and_nothing_is_sent(tmp_path: Path):
    with (
        odd_server(answer("200 OK", TAKEN), self_signed(tmp_path)) as server,
        pytest.raises(StopRun, match="certificate") as stopped,
    ):
        submit(at(server))
    assert server.requests == []
    assert "never switched off" in stopped.value.message.en


def test_a_certificate_of_another_host_stops_the_run(tmp_path: Path):
    certificate = self_signed(tmp_path, "127.0.0.2")
    with odd_server(answer("200 OK", TAKEN), certificate) as server, pytest.raises(StopRun, match="certificate"):
        submit(at(server, ca_bundle=certificate))
    assert server.requests == []


def test_a_certificate_of_the_hospitals_own_authority_is_taken(tmp_path: Path):
    certificate = self_signed(tmp_path)
    with odd_server(answer("200 OK", TAKEN), certificate) as server:
        assert submit(at(server, ca_bundle=certificate)).answer.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("breaks", [HANG_UP, GARBLED])
def test_a_tls_connection_that_breaks_after_the_claim_went_out_is_in_doubt(tmp_path: Path, breaks: bytes):
    certificate = self_signed(tmp_path)
    with odd_server(breaks, certificate) as server:
        made = submit(at(server, ca_bundle=certificate))
    assert len(server.requests) == 1
    assert made.answer.outcome is Outcome.IN_DOUBT


def test_a_file_of_authorities_that_is_not_there_is_a_configuration_error(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"api\.ca_bundle"):
        MophClaimApi(ApiSettings(ca_bundle=tmp_path / "gone.pem"), 1)


@pytest.mark.parametrize("address", ["claim.moph.go.th", "ftp://claim.moph.go.th", "https://"])
def test_a_malformed_address_stops_the_run_and_names_the_setting(address: str):
    with pytest.raises(StopRun, match=r"api\.api_url"):
        submit(ApiSettings(api_url=address))


# Retry-After.


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), (" 120 ", 120), ("0", 0), ("9" * 400, 6 * 3600)])
def test_retry_after_is_read_as_seconds(said: str, seconds: float):
    assert retry_after(said) == seconds


def test_retry_after_is_read_as_a_date():
    waits = retry_after(format_datetime((now() + timedelta(seconds=90)), usegmt=False))
    assert waits is not None
    assert 85 < waits <= 90


@pytest.mark.parametrize("said", ["Wed, 21 Oct 2015 07:28:00 GMT", "21 Oct 2015 07:28:00 -0000"])
def test_a_retry_after_that_has_passed_is_no_wait(said: str):
    assert retry_after(said) == 0


@pytest.mark.parametrize(
    "said", ["", "soon", "-5", "1.5", "²", "Wed, 99 Oct 2015", "21 Oct 20155 07:28:00", "9" * 5000]
)
def test_a_retry_after_that_cannot_be_read_is_none(said: str):
    assert retry_after(said) is None


def retry_after(said: str) -> float | None:
    with odd_server(answer("503 Service Unavailable", "", Retry_After=said).replace("²".encode(), b"\xb2")) as server:
        return submit(at(server)).retry_after_seconds

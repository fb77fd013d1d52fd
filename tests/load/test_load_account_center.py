"""The log-in: once a run, and never again with a refused password."""

import base64
import json
import pickle
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from load_night import settings_for
from odd_server import GARBLED, HANG_UP, answer, closed_port, odd_server, self_signed

from core.clock import now
from core.errors import ConfigurationError, MophClaimError
from load import account_center
from load.account_center import TokenSource, credentials, log_in
from load.errors import LoginError, StopRun
from load.settings import ApiSettings
from load.token import Token, check_usable, read_token
from sandbox.process import Sandbox
from sandbox.world import Account, Fault

SECRET_KEY = "sandbox$key"


def jwt(claims: dict[str, Any] | str) -> str:
    body = claims if isinstance(claims, str) else json.dumps(claims)
    return f"e30.{base64.urlsafe_b64encode(body.encode()).rstrip(b'=').decode()}.sig"


def refusal(settings: ApiSettings, hcode: str = "10953") -> MophClaimError:
    with pytest.raises(MophClaimError) as refused:
        log_in(settings, hcode)
    return refused.value


# Both forms, every form of answer.


def test_without_a_secret_key_the_manuals_form_logs_in(api: ApiSettings, sandbox: Sandbox):
    assert credentials(api, "10953") == {"username": "sandbox", "password": "sandbox-password"}
    assert log_in(api, "10953").hospital_code == "10953"
    assert sandbox.stats()["logins"] == 1


def test_with_a_secret_key_the_fields_form_logs_in(sandbox: Sandbox):
    settings = settings_for(sandbox, secret_key=SECRET_KEY)
    body = credentials(settings, "10953")
    assert set(body) == {"user", "password_hash", "hospital_code"}
    # HMAC-SHA256(key "sandbox$key", message "sandbox-password"), computed by openssl dgst.
    assert body["password_hash"] == "CBBAC1CF697036DD6BD5EEA8C424E6ADB50525C14729DCF14B03EEFCC02E754C"
    assert log_in(settings, "10953").scopes == ("MOPH_CLAIM_API:1",)


def test_an_empty_secret_key_counts_as_none(sandbox: Sandbox):
    assert "password" in credentials(settings_for(sandbox, secret_key=""), "10953")


@pytest.mark.parametrize("form", ["bare", "quoted", "access_token", "token", "jwt"])
def test_every_form_of_a_good_answer_is_read(sandbox: Sandbox, api: ApiSettings, form: str):
    sandbox.change(login_answer=form)
    token = log_in(api, "10953")
    assert token.text.get_secret_value().count(".") == 2
    assert token.expires_at is not None
    assert token.expires_at > now()


@pytest.mark.parametrize("with_action", [True, False])
def test_the_action_stays_in_the_query_however_the_address_is_written(sandbox: Sandbox, with_action: bool):
    url = sandbox.token_url if with_action else f"{sandbox.url}/token"
    assert log_in(settings_for(sandbox, token_url=url), "10953")


def test_the_program_names_itself_for_the_front_end_refuses_library_defaults(sandbox: Sandbox):
    assert "User-Agent" not in str(refusal(settings_for(sandbox, user_agent="python-requests/2.32")))
    with odd_server(answer("200 OK", jwt({}), "text/plain")) as server:
        log_in(settings_for(sandbox, token_url=server.url), "10953")
    assert b"User-Agent: moph-claim-etl/" in server.requests[0]


# Refusals.


@pytest.mark.parametrize("form", ["message_th", "message", "Message", "text", "html"])
def test_every_form_of_a_refusal_is_a_sentence_that_names_what_to_check(sandbox: Sandbox, form: str):
    sandbox.change(login_refusal=form)
    refused = refusal(settings_for(sandbox, password="wrong"))
    assert isinstance(refused, LoginError)
    assert "refused (401" in refused.message.en
    assert "check user name, password and secret key" in refused.message.en
    assert "<" not in refused.message.en
    if form not in ("text", "html"):
        assert "ไม่ถูกต้อง" in refused.message.th.split("กรุณา")[0]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 422, 429])
def test_a_refused_password_is_never_tried_again(sandbox: Sandbox, status: int):
    sandbox.change(login_refusal_status=status)
    refusal(settings_for(sandbox, password="wrong", attempts=5))
    assert sandbox.stats()["logins_refused"] == 1


def test_a_refused_password_is_tried_once_however_many_threads_want_a_token(sandbox: Sandbox):
    tokens = TokenSource(settings_for(sandbox, password="wrong"), "10953")

    def want(_: int) -> str:
        with pytest.raises(LoginError) as refused:
            tokens.token()
        return refused.value.message.en

    with ThreadPoolExecutor(16) as threads:
        sentences = set(threads.map(want, range(16)))
    assert len(sentences) == 1
    assert sandbox.stats()["logins_refused"] == 1
    assert tokens.log_ins == 1


def test_a_log_in_refused_in_mid_run_is_told_as_such_by_every_thread(sandbox: Sandbox, api: ApiSettings):
    tokens = TokenSource(api, "10953")
    first = tokens.token()
    tokens.mark_working(first)
    sandbox.change(accounts=[Account(password="changed since").model_dump()])
    for _ in range(3):
        with pytest.raises(LoginError, match="refused"):
            tokens.replace(first)
    assert sandbox.stats()["logins_refused"] == 1


@pytest.mark.parametrize("kind", ["500", "502_html", "503", "504", "reset_before", "hang_up_before"])
def test_a_server_error_or_a_broken_connection_is_tried_again(sandbox: Sandbox, api: ApiSettings, kind: Any):
    sandbox.misbehave(Fault(kind=kind, on=("token",), times=2))
    assert log_in(api, "10953")
    assert sandbox.stats()["faults"] == {kind: 2}


def test_a_log_in_that_does_not_answer_in_time_is_tried_again(sandbox: Sandbox):
    sandbox.misbehave(Fault(kind="timeout_before", on=("token",), times=1, hold_seconds=0.6))
    assert log_in(settings_for(sandbox, read_timeout_seconds=0.2), "10953")


def test_after_the_last_attempt_the_sentence_names_the_address(sandbox: Sandbox, api: ApiSettings):
    sandbox.misbehave(Fault(kind="503", on=("token",)))
    refused = refusal(api)
    assert isinstance(refused, LoginError)
    assert sandbox.token_url in refused.message.th
    assert sandbox.stats()["faults"] == {"503": api.attempts}


def test_a_host_that_is_not_found_names_the_two_other_addresses():
    settings = ApiSettings(
        token_url="https://no-such-host.invalid/token", username="u", password="p", attempts=2, backoff_seconds=0
    )
    said = refusal(settings).message
    for sentence in (said.th, said.en):
        assert "no-such-host.invalid" in sentence
        assert "https://cvp1.moph.go.th/token" in sentence
        assert "https://fdh.moph.go.th/token" in sentence


def test_a_closed_port_is_told_as_not_answering():
    address = f"http://127.0.0.1:{closed_port()}/token"
    refused = refusal(ApiSettings(token_url=address, username="u", password="p", attempts=2, backoff_seconds=0))
    assert "does not answer" in refused.message.en
    assert "cvp1" not in refused.message.en


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "404 Not Found", "405 Method Not Allowed"])
def test_an_address_without_a_log_in_says_which_setting_to_correct(sandbox: Sandbox, status: str):
    with odd_server(answer(status, "<html>", "text/html", Location="http://127.0.0.1:1/")) as server:
        refused = refusal(settings_for(sandbox, token_url=server.url))
    assert "api.token_url" in refused.message.en
    assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["fdh.moph.go.th/token", "ftp://fdh.moph.go.th/token", "https://", "http://[::1"])
def test_a_malformed_address_says_which_setting_to_correct(sandbox: Sandbox, address: str):
    refused = refusal(settings_for(sandbox, token_url=address))
    assert isinstance(refused, LoginError)
    assert "api.token_url" in refused.message.en


@pytest.mark.parametrize("missing", ["username", "password"])
def test_without_a_user_or_a_password_nothing_is_asked(sandbox: Sandbox, missing: str):
    refused = refusal(settings_for(sandbox, **{missing: ""}))
    assert isinstance(refused, ConfigurationError)
    assert "MOPH_CLAIM_API__PASSWORD" in refused.message.en
    assert sandbox.stats()["logins_refused"] == 0


@pytest.mark.parametrize("body", ["", "null", "[]", '"a.b"', "a..c", "<html>1.2.3</html>", "ไม่พบ.ผู้ใช้.นี้", "a.b.c d"])
def test_an_answer_that_is_no_token_is_a_refusal(sandbox: Sandbox, body: str):
    with odd_server(answer("200 OK", body, "text/plain; charset=utf-8")) as server:
        assert "refused (200" in refusal(settings_for(sandbox, token_url=server.url)).message.en


# TLS.


def test_a_self_signed_certificate_is_refused_before_the_password_goes_out(sandbox: Sandbox, tmp_path: Path):
    with odd_server(answer("200 OK", jwt({})), self_signed(tmp_path)) as server:
        refused = refusal(settings_for(sandbox, token_url=server.url))
    assert "certificate" in refused.message.en
    assert "api.ca_bundle" in refused.message.th
    assert server.requests == []


def test_a_certificate_of_the_hospitals_own_authority_is_taken(sandbox: Sandbox, tmp_path: Path):
    certificate = self_signed(tmp_path)
    with odd_server(answer("200 OK", jwt({})), certificate) as server:
        assert log_in(settings_for(sandbox, token_url=server.url, ca_bundle=certificate), "10953")


def test_a_certificate_of_another_host_is_refused(sandbox: Sandbox, tmp_path: Path):
    certificate = self_signed(tmp_path, "127.0.0.2")
    with odd_server(answer("200 OK", jwt({})), certificate) as server:
        refused = refusal(settings_for(sandbox, token_url=server.url, ca_bundle=certificate))
    assert "certificate" in refused.message.en


@pytest.mark.parametrize("breaks", [HANG_UP, GARBLED])
def test_a_tls_connection_that_breaks_is_not_called_a_bad_certificate(sandbox: Sandbox, tmp_path: Path, breaks: bytes):
    certificate = self_signed(tmp_path)
    with odd_server(breaks, certificate) as server:
        refused = refusal(settings_for(sandbox, token_url=server.url, ca_bundle=certificate, attempts=2))
    assert "does not answer" in refused.message.en
    assert len(server.requests) == 2


@pytest.mark.parametrize("content", [None, "no certificate in here"])
def test_a_file_of_authorities_that_cannot_be_used_is_one_sentence(
    sandbox: Sandbox, tmp_path: Path, content: str | None
):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    refused = refusal(settings_for(sandbox, ca_bundle=path))
    assert isinstance(refused, ConfigurationError)
    assert "api.ca_bundle" in refused.message.en


# What the token says.


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("not_activated", "is not activated"),
        ("suspended", "is suspended"),
        ("scope_missing", "lacks the right MOPH_CLAIM_API"),
        ("other_hospital", "belongs to facility 99999, not 10953"),
        ("expired", "has run out already"),
    ],
)
def test_every_fault_of_the_account_has_a_sentence_of_its_own(
    sandbox: Sandbox, api: ApiSettings, fault: str, sentence: str
):
    sandbox.change(accounts=[Account(fault=fault).model_dump()])
    refused = refusal(api)
    assert isinstance(refused, LoginError)
    assert sentence in refused.message.en
    assert "กรุณา" in refused.message.th
    assert sandbox.stats()["logins"] == 1


def test_a_token_without_claims_is_used_as_it_is(sandbox: Sandbox, api: ApiSettings):
    sandbox.change(accounts=[Account(fault="claims_missing").model_dump()])
    token = log_in(api, "10953")
    assert (token.expires_at, token.hospital_code, token.scopes) == (None, None, None)


@pytest.mark.parametrize("exp", [1e18, 1_790_000_000_000_000, float("nan"), "soon", True, None, [1]])
def test_an_expiry_that_cannot_be_read_counts_as_missing(exp: object):
    assert read_token(jwt({"exp": exp})).expires_at is None


@pytest.mark.parametrize("body", ["", "[]", "null", "not json", '{"client": []}', '{"client": {"scope": {}}}'])
def test_claims_of_another_shape_count_as_missing(body: str):
    token = read_token(jwt(body))
    assert (token.expires_at, token.hospital_code, token.scopes) == (None, None, None)


@pytest.mark.parametrize("part", ["%%%", "a", "é"])
def test_a_middle_part_that_is_no_base64_counts_as_missing(part: str):
    assert read_token(f"e30.{part}.sig").expires_at is None


def test_a_suspension_is_seen_whether_told_as_truth_value_or_as_text():
    for said in (True, "true", "1", 1, "Y"):
        with pytest.raises(LoginError, match="suspended"):
            read_token(jwt({"client": {"account_suspended": said}}))
    for said in (False, "false", "0", 0, "N", None):
        read_token(jwt({"client": {"account_suspended": said}}))


def test_the_right_is_found_with_and_without_its_level(api: ApiSettings):
    for code in ("MOPH_CLAIM_API", "MOPH_CLAIM_API:1", "MOPH_CLAIM_API:2"):
        check_usable(read_token(jwt({"client": {"scope": [{"code": "OTHER:1"}, {"code": code}]}})), api, "10953")
    with pytest.raises(LoginError, match="lacks the right"):
        check_usable(read_token(jwt({"client": {"scope": [{"code": "MOPH_CLAIM_API_READ:1"}]}})), api, "10953")


def test_a_hospital_code_told_as_a_number_is_the_same_code(api: ApiSettings):
    check_usable(read_token(jwt({"client": {"hospital_code": 10953}})), api, "10953")


# One log-in, and one more each time the token runs out.


def test_many_threads_share_one_log_in(sandbox: Sandbox, api: ApiSettings):
    tokens = TokenSource(api, "10953")
    with ThreadPoolExecutor(16) as threads:
        given = list(threads.map(lambda _: tokens.token(), range(64)))
    assert len({id(token) for token in given}) == 1
    assert sandbox.stats()["logins"] == tokens.log_ins == 1


def test_a_token_that_ran_out_is_replaced_once_however_many_meet_it(sandbox: Sandbox, api: ApiSettings):
    tokens = TokenSource(api, "10953")
    old = tokens.token()
    tokens.mark_working(old)
    together = threading.Barrier(16)

    def meet(_: int) -> Token:
        together.wait()
        return tokens.replace(old)

    with ThreadPoolExecutor(16) as threads:
        given = list(threads.map(meet, range(16)))
    assert len({id(token) for token in given}) == 1
    assert given[0] is not old
    assert sandbox.stats()["logins"] == tokens.log_ins == 2


def test_the_third_token_in_a_row_that_runs_out_before_it_served_stops_the_run(sandbox: Sandbox, api: ApiSettings):
    tokens = TokenSource(api, "10953")
    third = tokens.replace(tokens.replace(tokens.token()))
    with pytest.raises(StopRun, match="clock"):
        tokens.replace(third)
    assert sandbox.stats()["logins"] == 3


def test_a_token_that_served_may_run_out_as_often_as_it_likes(sandbox: Sandbox, api: ApiSettings):
    tokens = TokenSource(api, "10953")
    for _ in range(6):
        tokens.mark_working(tokens.token())
        tokens.replace(tokens.token())
    assert sandbox.stats()["logins"] == 7


def test_a_server_that_takes_a_token_and_calls_it_run_out_by_turns_is_not_asked_for_ever(
    sandbox: Sandbox, api: ApiSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(account_center, "MOST_LOG_INS_AN_HOUR", 4)
    tokens = TokenSource(api, "10953")
    with pytest.raises(StopRun, match="again and again"):
        for _ in range(9):
            tokens.mark_working(tokens.token())
            tokens.replace(tokens.token())
    assert sandbox.stats()["logins"] == 4


# Secrets.


def test_nothing_that_is_shown_holds_the_token(api: ApiSettings):
    token = log_in(api, "10953")
    text = token.text.get_secret_value()
    shown = f"{token!r} {token} {vars(TokenSource(api, '10953'))}"
    assert text not in shown
    assert text.split(".")[1] not in shown


def test_no_refusal_shows_a_secret(sandbox: Sandbox, tmp_path: Path):
    password, key = "pass-word-77", "secret$77"
    echo = json.dumps({"message": f"no: {password} {key} \n {credentials_hash(password, key)}"})
    ways: list[dict[str, Any]] = [
        {"token_url": f"http://127.0.0.1:{closed_port()}"},
        {"token_url": "no address"},
        {},
        {"secret_key": "other$key-77"},
    ]
    with (
        odd_server(answer("400 Bad Request", echo)) as echoing,
        odd_server(HANG_UP) as rude,
        odd_server(answer("200 OK"), self_signed(tmp_path)) as unknown,
    ):
        ways += [{"token_url": server.url} for server in (echoing, rude, unknown)]
        for way in ways:
            settings = settings_for(sandbox, **({"password": password, "secret_key": key, "attempts": 1} | way))
            refused = refusal(settings)
            shown = "".join(traceback.format_exception(refused)) + repr(refused) + repr(pickle.dumps(refused))
            for secret in (password, settings.secret_key.get_secret_value(), credentials_hash(password, key)):
                assert secret not in shown


def credentials_hash(password: str, key: str) -> str:
    return credentials(ApiSettings.model_validate({"password": password, "secret_key": key}), "10953")["password_hash"]


def test_a_token_with_an_expiry_is_good_until_then(api: ApiSettings):
    at = int(time.time()) + 60
    assert read_token(jwt({"exp": at})).expires_at == datetime.fromtimestamp(at, UTC)
    check_usable(read_token(jwt({"exp": at})), api, "10953")

import base64
import json
import time
from typing import Any

import pytest
from server_caller import FIELD_LOGIN, MANUAL_LOGIN, Caller, dm, message

from sandbox.account_center import password_hash
from sandbox.process import Sandbox
from sandbox.world import Account


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def fault(sandbox: Sandbox, name: str) -> None:
    sandbox.change(accounts=(Account(fault=name),))


@pytest.mark.parametrize("body", [MANUAL_LOGIN, FIELD_LOGIN], ids=["manual", "field"])
def test_both_forms_of_log_in_give_a_bare_jwt(sandbox: Sandbox, body: dict[str, str]) -> None:
    reply = Caller(sandbox).log_in(body)
    assert reply.status_code == 200
    assert reply.text.count(".") == 2
    assert sandbox.stats()["logins"] == 1


def test_token_carries_the_claims_of_the_reference(sandbox: Sandbox) -> None:
    token = claims(Caller(sandbox).log_in().text)
    assert (token["iss"], token["aud"]) == ("MOPH Account Center", "MOPH API")
    assert token["exp"] - token["iat"] == 5 * 3600
    client = token["client"]
    assert (client["hospital_code"], client["account_activated"], client["account_suspended"]) == ("10953", True, False)
    assert client["scope"][0]["code"] == "MOPH_CLAIM_API:1"


def test_password_hash_is_upper_case_hex_of_the_hmac() -> None:
    # RFC 4231, test case 2
    expected = "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"
    assert password_hash("Jefe", "what do ya want for nothing?") == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"password_hash": FIELD_LOGIN["password_hash"].lower()},
        {"hospital_code": "10954"},
        {"user": "nobody"},
    ],
    ids=["lower case", "other hospital", "unknown user"],
)
def test_wrong_log_in_of_the_field_is_refused(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    assert Caller(sandbox).log_in(FIELD_LOGIN | wrong).status_code == 401


def test_five_wrong_passwords_lock_the_account_even_to_the_right_one(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    for _ in range(5):
        assert caller.log_in(MANUAL_LOGIN | {"password": "wrong"}).status_code == 401
    assert caller.log_in().status_code == 401
    assert sandbox.stats()["logins_refused"] == 6


def test_lock_out_ends_after_its_time(sandbox: Sandbox) -> None:
    sandbox.change(lockout_failures=1, lockout_minutes=2 / 60)
    caller = Caller(sandbox)
    assert caller.log_in(MANUAL_LOGIN | {"password": "wrong"}).status_code == 401
    assert caller.log_in().status_code == 401
    time.sleep(2.1)
    assert caller.log_in().status_code == 200


@pytest.mark.parametrize("form", ["quoted", "access_token", "token", "jwt"])
def test_log_in_answers_in_each_form(sandbox: Sandbox, form: str) -> None:
    sandbox.change(login_answer=form)
    answer = Caller(sandbox).log_in().json()
    token = answer if form == "quoted" else answer[form]
    assert token.count(".") == 2


@pytest.mark.parametrize("form", ["message_th", "message", "Message", "text", "html"])
def test_log_in_is_refused_in_each_form(sandbox: Sandbox, form: str) -> None:
    sandbox.change(login_refusal=form, login_refusal_status=200)
    reply = Caller(sandbox).log_in(MANUAL_LOGIN | {"password": "wrong"})
    assert reply.status_code == 200
    assert "รหัสผ่าน" in (reply.json()[form] if form.lower().startswith("message") else reply.text)


def test_log_in_without_its_action_is_not_found(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    reply = caller.session.post(f"{sandbox.url}/token", json=MANUAL_LOGIN, timeout=300)
    assert reply.status_code == 404
    assert "Cannot POST /token" in reply.text


def test_default_user_agent_of_a_library_is_refused(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    caller.session.headers["User-Agent"] = "python-requests/2.32"
    assert caller.log_in().status_code == 403


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("not_activated", ("account_activated", False)),
        ("suspended", ("account_suspended", True)),
        ("scope_missing", ("scope", [{"code": "MOPH_REPORT:1"}])),
        ("other_hospital", ("hospital_code", "99999")),
    ],
)
def test_token_shows_the_fault_of_its_account(sandbox: Sandbox, name: str, shown: tuple[str, Any]) -> None:
    fault(sandbox, name)
    assert claims(Caller(sandbox).log_in().text)["client"][shown[0]] == shown[1]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("not_activated", (403, "permission denied")),
        ("suspended", (403, "permission denied")),
        ("scope_missing", (401, "invalid scope")),
        ("other_hospital", (401, "invalid hospital_code")),
        ("expired", (401, "JWT Expire")),
        ("claims_missing", (200, "success")),
    ],
)
def test_claim_under_a_faulty_account_is_refused(sandbox: Sandbox, name: str, answer: tuple[int, str]) -> None:
    fault(sandbox, name)
    caller = Caller(sandbox)
    caller.log_in()
    assert message(caller.submit("dmht", dm())) == answer


def test_claims_of_a_token_may_be_missing(sandbox: Sandbox) -> None:
    fault(sandbox, "claims_missing")
    assert set(claims(Caller(sandbox).log_in().text)) == {"jti"}


def test_token_runs_out_by_its_own_expiry(sandbox: Sandbox) -> None:
    sandbox.change(accounts=(Account(token_seconds=0),))
    caller = Caller(sandbox)
    caller.log_in()
    assert message(caller.submit("dmht", dm())) == (401, "JWT Expire")


def test_new_log_in_helps_after_all_tokens_ran_out(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.expire_tokens()
    assert message(caller.submit("dmht", dm())) == (401, "JWT Expire")
    caller.log_in()
    assert message(caller.submit("dmht", dm())) == (200, "success")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "authorized token not found"),
        ("Bearer one.two", "invalid jwt authorization"),
        ("Bearer one.two.three", "invalid jwt authorization"),
        ("Basic c2FuZGJveA==", "invalid jwt authorization"),
    ],
)
def test_claim_without_a_good_token_is_refused(caller: Caller, header: str, expected: str) -> None:
    caller.session.headers["Authorization"] = header
    assert message(caller.submit("dmht", dm())) == (401, expected)


def test_token_with_a_forged_payload_is_refused(caller: Caller) -> None:
    head, _, signature = caller.log_in().text.split(".")
    forged = base64.urlsafe_b64encode(b'{"jti":"sandbox/1","exp":9999999999}').rstrip(b"=").decode()
    caller.session.headers["Authorization"] = f"Bearer {head}.{forged}.{signature}"
    assert message(caller.submit("dmht", dm())) == (401, "invalid jwt authorization")


def test_each_hospital_claims_only_for_itself(sandbox: Sandbox) -> None:
    sandbox.change(accounts=(Account(), Account(username="second", hospital_code="11111")))
    second = Caller(sandbox)
    second.log_in({"username": "second", "password": "sandbox-password"})
    assert message(second.submit("dmht", dm())) == (401, "invalid hospital_code")
    assert message(second.submit("dmht", dm() | {"hcode": "11111"})) == (200, "success")

import hashlib

import pytest
import requests
from server_caller import Caller, Payload, dm, ht, message, vaccination

from sandbox.process import Sandbox

ACCEPTED = (200, "success")


def test_success_has_the_envelope_of_the_reference(caller: Caller) -> None:
    answer = caller.submit("dmht", dm()).json()
    assert (answer["status"], answer["message"], answer["message_th"]) == (200, "success", "สำเร็จ")
    assert len(answer["data"]["transaction_uid"]) == 36


@pytest.mark.parametrize(("form", "shown"), [("string", {"status": "200"}), ("missing", {}), ("code", {"code": 200})])
def test_status_of_the_envelope_comes_in_each_form(sandbox: Sandbox, caller: Caller, form: str, shown: Payload) -> None:
    sandbox.change(status_form=form)
    answer = caller.submit("dmht", dm()).json()
    assert {name: answer[name] for name in ("status", "code") if name in answer} == shown


def test_all_four_kinds_are_taken_and_listed_once(sandbox: Sandbox, caller: Caller) -> None:
    claims = [("dmht", dm(1)), ("dmht", ht(1)), ("epi", vaccination(2)), ("dt", vaccination(3, "106"))]
    assert [message(caller.submit(service, payload)) for service, payload in claims] == [ACCEPTED] * 4
    keys = [(taken["hcode"], taken["kind"], taken["seq"], taken["item"]) for taken in sandbox.accepted()]
    assert keys == [
        ("10953", "dm", "000000000001", ""),
        ("10953", "ht", "000000000001", ""),
        ("10953", "epi", "000000000002", "043"),
        ("10953", "dt", "000000000003", "106"),
    ]
    assert sandbox.received() == dict.fromkeys(keys, 1)


def test_accepted_list_has_the_hash_of_the_body_as_it_came(sandbox: Sandbox, caller: Caller) -> None:
    reply = caller.submit("dmht", dm())
    [taken] = sandbox.accepted()
    assert isinstance(reply.request.body, bytes)
    assert taken["sha256"] == hashlib.sha256(reply.request.body).hexdigest()
    assert taken["transaction_uid"] == reply.json()["data"]["transaction_uid"]


@pytest.mark.parametrize(
    ("service", "payload", "expected"),
    [
        ("dmht", dm(), "dm patient unable to claim"),
        ("dmht", ht(), "ht patient unable to claim"),
        ("epi", vaccination(), "vaccine patient unable to claim"),
        ("dt", vaccination(code="106"), "dt patient unable to claim"),
    ],
    ids=["dm", "ht", "epi", "dt"],
)
def test_what_was_taken_is_refused_the_second_time(
    sandbox: Sandbox, caller: Caller, service: str, payload: Payload, expected: str
) -> None:
    assert message(caller.submit(service, payload)) == ACCEPTED
    assert message(caller.submit(service, payload)) == (400, expected)
    assert sandbox.stats()["accepted"] == 1


@pytest.mark.parametrize(
    ("second", "answer"),
    [
        ("2026-11-29", (400, "dm patient received service less than 3 months")),
        ("2026-11-30", ACCEPTED),
        ("2026-05-31", ACCEPTED),
        ("2026-06-01", (400, "dm patient received service less than 3 months")),
    ],
)
def test_hba1c_are_three_calendar_months_apart(caller: Caller, second: str, answer: tuple[int, str]) -> None:
    caller.submit("dmht", dm(1, day="2026-08-31", seq="1"))
    # three months after 31 August is 30 November; the same on the other side
    assert message(caller.submit("dmht", dm(1, day=second, seq="2"))) == answer


def test_third_hba1c_of_a_fiscal_year_is_refused_and_the_next_year_is_not(caller: Caller) -> None:
    days = ["2025-10-01", "2026-02-01", "2026-07-01", "2026-10-01"]
    answers = [message(caller.submit("dmht", dm(1, day=day, seq=day))) for day in days]
    assert answers == [ACCEPTED, ACCEPTED, (400, "dm patient unable to claim"), ACCEPTED]


def test_hypertension_is_new_only_once(caller: Caller) -> None:
    caller.submit("dmht", ht(1, day="2026-01-05", seq="1"))
    assert message(caller.submit("dmht", ht(1, day="2026-09-21", seq="2"))) == (400, "patient not new ht")


def test_another_vaccine_of_the_same_visit_is_taken(caller: Caller) -> None:
    caller.submit("epi", vaccination(1, "043"))
    assert message(caller.submit("epi", vaccination(1, "D23"))) == ACCEPTED


def test_another_hospital_cannot_claim_the_same_dose(sandbox: Sandbox, caller: Caller) -> None:
    caller.submit("epi", vaccination(1, "043", day="2026-01-05", seq="1"))
    again = vaccination(1, "043", day="2026-09-21", seq="2")
    assert message(caller.submit("epi", again)) == (400, "vaccine patient unable to claim")


def test_second_submission_can_give_the_first_uid(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(second_submission="same_uid")
    first, second = caller.submit("dmht", dm()), caller.submit("dmht", dm())
    assert first.json()["data"] == second.json()["data"]
    assert sandbox.stats()["accepted"] == 1


def test_second_submission_can_be_taken_again_so_that_duplicates_show(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(second_submission="taken_again")
    caller.submit("dmht", dm())
    caller.submit("dmht", dm())
    assert (sandbox.stats()["accepted"], sandbox.stats()["accepted_keys"]) == (2, 1)


def test_visit_without_closing_code_is_taken_once_it_is_confirmed(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(no_closing_code_visits=(dm()["seq"],))
    assert message(caller.submit("dmht", dm())) == (400, "don't have authen_code")
    sandbox.change(no_closing_code_visits=())
    assert message(caller.submit("dmht", dm())) == ACCEPTED


def test_share_without_closing_code_is_the_same_visits_each_time(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(no_closing_code_share=0.5)
    first = [caller.submit("dmht", ht(number)).status_code for number in range(40)]
    again = [caller.submit("dmht", ht(number)).json()["message"] for number in range(40)]
    held = [answer == "don't have authen_code" for answer in again]
    assert held == [status == 400 for status in first]
    assert 5 < sum(held) < 35


def test_refusals_can_come_under_http_200(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(refusal_http_status=200)
    reply = caller.submit("dmht", {})
    assert (reply.status_code, reply.json()["status"]) == (200, 400)


def test_invalid_body_names_the_fields_and_no_value(caller: Caller) -> None:
    reply = caller.submit("dmht", dm() | {"pid": "1234567890123", "dob": "2503-01-31"})
    assert message(reply) == (400, "invalid request body")
    assert reply.json()["errors"] == ["dob", "pid"]
    assert "1234567890123" not in reply.text


def test_fields_at_fault_can_be_kept_silent(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.change(name_invalid_fields=False)
    answer = caller.submit("dmht", dm() | {"pid": ""}).json()
    assert "errors" not in answer
    assert "pid" not in answer["message_th"]


def test_body_that_is_not_json_is_invalid(caller: Caller) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{caller.sandbox.api_url}/api/v1/opd/service-admissions/dmht"
    assert message(caller.session.post(url, data=b"{", headers=headers, timeout=300)) == (400, "invalid request body")


@pytest.mark.parametrize("service", ["DMHT", "dm", "dmht/"])
def test_unknown_address_cannot_be_posted_to(caller: Caller, service: str) -> None:
    reply = caller.submit(service, dm())
    assert reply.status_code == 404
    assert f"Cannot POST /api/v1/opd/service-admissions/{service}" in reply.text


def test_eligibility_is_success_before_and_gives_the_uid_after(caller: Caller) -> None:
    assert message(caller.ask("ht", ht())) == ACCEPTED
    taken = caller.submit("dmht", ht()).json()["data"]
    after = caller.ask("ht", ht())
    assert message(after) == (400, "patient not new ht")
    assert after.json()["data"] == taken


def test_eligibility_gives_no_uid_of_another_visit(caller: Caller) -> None:
    caller.submit("epi", vaccination(1, day="2026-01-05"))
    reply = caller.ask("epi", vaccination(1, day="2026-09-21"))
    assert message(reply) == (400, "vaccine patient unable to claim")
    assert "data" not in reply.json()


@pytest.mark.parametrize(("when", "before", "after"), [("never", False, False), ("always", True, True)])
def test_eligibility_may_never_or_always_give_a_uid(
    sandbox: Sandbox, caller: Caller, when: str, before: bool, after: bool
) -> None:
    def gives_uid(reply: requests.Response) -> bool:
        return "transaction_uid" in reply.json().get("data", {})

    sandbox.change(eligibility_uid=when)
    assert gives_uid(caller.ask("dm", dm())) is before
    caller.submit("dmht", dm())
    assert gives_uid(caller.ask("dm", dm())) is after


@pytest.mark.parametrize("kind", ["epi", "dt"])
def test_eligibility_of_a_vaccine_needs_its_code_and_the_date_of_birth(caller: Caller, kind: str) -> None:
    reply = caller.ask(kind, dm())
    assert message(reply) == (400, "invalid request body")
    assert reply.json()["errors"] == ["dob", "vaccine_code"]


def test_status_of_a_transaction_is_what_the_world_says(sandbox: Sandbox, caller: Caller) -> None:
    uid = caller.submit("dmht", dm()).json()["data"]["transaction_uid"]
    sandbox.change(transaction_status="rejected", transaction_status_th="ไม่อนุมัติ")
    assert caller.status(uid).json()["data"] == {
        "transaction_uid": uid,
        "pid": dm()["pid"],
        "status": "rejected",
        "status_th": "ไม่อนุมัติ",
    }


def test_unknown_transaction_is_not_found(caller: Caller) -> None:
    assert message(caller.status("00000000-0000-0000-0000-000000000000")) == (404, "not found")

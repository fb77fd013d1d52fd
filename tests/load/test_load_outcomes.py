"""What every answer of the reference means."""

import json

import pytest

from load.outcomes import Outcome, advice_for, interpret, meanings

FINAL = [
    "dm patient unable to claim",
    "dm patient received service less than 3 months",
    "ht patient unable to claim",
    "patient not new ht",
    "vaccine patient unable to claim",
    "dt patient unable to claim",
]
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

# The reference's table, row by row: HTTP status, message, outcome, whether the claim may have been taken.
TABLE = [
    (200, "success", Outcome.ACCEPTED, False),
    (400, "don't have authen_code", Outcome.HELD, False),
    *((400, message, Outcome.FINAL, False) for message in FINAL),
    (400, "invalid request body", Outcome.CORRECTABLE, False),
    (400, "something nobody has seen yet", Outcome.CORRECTABLE, False),
    (401, "JWT Expire", Outcome.TOKEN_EXPIRED, False),
    (401, "invalid scope", Outcome.STOP, False),
    (401, "invalid hospital_code", Outcome.STOP, False),
    (401, "authorized token not found", Outcome.STOP, False),
    (401, "invalid session", Outcome.STOP, False),
    (401, "invalid jwt authorization", Outcome.STOP, False),
    (403, "permission denied", Outcome.STOP, False),
    (404, "not found", Outcome.STOP, False),
    (429, "too many requests", Outcome.RETRY, False),
    (500, "internal server error", Outcome.RETRY, True),
    (502, "external server error", Outcome.RETRY, True),
    (503, "external server error", Outcome.RETRY, False),
    (504, "gateway timeout", Outcome.RETRY, True),
]


def envelope(status: int, message: str, form: str = "number") -> str:
    said: dict[str, object] = {"message": message, "message_th": "ข้อความ"}
    if status == 200:
        said["data"] = {"transaction_uid": "uid-1"}
    if form != "missing":
        said["code" if form == "code" else "status"] = str(status) if form == "text" else status
    return json.dumps(said, ensure_ascii=False)


@pytest.mark.parametrize("form", ["number", "text", "missing", "code"])
@pytest.mark.parametrize(("status", "message", "outcome", "possibly_accepted"), TABLE)
def test_every_row_of_the_reference_is_understood_in_every_form_of_its_status(
    status: int, message: str, outcome: Outcome, possibly_accepted: bool, form: str
):
    answer = interpret(status, envelope(status, message, form))
    assert answer.outcome is outcome
    assert answer.meaning.possibly_accepted is possibly_accepted
    assert answer.message == " · ".join(filter(None, [message, "ข้อความ"]))
    assert answer.transaction_uid == ("uid-1" if status == 200 else None)


@pytest.mark.parametrize("form", ["number", "text", "code"])
@pytest.mark.parametrize(("status", "message", "outcome", "possibly_accepted"), TABLE)
def test_the_envelopes_status_counts_before_that_of_http(
    status: int, message: str, outcome: Outcome, possibly_accepted: bool, form: str
):
    assert interpret(200, envelope(status, message, form)).outcome is outcome


@pytest.mark.parametrize("message", FINAL)
def test_a_refusal_for_good_tells_of_a_claim_in_doubt_that_it_was_taken(message: str):
    assert interpret(400, envelope(400, message)).meaning.already_claimed


@pytest.mark.parametrize("message", ["don't have authen_code", "invalid request body"])
def test_other_refusals_tell_nothing_of_a_claim_in_doubt(message: str):
    assert not interpret(400, envelope(400, message)).meaning.already_claimed


@pytest.mark.parametrize("message", ["DM Patient  unable\nto claim", "error: dm patient unable to claim."])
def test_case_and_space_and_surroundings_of_a_message_do_not_matter(message: str):
    assert interpret(400, envelope(400, message)).outcome is Outcome.FINAL


@pytest.mark.parametrize("key", ["message", "Message", "message_th"])
def test_the_message_is_found_under_each_of_its_names(key: str):
    assert interpret(400, json.dumps({key: "patient not new ht"})).outcome is Outcome.FINAL


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_page_of_a_gateway_counts_by_its_http_status_and_is_not_quoted(status: int):
    answer = interpret(status, HTML)
    assert answer.outcome is Outcome.RETRY
    assert answer.message == ""


@pytest.mark.parametrize("body", ["Cannot POST /api/v1/opd/dmht", "<pre>Cannot POST /api</pre>", ""])
def test_an_address_that_does_not_exist_stops_the_run_whatever_it_looks_like(body: str):
    assert interpret(404, body).outcome is Outcome.STOP


def test_a_plain_text_refusal_is_correctable_and_quoted():
    answer = interpret(400, "  bad\n request ")
    assert (answer.outcome, answer.message) == (Outcome.CORRECTABLE, "bad request")


SUCCESS = envelope(200, "success")


@pytest.mark.parametrize(
    "body",
    [
        SUCCESS[: len(SUCCESS) // 2],
        "",
        "OK",
        HTML,
        "[]",
        "null",
        '{"status": 200, "message": "success"}',
        '{"status": 200, "data": null}',
        '{"status": 200, "data": {"transaction_uid": ""}}',
        '{"status": 200, "data": {"transaction_uid": null}}',
        '{"status": 200, "data": [{"transaction_uid": "uid-1"}]}',
    ],
)
@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_that_cannot_be_read_or_has_no_number_is_in_doubt(status: int, body: str):
    answer = interpret(status, body)
    assert answer.outcome is Outcome.IN_DOUBT
    assert answer.meaning.possibly_accepted
    assert answer.transaction_uid is None


def test_a_question_needs_no_number_in_its_answer():
    assert interpret(200, '{"status": 200, "data": {}}', expects_uid=False).outcome is Outcome.ACCEPTED


def test_a_number_that_is_one_is_kept_as_text():
    assert interpret(200, '{"status": 200, "data": {"transaction_uid": 12345}}').transaction_uid == "12345"


def test_data_is_kept_as_it_came_but_not_shown():
    answer = interpret(200, '{"status": 200, "data": {"transaction_uid": "u", "pid": "1100000000001"}}')
    assert answer.data["pid"] == "1100000000001"
    assert "1100000000001" not in repr(answer)


def test_what_the_server_said_is_not_shown_for_it_may_quote_a_record():
    assert "นางตัวอย่าง" not in repr(interpret(400, envelope(400, "นางตัวอย่าง invalid")))


@pytest.mark.parametrize("status", [402, 409, 410, 413, 415, 418, 422, 451])
def test_a_client_error_the_reference_does_not_name_is_correctable(status: int):
    assert interpret(status, envelope(status, "?")).outcome is Outcome.CORRECTABLE


@pytest.mark.parametrize("status", [501, 505, 507, 520, 599, 600, 999])
def test_a_server_error_the_reference_does_not_name_is_retried_and_may_have_been_taken(status: int):
    answer = interpret(status, HTML)
    assert answer.outcome is Outcome.RETRY
    assert answer.meaning.possibly_accepted


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_stops_the_run_and_names_the_settings(status: int):
    answer = interpret(status, "")
    assert answer.outcome is Outcome.STOP
    assert "api.api_url" in answer.meaning.advice.en


@pytest.mark.parametrize("said", ["success", "true", True, 0, 1, -1, 200.5, "²", "9" * 5000, None, [400], {"a": 1}])
def test_a_status_that_is_none_leaves_it_to_that_of_http(said: object):
    body = json.dumps({"status": said, "data": {"transaction_uid": "uid-1"}})
    assert interpret(200, body).outcome is Outcome.ACCEPTED
    assert interpret(503, json.dumps({"status": said})).outcome is Outcome.RETRY


def test_what_no_database_can_store_does_not_get_through():
    body = '{"status": 200, "message": "a\\u0000b\\ud800", "data": {"transaction_uid": " \\u0000u\\udfff"}}'
    answer = interpret(200, body)
    assert answer.message.encode() == b"ab?"
    assert answer.transaction_uid == "u?"


def test_nothing_is_longer_than_its_column():
    body = json.dumps({"status": 200, "message": "ก" * 9000, "data": {"transaction_uid": "u" * 200}})
    answer = interpret(200, body)
    assert (len(answer.message), len(answer.transaction_uid or "")) == (500, 64)


def test_every_meaning_has_both_languages_an_advice_and_a_source():
    for meaning in meanings():
        assert meaning.source
        for message in (meaning.meaning, meaning.advice):
            assert message.th
            assert message.en
            assert message.th != message.en
        assert advice_for(meaning.meaning.en) is not None


def test_no_two_meanings_share_their_words_for_the_ledger_finds_the_advice_by_them():
    words = [meaning.meaning.en for meaning in meanings()]
    assert len(words) == len(set(words))
    assert advice_for("nobody said this") is None

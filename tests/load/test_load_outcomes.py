"""What every answer of the reference means."""

import json

import pytest

from load.outcomes import CONTRADICTORY, UNREADABLE, Outcome, advice_for, interpret, meanings

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
    (422, "something nobody has seen yet", Outcome.CORRECTABLE, False),
    (400, "duplicate transaction", Outcome.FINAL, False),
    (401, "JWT Expire", Outcome.TOKEN_EXPIRED, False),
    (501, "JWT Expire", Outcome.TOKEN_EXPIRED, False),
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


KNOWN = [row for row in TABLE if row[1] in ("don't have authen_code", "invalid request body", "JWT Expire", *FINAL)]


@pytest.mark.parametrize("form", ["number", "text", "code"])
@pytest.mark.parametrize(("status", "message", "outcome", "possibly_accepted"), TABLE)
def test_a_refusal_that_http_calls_a_success_counts_only_for_words_that_are_known(
    status: int, message: str, outcome: Outcome, possibly_accepted: bool, form: str
):
    known = status == 200 or any(message == words for _, words, *_ in [*KNOWN, (0, "duplicate transaction")])
    answer = interpret(200, envelope(status, message, form))
    assert answer.outcome is (outcome if known else Outcome.IN_DOUBT)


def body(**keys: object) -> str:
    return json.dumps({"status": 200, "message": "success", "data": {"transaction_uid": "uid-1"}} | keys)


CONTRADICTIONS = {
    "success is false": body(success=False),
    "success is the text false": body(success="false"),
    "a status that says failed": body(status="failed"),
    "a status that says reject": body(status="reject"),
    "a status that is false": body(status=False),
    "a status that is no status": body(status=0),
    "a code beside the status": body(code=400),
    "a statusCode beside the status": body(statusCode=500),
    "a known refusal": body(message="dm patient unable to claim"),
    "a known refusal in Thai's place": body(message_th="patient not new ht"),
    "a known refusal inside data": body(data={"transaction_uid": "uid-1", "message": "don't have authen_code"}),
    "words of failure": body(message="Failed"),
    "words of failure in Thai": body(message_th="บันทึกไม่สำเร็จ"),
    "an error": body(error={"code": 1}),
    "errors": body(errors=["pid"]),
    "data that was rejected": body(data={"transaction_uid": "uid-1", "status": "rejected"}),
    "data that is no success": body(data={"transaction_uid": "uid-1", "success": False}),
    "data of refusal": body(data={"transaction_uid": "uid-1", "status": 400}),
    "data that names an error": body(data={"transaction_uid": "uid-1", "errors": [{"field": "pid"}]}),
    "a known refusal in a list": body(message=["vaccine patient unable to claim"]),
    "a known refusal under any name": body(a={"b": [{"c": "dm patient unable to claim"}]}),
    "words of failure in an object": body(message={"th": "ไม่สำเร็จ"}),
    "words of failure where others put theirs": body(detail="failed"),
    "a message that is false": body(result=False),
    "a status of refusal": body(status=400),
    "a status of failure": body(status="500"),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_an_acceptance_that_something_speaks_against_is_in_doubt_and_told(kind: str):
    answer = interpret(200, CONTRADICTIONS[kind])
    assert (answer.outcome, answer.transaction_uid) == (Outcome.IN_DOUBT, None)
    assert answer.meaning is CONTRADICTORY
    assert answer.meaning.possibly_accepted


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 422, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "said", [body(), body(status="success"), body(status=None), body(status=None, success=True, message="?")]
)
def test_a_success_that_http_calls_a_failure_is_in_doubt_and_told(status: int, said: str):
    assert interpret(status, said).meaning is CONTRADICTORY


@pytest.mark.parametrize("said", ["success", "ok", "สำเร็จ", "true", True, None, "200", 201])
def test_a_status_that_says_yes_in_its_way_is_one(said: object):
    assert interpret(200, body(status=said)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("status", [203, 204, 205, 206, 207, 226, 299])
def test_a_success_that_says_there_is_no_answer_or_a_part_of_one_is_no_acceptance(status: int):
    assert interpret(status, body()).outcome is Outcome.IN_DOUBT
    assert interpret(200, body(status=status)).outcome is Outcome.IN_DOUBT


NO_NUMBERS: list[object] = [True, False, 1.5, 0, -7, [], ["uid-1"], {"uid": 1}, "", " ", "u" * 65, 10**64, "null"]
NO_NUMBERS += [".", "..", "_", "T\ufffd1", "undefined", "None", "a\nb", "a\u200bb", "a\u202eb", "a\x1b[2Jb", "\ud800"]


@pytest.mark.parametrize(
    "number",
    NO_NUMBERS,
)
def test_what_is_no_plain_text_or_number_that_fits_its_column_is_no_transaction_number(number: object):
    answer = interpret(200, body(data={"transaction_uid": number}))
    assert (answer.meaning, answer.transaction_uid) == (UNREADABLE, None)


@pytest.mark.parametrize("number", ["uid-1", " uid-1 ", "เลข 1", "u" * 64, 10**63])
def test_plain_text_and_numbers_that_fit_are_transaction_numbers(number: object):
    assert interpret(200, body(data={"transaction_uid": number})).transaction_uid == str(number).strip()


def test_a_key_that_is_there_twice_makes_an_answer_unreadable():
    said = '{"status": 400, "status": 200, "message": "success", "data": {"transaction_uid": "uid-1"}}'
    assert interpret(200, said).meaning is UNREADABLE
    assert interpret(400, said).outcome is not Outcome.CORRECTABLE


@pytest.mark.parametrize(
    "said",
    [
        "[" * 30_000,
        '{"data":' * 30_000,
        '{"status": ' + "9" * 5000 + "}",
        '{"data": NaN}',
        "\x00",
        '"',
        "\ud800",
        "1" * 5000,
    ],
)
@pytest.mark.parametrize("status", [0, 100, 200, 204, 301, 400, 503, 999])
def test_no_answer_raises(status: int, said: str):
    for expects_uid in (True, False):
        assert interpret(status, said, expects_uid=expects_uid).outcome is not Outcome.ACCEPTED


# What blames a record.

PAGES = {
    "a page": HTML,
    "plain text": "Bad Request: blocked by policy",
    "nothing": "",
    "a list": "[]",
    "the proxy": '{"error": {"statusCode": 400, "message": "Invalid request"}}',
    "a framework": '{"statusCode": 400, "message": "blocked", "error": "Bad Request"}',
    "another framework": '{"timestamp": "x", "status": 400, "error": "Bad Request", "message": "?", "path": "/api"}',
    "a problem": '{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "blocked"}',
    "a message alone": '{"message": "no Route matched with those values"}',
}


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("status", [400, 403, 422])
def test_an_answer_that_is_not_of_moph_claims_own_form_blames_the_way(status: int, kind: str):
    answer = interpret(status, PAGES[kind])
    assert answer.outcome is Outcome.RETRY
    assert "proxy" in answer.meaning.meaning.en
    assert "พร็อกซี" in answer.meaning.meaning.th


@pytest.mark.parametrize("status", [402, 406, 409, 410, 413, 415, 418, 421, 425, 431, 451, 499])
@pytest.mark.parametrize("said", [HTML, "", envelope(400, "?"), None])
def test_a_client_error_other_than_400_and_422_blames_the_way(status: int, said: str | None):
    answer = interpret(status, envelope(status, "?") if said is None else said)
    assert answer.outcome is Outcome.RETRY
    assert "gateway" in answer.meaning.meaning.en


@pytest.mark.parametrize("said", [HTML, ""])
def test_a_401_that_is_not_of_moph_claims_own_form_stops_the_run_and_names_the_way(said: str):
    answer = interpret(401, said)
    assert answer.outcome is Outcome.STOP
    assert "gateway" in answer.meaning.meaning.en


@pytest.mark.parametrize("status", [400, 401])
def test_a_key_that_the_hospitals_proxy_refuses_stops_the_run(status: int):
    for said in ("Invalid x-api-key", "Access denied. No x-api-key provided"):
        answer = interpret(status, json.dumps({"error": {"statusCode": status, "message": said}}))
        assert answer.outcome is Outcome.STOP
        assert "proxy" in answer.meaning.meaning.en


def test_errors_that_the_nhso_found_in_data_that_was_taken_are_shown_and_not_sent_again():
    fault = {"message": [{"field": "lab_result", "message": "must be a number"}]}
    said = json.dumps({"status": 503, "message": "external server error", "error": fault})
    answer = interpret(503, said)
    assert (answer.outcome, answer.meaning.possibly_accepted) == (Outcome.CORRECTABLE, True)
    assert answer.message == "external server error · lab_result: must be a number"
    assert interpret(503, '{"status": 503, "message": "external server error", "error": {}}').outcome is Outcome.RETRY


@pytest.mark.parametrize(("http", "stated"), [(500, 400), (503, 422), (404, 400), (409, 400)])
def test_of_two_statuses_that_differ_neither_blames_the_record(http: int, stated: int):
    assert interpret(http, envelope(stated, "?")).outcome not in (Outcome.CORRECTABLE, Outcome.FINAL)
    assert interpret(http, envelope(stated, "patient not new ht")).outcome is Outcome.FINAL


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


def test_plain_text_is_quoted():
    assert interpret(400, "  bad\n request ").message == "bad request"


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


@pytest.mark.parametrize("said", [0, 1, -1, 200.5, "²", "9" * 5000, [400], {"a": 1}])
def test_a_status_that_is_none_leaves_a_failure_to_that_of_http_and_is_no_success(said: object):
    assert interpret(503, json.dumps({"status": said})).outcome is Outcome.RETRY
    assert interpret(200, body(status=said)).meaning is CONTRADICTORY


def test_what_no_database_can_store_and_what_steers_a_terminal_does_not_get_through():
    answer = interpret(400, '{"status": 400, "message": "a\\u0000b\\ud800\\u001b[2Jc\\u202ed"}')
    assert answer.message == "ab?cd"


def test_a_message_is_no_longer_than_its_column():
    answer = interpret(200, body(message="ก" * 9000))
    assert len(answer.message) == 500


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

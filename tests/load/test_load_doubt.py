"""A claim in doubt is neither lost nor paid twice: ask, then send once more."""

from dataclasses import replace

import pytest
from load_night import holding, make_claim, make_claims, night, pid, rows, settings_for, standing, values
from odd_server import answer, odd_server
from sqlalchemy import Engine

from load.ledger import Ledger
from load.moph_claim_api import Exchange, MophClaimApi
from load.outcomes import NUMBER_GIVEN_TWICE
from load.settings import ApiSettings
from load.states import State
from load.tables import claim, submission
from load.token import Token
from sandbox.process import Sandbox
from sandbox.world import Fault, FaultKind


def calls(engine: Engine) -> list[str]:
    return [row.call for row in rows(engine, submission)]


def put_in_doubt(sandbox: Sandbox, engine: Engine, kind: FaultKind, item: str = "dm") -> None:
    sandbox.misbehave(Fault(kind=kind, times=1, hold_seconds=0.5))
    impatient = settings_for(sandbox, read_timeout_seconds=0.2)
    assert night(engine, impatient, [make_claim(1, item)]) == {State.IN_DOUBT: 1}
    sandbox.misbehave()


@pytest.mark.parametrize("fault", ["500_after", "502_after"])
def test_a_server_error_after_taking_is_asked_about_before_the_claim_would_go_again(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, fault: FaultKind
):
    sandbox.misbehave(Fault(kind=fault, times=1))
    assert night(audit, api, [make_claim()]) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "status"]
    assert rows(audit, claim)[0].transaction_uid == sandbox.accepted()[0]["transaction_uid"]
    assert sandbox.stats()["received"] == 1


@pytest.mark.parametrize("fault", ["500", "502_html", "504"])
def test_a_server_error_without_taking_is_asked_about_and_the_claim_goes_again(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, fault: FaultKind
):
    sandbox.misbehave(Fault(kind=fault, times=2))
    assert night(audit, api, [make_claim()]) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "submit", "eligibility", "submit"]
    assert [row.attempt for row in rows(audit, submission)] == [1, 2, 3, 4, 5]


def test_a_claim_that_was_certainly_not_taken_goes_again_unasked(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    sandbox.misbehave(Fault(kind="503", times=2))
    assert night(audit, api, [make_claim()]) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit"] * 3


def test_what_may_have_been_taken_once_is_asked_about_however_the_last_sending_failed(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    """The check fails at first; by its second turn the last answer was a plain 503."""
    sandbox.misbehave(
        Fault(kind="500_after", times=1), Fault(kind="503", times=1), Fault(kind="500", on=("eligibility",), times=1)
    )
    assert night(audit, api, [make_claim()]) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "submit", "eligibility", "status"]
    assert sandbox.stats()["received"] == 1


def test_a_server_error_after_taking_then_a_refusal_is_presumed_accepted_where_nothing_is_asked(
    sandbox: Sandbox, audit: Engine
):
    sandbox.misbehave(Fault(kind="500_after", times=1))
    unasked = settings_for(sandbox, ask_eligibility=False)
    assert night(audit, unasked, [make_claim()]) == {State.PRESUMED_ACCEPTED: 1}
    assert calls(audit) == ["submit", "submit"]
    assert night(audit, unasked, [make_claim(marriage="1")]) == {}
    assert sandbox.stats()["accepted"] == 1


@pytest.mark.parametrize("kind", ["not_found", "500", "permission_denied", "reset_before"])
def test_a_question_that_fails_within_the_run_does_not_keep_the_claim_from_going_again(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, kind: FaultKind
):
    sandbox.misbehave(Fault(kind="500", times=1), Fault(kind=kind, on=("eligibility",)))
    assert night(audit, api, make_claims(3)) == {State.ACCEPTED: 3}
    assert sandbox.stats()["accepted"] == 3
    assert calls(audit).count("eligibility") == 1


@pytest.mark.parametrize("kind", ["dm", "ht", "epi", "dt"])
@pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "truncated_after", "cut_off_after"])
def test_an_answer_lost_after_taking_is_found_by_the_next_runs_question(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, fault: FaultKind, kind: str
):
    put_in_doubt(sandbox, audit, fault, kind)
    assert night(audit, api) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "status"]
    assert rows(audit, claim)[0].transaction_uid == sandbox.accepted()[0]["transaction_uid"]
    assert sandbox.stats()["received"] == 1


@pytest.mark.parametrize("fault", ["timeout_before", "reset_before", "hang_up_before"])
def test_a_claim_in_doubt_that_was_not_taken_is_sent_once_more(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, fault: FaultKind
):
    put_in_doubt(sandbox, audit, fault)
    assert night(audit, api) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "submit"]
    assert sandbox.stats()["accepted"] == 1


def test_without_the_question_one_more_sending_tells(sandbox: Sandbox, audit: Engine):
    put_in_doubt(sandbox, audit, "reset_after")
    unasked = settings_for(sandbox, ask_eligibility=False)
    assert night(audit, unasked) == {State.PRESUMED_ACCEPTED: 1}
    assert calls(audit) == ["submit", "submit"]
    assert sandbox.stats()["accepted"] == 1


def test_a_refusal_without_a_number_leaves_it_to_one_more_sending(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    put_in_doubt(sandbox, audit, "reset_after")
    sandbox.change(eligibility_uid="never")
    assert night(audit, api) == {State.PRESUMED_ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "submit"]


def test_a_number_beside_a_yes_is_the_claims_if_there_is_a_transaction_of_the_person_under_it(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    put_in_doubt(sandbox, audit, "reset_after")
    sandbox.change(eligibility_of_taken="success")
    assert night(audit, api) == {State.ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "status"]
    assert rows(audit, claim)[0].transaction_uid == sandbox.accepted()[0]["transaction_uid"]
    assert sandbox.stats()["received"] == 1


@pytest.mark.parametrize("said", ["refused", "success"])
def test_a_number_of_another_persons_transaction_proves_nothing_and_is_not_kept(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch, said: str
):
    put_in_doubt(sandbox, audit, "reset_after")
    sandbox.change(eligibility_of_taken=said)
    ask = MophClaimApi.status

    def of_another(self: MophClaimApi, number: str, token: Token) -> Exchange:
        made = ask(self, number, token)
        return replace(made, answer=replace(made.answer, data=made.answer.data | {"pid": pid(7)}))

    monkeypatch.setattr(MophClaimApi, "status", of_another)
    assert night(audit, api) == {State.PRESUMED_ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "status", "submit"]
    assert rows(audit, claim)[0].transaction_uid is None


def test_where_the_status_cannot_be_asked_one_more_sending_tells_and_the_number_is_kept(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    put_in_doubt(sandbox, audit, "reset_after")
    sandbox.change(eligibility_of_taken="success")
    sandbox.misbehave(Fault(kind="not_found", on=("status",)))
    assert night(audit, api) == {State.PRESUMED_ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "status", "submit"]
    assert rows(audit, claim)[0].transaction_uid == sandbox.accepted()[0]["transaction_uid"]


def test_a_number_beside_a_yes_alone_proves_nothing(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    put_in_doubt(sandbox, audit, "reset_before")
    sandbox.change(eligibility_uid="always")
    assert night(audit, api) == {State.ACCEPTED: 1}
    beside = rows(audit, submission)[1]
    assert (beside.call, beside.http_status) == ("eligibility", 200)
    assert beside.transaction_uid
    assert rows(audit, claim)[0].transaction_uid == sandbox.accepted()[0]["transaction_uid"] != beside.transaction_uid


@pytest.mark.parametrize("kind", ["not_found", "500", "permission_denied", "reset_before"])
def test_a_question_that_fails_does_not_keep_the_claim_from_going(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, kind: FaultKind
):
    put_in_doubt(sandbox, audit, "reset_before")
    sandbox.misbehave(Fault(kind=kind, on=("eligibility",)))
    assert night(audit, api) == {State.ACCEPTED: 1}


def test_a_server_that_answers_a_second_sending_with_the_first_number_is_believed(sandbox: Sandbox, audit: Engine):
    put_in_doubt(sandbox, audit, "reset_after")
    sandbox.change(second_submission="same_uid")
    assert night(audit, settings_for(sandbox, ask_eligibility=False)) == {State.ACCEPTED: 1}
    assert rows(audit, claim)[0].transaction_uid == sandbox.accepted()[0]["transaction_uid"]


def test_a_claim_stays_in_doubt_while_no_answer_comes(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    put_in_doubt(sandbox, audit, "reset_after")
    sandbox.misbehave(Fault(kind="503", on=("submit", "eligibility")))
    assert night(audit, api) == {State.IN_DOUBT: 1}
    sandbox.misbehave()
    assert night(audit, api) == {State.ACCEPTED: 1}
    assert sandbox.stats()["accepted"] == 1


def test_a_claim_in_doubt_that_is_then_held_is_still_in_doubt_when_its_turn_comes(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.misbehave(Fault(kind="500_after", times=1))
    vn = make_claim().vn
    sandbox.change(no_closing_code_visits=[])
    night_with_hold = settings_for(sandbox, attempts=1)
    assert night(audit, night_with_hold, [make_claim()]) == {State.IN_DOUBT: 1}
    sandbox.change(no_closing_code_visits=[vn], eligibility_uid="never")
    assert night(audit, api) == {State.HELD: 1}
    sandbox.change(no_closing_code_visits=[])
    assert night(audit, api) == {State.PRESUMED_ACCEPTED: 1}


def test_every_fault_at_once_loses_and_doubles_nothing(sandbox: Sandbox, audit: Engine):
    kinds: tuple[FaultKind, ...] = (
        "429", "500", "502_html", "503", "504", "reset_before", "hang_up_before", "500_after", "502_after",
        "reset_after", "hang_up_after", "truncated_after", "cut_off_after", "expire_tokens",
    )  # fmt: skip
    sandbox.misbehave(*(Fault(kind=kind, probability=0.03) for kind in kinds))
    settings = settings_for(sandbox, attempts=3)
    night(audit, settings, make_claims(300), concurrency=16, chunk_size=100)
    sandbox.misbehave()
    for _ in range(2):
        night(audit, settings, concurrency=16)
    stand = standing(audit)
    assert stand[State.ACCEPTED] + stand[State.PRESUMED_ACCEPTED] == 300
    stats = sandbox.stats()
    assert stats["accepted"] == stats["accepted_keys"] == 300
    taken = {t["seq"]: t["transaction_uid"] for t in sandbox.accepted()}
    for row in rows(audit, claim, state=State.ACCEPTED):
        assert taken[row.vn] == row.transaction_uid


def test_a_number_is_told_apart_from_another_claims(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    night(audit, api, make_claims(2))
    first, second = rows(audit, claim)
    with holding(audit) as run:
        ledger = Ledger(audit, run)
        assert ledger.queue.is_uid_of_another_claim(first.transaction_uid, second.id)
        assert not ledger.queue.is_uid_of_another_claim(first.transaction_uid, first.id)


def test_a_refusal_under_another_claims_number_leaves_it_to_one_more_sending(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    """Two of our claims, one number: the number cannot be this claim's."""
    put_in_doubt(sandbox, audit, "reset_after")
    number = sandbox.accepted()[0]["transaction_uid"]
    other = values(claim, rows(audit, claim)[0]) | {"id": 99, "vn": "another visit"}
    with audit.begin() as connection:
        connection.execute(claim.insert().values(**other | {"transaction_uid": number, "state": State.ACCEPTED}))
    assert night(audit, api) == {State.PRESUMED_ACCEPTED: 1}
    assert calls(audit) == ["submit", "eligibility", "submit"]


def test_a_number_that_the_ledger_has_for_another_claim_is_no_acceptance_of_this_one(sandbox: Sandbox, audit: Engine):
    """A gateway that answers from its memory, in this night and in the next."""
    said = '{"status": 200, "message": "success", "data": {"transaction_uid": "uid-1"}}'
    first, second, third = make_claims(3)
    with odd_server(answer("200 OK", said)) as server:
        settings = settings_for(sandbox, api_url=server.url, ask_eligibility=False)
        night(audit, settings, [first, second], concurrency=1)
        night(audit, settings, [third], concurrency=1)
    assert standing(audit) == {State.ACCEPTED: 1, State.IN_DOUBT: 2}
    assert [row.transaction_uid for row in rows(audit, claim, state=State.IN_DOUBT)] == [None, None]
    assert {row.meaning_en for row in rows(audit, claim, state=State.IN_DOUBT)} == {NUMBER_GIVEN_TWICE.meaning.en}
    assert [row.outcome for row in rows(audit, submission)].count("accepted") == 1


def test_a_refusal_that_names_another_claims_number_is_written_down_as_it_came(sandbox: Sandbox, audit: Engine):
    data = '"data": {"transaction_uid": "uid-1"}'
    settings = settings_for(sandbox, ask_eligibility=False)
    for number, said in ((1, '"status": 200'), (2, '"status": 400, "message": "dm patient unable to claim"')):
        with odd_server(answer(f"{said[10:13]} ?", f"{{{said}, {data}}}")) as server:
            night(audit, settings.model_copy(update={"api_url": server.url}), [make_claim(number)])
    assert standing(audit) == {State.ACCEPTED: 1, State.FINAL: 1}

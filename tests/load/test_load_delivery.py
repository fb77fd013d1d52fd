"""A chunk against the sandbox: what becomes of each claim, and what is written down of it."""

import hashlib
import json
import time
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from load_night import let_leases_run_out, make_claim, make_claims, night, rows, settings_for, standing
from sqlalchemy import Engine, text, update

from load.errors import AuditError, LoginError, StopRun
from load.settings import ApiSettings
from load.states import FAILED, State
from load.tables import claim, facility_lock, run, submission
from sandbox.process import Sandbox
from sandbox.world import Account, Fault, FaultKind


def uids(sandbox: Sandbox) -> dict[str, str]:
    return {taken["seq"]: taken["transaction_uid"] for taken in sandbox.accepted()}


def sent_in_vain(settings: ApiSettings, engine: Engine, **of_night: Any) -> str:
    with pytest.raises((StopRun, LoginError)) as stopped:
        night(engine, settings, **of_night)
    return stopped.value.message.en


# Each answer.


def test_claims_of_every_kind_are_accepted_under_the_servers_number(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    claims = [make_claim(n, kind) for n, kind in enumerate(("dm", "ht", "epi", "dt"), start=1)]
    assert night(audit, api, claims) == {State.ACCEPTED: 4}
    assert {row.vn: row.transaction_uid for row in rows(audit, claim)} == uids(sandbox)
    assert {row.meaning_en for row in rows(audit, claim)} == {"accepted"}


def test_what_was_accepted_is_never_sent_again(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    night(audit, api, make_claims(3))
    assert night(audit, api, make_claims(3, marriage="1")) == {}
    assert sandbox.stats()["received"] == 3
    assert sandbox.stats()["logins"] == 1


def test_a_claim_without_closing_code_is_held_and_goes_in_the_next_run(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    claims = make_claims(2)
    sandbox.change(no_closing_code_visits=[claims[0].vn])
    assert night(audit, api, claims) == {State.HELD: 1, State.ACCEPTED: 1}
    assert night(audit, api, claims) == {State.HELD: 1}
    sandbox.change(no_closing_code_visits=[])
    assert night(audit, api, claims) == {State.ACCEPTED: 1}
    assert rows(audit, claim, vn=claims[0].vn)[0].tries == 3


def test_a_claim_refused_for_good_never_goes_again_even_changed(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    night(audit, api, [make_claim(1, person=7)])
    second = make_claim(2, person=7)
    assert night(audit, api, [make_claim(1, person=7), second]) == {State.FINAL: 1}
    refused = rows(audit, claim, vn=second.vn)[0]
    assert (
        refused.message == "dm patient received service less than 3 months · ผู้ป่วยเบาหวานรับบริการห่างจากครั้งก่อนไม่ถึง 3 เดือน"
    )
    assert refused.transaction_uid is None
    assert night(audit, api, [make_claim(2, person=7, marriage="1")], states=FAILED) == {}


def test_a_correctable_claim_goes_again_only_when_it_has_changed(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    wrong = make_claim(marriage="8")
    assert night(audit, api, [wrong]) == {State.CORRECTABLE: 1}
    assert night(audit, api, [wrong]) == {}
    assert night(audit, api, [make_claim(marriage="1")]) == {State.ACCEPTED: 1}
    assert len(rows(audit, submission)) == 2


def test_a_correctable_claim_goes_again_unchanged_when_a_person_says_so(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    night(audit, api, [make_claim(marriage="8")])
    assert night(audit, api, [make_claim(marriage="8")], states=FAILED) == {State.CORRECTABLE: 1}


# Trying again.


@pytest.mark.parametrize("kind", ["429", "503"])
def test_a_busy_server_is_tried_again_with_growing_pauses_then_left_for_the_next_run(
    sandbox: Sandbox, audit: Engine, kind: FaultKind
):
    settings = settings_for(sandbox, attempts=4, backoff_seconds=0.05)
    sandbox.misbehave(Fault(kind=kind))
    assert night(audit, settings, [make_claim()]) == {State.RETRY: 1}
    tries = rows(audit, submission)
    assert [row.attempt for row in tries] == [1, 2, 3, 4]
    pauses = [(b.sent_at - a.answered_at).total_seconds() for a, b in pairwise(tries)]
    # Doubling, each cut by jitter to no less than half.
    for pause, at_least in zip(pauses, (0.025, 0.05, 0.1), strict=True):
        assert at_least <= pause < at_least * 2 + 0.3
    sandbox.misbehave()
    assert night(audit, settings, [make_claim()]) == {State.ACCEPTED: 1}


@pytest.mark.parametrize("kind", ["429", "500", "502_html", "503", "504"])
def test_a_failure_that_passes_is_overcome_within_the_run(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, kind: FaultKind
):
    sandbox.misbehave(Fault(kind=kind, times=5))
    assert night(audit, api, make_claims(5)) == {State.ACCEPTED: 5}
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == 5


def test_retry_after_is_honoured(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    sandbox.misbehave(Fault(kind="429", times=1, retry_after="1"))
    assert night(audit, api, [make_claim()]) == {State.ACCEPTED: 1}
    first, second = rows(audit, submission)
    assert (second.sent_at - first.answered_at).total_seconds() >= 1


def test_a_retry_after_that_is_too_long_leaves_the_claim_for_the_next_run(sandbox: Sandbox, audit: Engine):
    settings = settings_for(sandbox, backoff_limit_seconds=1)
    sandbox.misbehave(Fault(kind="503", retry_after="3600"))
    started = time.monotonic()
    assert night(audit, settings, [make_claim()]) == {State.RETRY: 1}
    assert time.monotonic() - started < 5
    assert len(rows(audit, submission)) == 1


# The token.


def test_a_token_that_runs_out_costs_one_more_log_in_however_many_connections_meet_it(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.change(tokens_expire_after_claims=50, latency_ms=5)
    assert night(audit, api, make_claims(130), concurrency=16, chunk_size=60) == {State.ACCEPTED: 130}
    assert sandbox.stats()["logins"] == 3
    assert rows(audit, run)[0].log_ins == 3
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == 130
    told = Counter(row.outcome for row in rows(audit, submission))
    assert told["accepted"] == 130
    assert 2 <= told["token_expired"] <= 2 * 32


def test_tokens_called_run_out_from_the_start_stop_the_run_and_no_claim_is_lost(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.misbehave(Fault(kind="jwt_expire"))
    assert "clock" in sent_in_vain(api, audit, claims=make_claims(40))
    assert standing(audit)[State.READY] >= 30
    assert set(standing(audit)) <= {State.READY, State.RETRY}
    assert sandbox.stats()["logins"] == 3
    sandbox.misbehave()
    assert night(audit, api) == {State.ACCEPTED: 40}


def test_when_no_other_token_is_to_be_had_the_run_stops_and_the_next_goes_on(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.change(tokens_expire_after_claims=10, latency_ms=2)
    accounts = [Account().model_dump()]

    def lock_out(_: Counter[State]) -> None:
        sandbox.change(accounts=[accounts[0] | {"password": "changed since"}])

    assert "refused" in sent_in_vain(api, audit, claims=make_claims(60), concurrency=8, on_progress=lock_out)
    assert sandbox.stats()["logins_refused"] == 1
    assert standing(audit)[State.ACCEPTED] == sandbox.stats()["accepted"]
    assert set(standing(audit)) <= {State.ACCEPTED, State.READY, State.RETRY}
    # What stands to be tried again met nothing but tokens that had run out: it was certainly not taken.
    for tried in rows(audit, claim, state=State.RETRY):
        assert {row.outcome for row in rows(audit, submission, claim_id=tried.id)} == {"token_expired"}
    sandbox.change(accounts=accounts, tokens_expire_after_claims=0)
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: 60}


def test_a_claim_that_may_have_been_taken_stays_so_when_the_run_stops_before_its_next_attempt(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.misbehave(
        Fault(kind="500_after", times=1),
        Fault(kind="jwt_expire", on=("submit", "eligibility")),
        Fault(kind="503", on=("token",), skip=1),
    )
    sent_in_vain(api, audit, claims=[make_claim()])
    left = rows(audit, claim)[0]
    assert (left.state, left.possibly_accepted) == (State.IN_DOUBT, True)
    sandbox.misbehave()
    assert night(audit, api) == {State.ACCEPTED: 1}


# Stopping.


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("invalid_scope", "does not accept this account (401)"),
        ("invalid_session", "does not accept this account (401)"),
        ("permission_denied", "may not send claims (403)"),
        ("not_found", "nothing answers at the address configured (404)"),
    ],
)
def test_an_answer_every_claim_would_get_stops_the_run_and_leaves_the_rest_as_it_was(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, kind: FaultKind, sentence: str
):
    sandbox.misbehave(Fault(kind=kind))
    assert sentence in sent_in_vain(api, audit, claims=make_claims(60), concurrency=4)
    stand = standing(audit)
    assert stand[State.RETRY] <= 4
    assert stand[State.READY] + stand[State.RETRY] == 60
    assert len(rows(audit, submission)) == stand[State.RETRY]
    assert rows(audit, run)[0].state == "failed"
    assert sentence in rows(audit, run)[0].message_en
    sandbox.misbehave()
    assert night(audit, api) == {State.ACCEPTED: 60}


def test_an_account_suspended_in_mid_run_stops_it_and_what_was_answered_stands(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.misbehave(Fault(kind="account_suspended", skip=20, times=1))
    assert "(403)" in sent_in_vain(api, audit, claims=make_claims(60))
    assert standing(audit)[State.ACCEPTED] == sandbox.stats()["accepted"] == 20
    assert standing(audit)[State.READY] >= 30


def test_a_wrong_base_address_stops_the_run(sandbox: Sandbox, audit: Engine):
    assert "(404)" in sent_in_vain(settings_for(sandbox, api_url=f"{sandbox.url}/wrong"), audit, claims=make_claims(30))
    assert sandbox.stats()["accepted"] == 0


def test_the_brake_wakes_claims_that_wait_for_their_next_attempt(sandbox: Sandbox, audit: Engine):
    settings = settings_for(sandbox, backoff_seconds=20)
    sandbox.misbehave(Fault(kind="503", times=3), Fault(kind="permission_denied"))
    started = time.monotonic()
    assert "(403)" in sent_in_vain(settings, audit, claims=make_claims(30), concurrency=4)
    assert time.monotonic() - started < 5


def test_a_run_that_lost_its_facility_sends_no_more_and_what_was_answered_stands(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.change(latency_ms=5)

    def another_takes_it(_: Counter[State]) -> None:
        with audit.begin() as connection:
            connection.execute(update(facility_lock).values(run_id="another"))

    said = sent_in_vain(api, audit, claims=make_claims(100), on_progress=another_takes_it)
    assert "lost its facility" in said
    stand = standing(audit)
    assert stand[State.ACCEPTED] == sandbox.stats()["accepted"] < 100
    assert stand[State.READY] == 100 - stand[State.ACCEPTED]
    let_leases_run_out(audit)
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: 100}
    assert sandbox.stats()["received"] == 100


def test_when_the_audit_goes_away_in_mid_chunk_the_next_run_finds_out_what_was_taken(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.change(latency_ms=5)

    def rename(old: str, new: str) -> None:
        with audit.begin() as connection:
            connection.execute(text(f"alter table {old} rename to {new}"))

    with pytest.raises(AuditError, match="cannot be used"):
        night(audit, api, make_claims(60), on_progress=lambda _: rename("submission", "gone"))
    rename("gone", "submission")
    left = standing(audit)
    assert left[State.SENDING] > 0
    let_leases_run_out(audit)  # its end could not be written either
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: 60}
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == 60


# What is written down.


def test_every_exchange_stands_in_the_audit(sandbox: Sandbox, audit: Engine):
    claims = make_claims(5)
    sandbox.misbehave(Fault(kind="502_html", times=1))
    night(audit, settings_for(sandbox, ask_eligibility=False), claims, chunk_size=2, concurrency=1)
    written = rows(audit, submission)
    assert len(written) == 6
    assert written[0].http_status == 502
    assert "502 Bad Gateway" in written[0].response
    assert [row.chunk for row in written] == [1, 1, 1, 2, 2, 3]
    assert [row.attempt for row in written] == [1, 2, 1, 1, 1, 1]
    assert {row.run_id for row in written} == {rows(audit, run)[0].id}
    assert {row.call for row in written} == {"submit"}
    assert {row.path for row in written} == {"/api/v1/opd/service-admissions/dmht"}
    by_vn = {row.id: row.vn for row in rows(audit, claim)}
    payloads = {row.id: row.payload for row in rows(audit, claim)}
    for row in written[1:]:
        assert row.request is None  # it is kept once
        body = payloads[row.claim_id].encode()
        assert hashlib.sha256(body).hexdigest() == row.payload_hash
        assert json.loads(body)["seq"] == by_vn[row.claim_id]
        assert json.loads(row.response)["data"]["transaction_uid"] == row.transaction_uid
        assert row.sent_at <= row.answered_at
        assert row.duration_ms >= 0
    assert {row.payload_hash for row in written} == {taken["sha256"] for taken in sandbox.accepted()}


def test_an_exchange_without_an_answer_is_written_down_too(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    sandbox.misbehave(Fault(kind="reset_after", times=1))
    night(audit, api, [make_claim()])
    row = rows(audit, submission)[0]
    assert (row.http_status, row.response, row.failure, row.outcome) == (None, None, "ConnectionError", "in_doubt")


def test_answers_are_committed_while_others_are_still_under_way(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    sandbox.change(latency_ms=10)
    told: list[int] = []
    night(audit, api, make_claims(60), on_progress=lambda counts: told.append(counts.total()))
    assert told == sorted(told)
    assert told[-1] == 60
    assert len(told) > 2


def test_the_next_chunk_is_taken_up_before_the_last_answers_of_this_one(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.change(latency_ms=200)
    night(audit, api, make_claims(12), chunk_size=3, concurrency=4)
    sent = rows(audit, submission)
    first_of_second = min(row.sent_at for row in sent if row.chunk == 2)
    assert first_of_second < min(row.answered_at for row in sent if row.chunk == 1)


def test_no_more_claims_are_under_way_than_there_are_connections(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    sandbox.change(latency_ms=10)
    night(audit, api, make_claims(60), concurrency=8)
    assert sandbox.stats()["connections"] <= 8 + 1  # kept alive: one each, and the log-in's


def test_an_empty_chunk_is_nothing_to_do(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    assert night(audit, api, []) == {}
    assert sandbox.stats()["logins"] == 0

"""Claims that MOPH Claim fails on for ever keep no other from going, and are told from an outage."""

from collections import Counter
from datetime import timedelta

import pytest
from load_night import make_claims, night, rows, settings_for, standing
from sqlalchemy import Engine

from core import clock
from load.breaker import Breaker, StopSignal
from load.errors import StopRun
from load.failed_in_vain import failed_in_vain
from load.outcomes import Outcome
from load.queries import claims_not_accepted
from load.settings import ApiSettings
from load.states import State
from load.tables import claim, submission
from sandbox.process import Sandbox
from sandbox.world import Fault, FaultKind

CLAIMS, POISON = 152, 16
FAST = {"backoff_seconds": 0.001, "breaker_pause_seconds": 0.02, "attempts": 4}


def poisoned(sandbox: Sandbox, kind: FaultKind = "503") -> set[str]:
    """Make the server fail on sixteen of the claims, for ever; the visits concerned."""
    some = make_claims(CLAIMS)[:POISON]
    people = tuple(c.pid for c in some)
    sandbox.misbehave(Fault(kind=kind, on=("submit", "eligibility"), people=people, hold_seconds=2))
    return {c.vn for c in some}


def accepted(engine: Engine) -> set[str]:
    return {row.vn for row in rows(engine, claim, state=State.ACCEPTED)}


@pytest.mark.parametrize("concurrency", [4, pytest.param(16, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "kind",
    [
        "503",
        pytest.param("500", marks=pytest.mark.slow),
        pytest.param("reset_before", marks=pytest.mark.slow),
        pytest.param("silent_before", marks=pytest.mark.slow),
        pytest.param("nested_after", marks=pytest.mark.slow),
    ],
)
def test_all_others_go_in_the_same_night(sandbox: Sandbox, audit: Engine, kind: FaultKind, concurrency: int):
    """All of the oldest sixteen are poisoned: they would come first, and be all that the connections have in hand."""
    settings = settings_for(sandbox, **FAST, read_timeout_seconds=0.5)
    vns = poisoned(sandbox, kind)
    night(audit, settings, make_claims(CLAIMS), concurrency=concurrency)
    assert accepted(audit) == {c.vn for c in make_claims(CLAIMS)} - vns
    assert set(standing(audit)) <= {State.ACCEPTED, State.RETRY, State.IN_DOUBT}


def test_claims_for_which_every_token_is_called_run_out_cost_a_log_in_each_and_keep_no_other(
    sandbox: Sandbox, audit: Engine
):
    some = make_claims(30)
    sandbox.misbehave(Fault(kind="jwt_expire", on=("submit",), people=(some[0].pid, some[20].pid)))
    night(audit, settings_for(sandbox, **FAST), some)
    assert standing(audit) == {State.ACCEPTED: 28, State.RETRY: 2}
    assert sandbox.stats()["logins"] <= 3


@pytest.mark.slow
def test_what_was_tried_in_vain_goes_last_the_next_night(sandbox: Sandbox, audit: Engine):
    settings = settings_for(sandbox, **FAST)
    vns = poisoned(sandbox)
    night(audit, settings, make_claims(CLAIMS))
    assert {row.tries for row in rows(audit, claim)} == {1}
    older_and_newer = make_claims(CLAIMS + 20)
    night(audit, settings, older_and_newer, chunk_size=20)
    second = [row for row in rows(audit, submission) if row.run_id != rows(audit, submission)[0].run_id]
    by_id = {row.id: row.vn for row in rows(audit, claim)}
    assert {by_id[row.claim_id] for row in second if row.chunk == 1}.isdisjoint(vns)
    assert {row.tries for row in rows(audit, claim, state=State.RETRY)} == {2}
    assert len(accepted(audit)) == CLAIMS + 20 - POISON


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["503", "500"])
def test_where_only_such_claims_are_left_the_run_ends_in_order(sandbox: Sandbox, audit: Engine, kind: FaultKind):
    settings = settings_for(sandbox, **FAST, breaker_failures=20, breaker_probes=3)
    poisoned(sandbox, kind)
    night(audit, settings, make_claims(CLAIMS))
    with pytest.raises(StopRun, match="Sending failed"):
        night(audit, settings)
    assert standing(audit)[State.ACCEPTED] == CLAIMS - POISON
    sandbox.misbehave()
    night(audit, settings)
    assert standing(audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["accepted"] == CLAIMS


@pytest.mark.slow
def test_an_outage_with_poison_in_it_loses_nothing(sandbox: Sandbox, audit: Engine):
    people = tuple(c.pid for c in make_claims(CLAIMS)[:POISON])
    outage = Fault(kind="503", skip=40, times=60, on=("submit", "eligibility"))
    sandbox.misbehave(Fault(kind="503", people=people, on=("submit", "eligibility")), outage)
    settings = settings_for(sandbox, **FAST, breaker_failures=8, breaker_probes=100)
    night(audit, settings, make_claims(CLAIMS))
    # Those that met both may be left for the next run: others were answered after them.
    assert standing(audit)[State.ACCEPTED] >= CLAIMS - POISON - 8
    assert sandbox.stats()["accepted"] == standing(audit)[State.ACCEPTED]


# What is listed for a person.


class Nights:
    """A clock that goes from night to night."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = clock.now()
        monkeypatch.setattr("load.claim_rows.now", lambda: self.at)

    def pass_by(self, nights: int = 1) -> None:
        self.at += timedelta(days=nights)


@pytest.mark.parametrize("left", [State.RETRY, State.IN_DOUBT])
def test_a_claim_that_failed_three_nights_in_a_row_while_others_went_is_listed(
    sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch, left: State
):
    nights, settings = Nights(monkeypatch), settings_for(sandbox, **FAST)
    claims = make_claims(12)
    fault: FaultKind = "503" if left is State.RETRY else "500"
    people = tuple(c.pid for c in claims[:2])
    sandbox.misbehave(Fault(kind=fault, on=("submit", "eligibility"), people=people))
    night(audit, settings, claims[:5])
    for up_to in (8, 8):  # the second of these has no other claim to send, and does not count
        assert failed_in_vain(audit, "sandbox", 3) == set()
        nights.pass_by()
        night(audit, settings, claims[:up_to])
    assert failed_in_vain(audit, "sandbox", 3) == set()
    nights.pass_by()
    night(audit, settings, claims)
    listed = failed_in_vain(audit, "sandbox", 3)
    assert {row.vn for row in rows(audit, claim) if row.id in listed} == {c.vn for c in claims[:2]}
    assert failed_in_vain(audit, "sandbox", 4) == failed_in_vain(audit, "prd", 1) == set()
    frame = claims_not_accepted(audit, "sandbox", failed_nights=3)
    assert list(frame["nights_in_vain"]) == [3, 3]
    sandbox.misbehave()
    night(audit, settings)
    assert failed_in_vain(audit, "sandbox", 1) == set()


# The breaker alone.


@pytest.fixture
def breaker() -> Breaker:
    settings = ApiSettings(breaker_failures=3, breaker_pause_seconds=0, breaker_probes=2)
    return Breaker(settings, StopSignal(), lambda _: None)


def fail(breaker: Breaker, *claim_ids: int) -> bool:
    """Let these claims fail one after the other; whether sending pauses or has stopped then."""
    generation = breaker.acquire()
    assert generation is not None
    for claim_id in claim_ids:
        breaker.record_result(generation, Outcome.RETRY, claim_id)
    return not breaker.is_current(generation)


def test_claims_that_failed_while_others_were_answered_do_not_show_that_the_server_is_down(breaker: Breaker):
    assert not fail(breaker, 1, 2)
    breaker.record_result(0, Outcome.ACCEPTED, 3)
    assert not fail(breaker, *[1, 2] * 20)  # as two failures
    assert fail(breaker, 4)


def test_a_claim_that_failed_last_night_is_a_suspect_as_soon_as_another_is_answered(breaker: Breaker):
    for claim_id in (3, 1, 1, 1):
        breaker.record_result(0, Outcome.RETRY if claim_id == 1 else Outcome.HELD, claim_id, failed_before=True)
    assert breaker.is_current(0)
    breaker.record_result(0, Outcome.RETRY, 2, failed_before=True)
    breaker.record_result(0, Outcome.RETRY, 4, failed_before=True)
    assert not breaker.is_current(0)


def test_a_claim_that_is_answered_at_last_is_no_suspect(breaker: Breaker):
    fail(breaker, 1)
    breaker.record_result(0, Outcome.ACCEPTED, 1)
    assert fail(breaker, 1, 1, 1)


def test_failed_probes_end_the_run_also_where_all_are_suspects(breaker: Breaker):
    fail(breaker, 1)
    breaker.record_result(0, Outcome.ACCEPTED, 2)
    assert fail(breaker, 1, 4, 5)
    for _ in range(2):
        assert fail(breaker, 1)
    assert breaker.acquire() is None


def test_each_probe_is_another_claim(sandbox: Sandbox, audit: Engine):
    sandbox.misbehave(Fault(kind="503"))
    settings = settings_for(sandbox, **FAST | {"breaker_failures": 1, "breaker_probes": 10})
    with pytest.raises(StopRun):
        night(audit, settings, make_claims(60), concurrency=4)
    tried = Counter(row.claim_id for row in rows(audit, submission))
    assert set(tried.values()) == {1}
    assert len(tried) >= 1 + 10

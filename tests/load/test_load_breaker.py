"""While MOPH Claim is down nothing is sent but a probe now and then, and no claim pays for it."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from load_night import DAY, holding, make_claim, make_claims, night, rows, settings_for, standing, told_ledger
from odd_server import closed_port
from sqlalchemy import Engine

from core.clock import now
from core.messages import Message
from load.account_center import TokenSource
from load.breaker import Breaker, StopSignal
from load.delivery import Delivery
from load.errors import StopRun
from load.outcomes import Outcome
from load.settings import ApiSettings
from load.states import DUE, State
from load.tables import claim, run, submission
from sandbox.process import Sandbox, running_sandbox
from sandbox.world import Fault, FaultKind
from transform.claim import KINDS, Claim

# Each failure another claim's, where nothing else is said.
CLAIM_IDS = itertools.count(1)


def brittle(sandbox: Sandbox, **changes: Any) -> ApiSettings:
    """Settings whose breaker opens soon, and not for long; a claim cannot use up its attempts before it does."""
    soon = {"breaker_failures": 4, "breaker_pause_seconds": 0.02, "breaker_probes": 100}
    return settings_for(sandbox, **soon | changes)


def met(sandbox: Sandbox) -> int:
    """Requests that met a fault."""
    return int(sum(sandbox.stats()["faults"].values()))


def sent_in_vain(settings: ApiSettings, engine: Engine, **of_night: Any) -> str:
    with pytest.raises(StopRun) as stopped:
        night(engine, settings, **of_night)
    return stopped.value.message.en


@contextmanager
def delivering(
    engine: Engine,
    settings: ApiSettings,
    claims: list[Claim],
    concurrency: int,
    tell: Callable[[Message], None],
    on_progress: Callable[[Counter[State]], None] = lambda _: None,
) -> Iterator[Delivery]:
    """These claims under way, and the delivery in hand."""
    with holding(engine) as held:
        ledger = told_ledger(engine, held, on_progress)
        ledger.intake.register(DAY, KINDS, claims)
        with Delivery(settings, ledger, TokenSource(settings, held.hcode), concurrency, tell) as delivery:
            delivery.send_chunk(1, ledger.queue.due(DUE, KINDS, DAY, DAY, len(claims)))
            yield delivery


# An outage within the run.


@pytest.mark.parametrize("kind", ["429", "500", "502_html", "503", "504"])
def test_an_outage_that_passes_costs_no_claim_its_place_in_this_run(sandbox: Sandbox, audit: Engine, kind: FaultKind):
    sandbox.misbehave(Fault(kind=kind, times=12, on=("submit", "eligibility")))
    assert night(audit, brittle(sandbox), make_claims(40)) == {State.ACCEPTED: 40}
    assert met(sandbox) == 12
    assert sandbox.stats()["received"] == sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == 40


def test_the_attempts_of_a_claim_begin_anew_after_a_pause(sandbox: Sandbox, audit: Engine):
    settings = brittle(sandbox, attempts=2, breaker_failures=2)
    sandbox.misbehave(Fault(kind="503", times=12))
    assert night(audit, settings, make_claims(3), concurrency=1) == {State.ACCEPTED: 3}
    tries = Counter(row.claim_id for row in rows(audit, submission))
    assert sum(tries.values()) == 15
    assert max(tries.values()) > 2


def test_what_failed_before_the_pause_does_not_count_among_the_attempts_after_it(sandbox: Sandbox, audit: Engine):
    """Two failures, an answer that lets all go on, and one more failure of the claim that was tried before."""
    settings = brittle(sandbox, attempts=2, breaker_failures=2)
    sandbox.misbehave(Fault(kind="503", times=2), Fault(kind="503", skip=1, times=1))
    assert night(audit, settings, make_claims(2), concurrency=2) == {State.ACCEPTED: 2}
    assert met(sandbox) == 3


def test_the_attempts_of_a_claim_are_used_up_while_others_are_answered(sandbox: Sandbox, audit: Engine):
    """A server that fails at one claim is not down."""
    settings = brittle(sandbox, attempts=3)
    sandbox.misbehave(Fault(kind="503", times=3))
    assert night(audit, settings, make_claims(3), concurrency=1) == {State.RETRY: 1, State.ACCEPTED: 2}
    assert len(rows(audit, submission)) == 5


def test_one_answer_between_failures_keeps_sending_from_pausing(sandbox: Sandbox, audit: Engine):
    settings = brittle(sandbox, attempts=10, breaker_pause_seconds=600)
    sandbox.misbehave(Fault(kind="503", times=3), Fault(kind="503", skip=1, times=3))
    assert night(audit, settings, make_claims(5), concurrency=1) == {State.ACCEPTED: 5}


def test_nothing_is_sent_during_the_pause_and_the_brake_ends_the_wait(sandbox: Sandbox, audit: Engine):
    """A pause that outlasts the test: those tried wait with the rest, until the delivery is left."""
    settings = brittle(sandbox, breaker_pause_seconds=600)
    sandbox.misbehave(Fault(kind="503"))
    paused = threading.Event()
    with delivering(audit, settings, make_claims(6), 4, lambda _: paused.set()):
        assert paused.wait(30)
    tried = {row.claim_id for row in rows(audit, submission)}
    assert met(sandbox) == len(rows(audit, submission)) <= 4 + 3  # until it opened, and under way by then
    assert standing(audit) == {State.RETRY: len(tried), State.READY: 6 - len(tried)}
    assert len(tried) <= 4


def test_after_the_pause_one_claim_probes_while_all_others_wait(sandbox: Sandbox, audit: Engine):
    settings = brittle(sandbox, breaker_pause_seconds=0.1, breaker_probes=5)
    sandbox.misbehave(Fault(kind="503"))
    sandbox.change(latency_ms=20)
    paused = []
    with (
        pytest.raises(StopRun),
        delivering(audit, settings, make_claims(40), 8, lambda _: paused.append(now())) as delivery,
    ):
        delivery.finish()
    assert len(paused) == 5  # the first, and one after each failed probe but the last
    probes = [row for row in rows(audit, submission) if row.sent_at >= paused[0]]
    assert 4 <= len(probes) <= 5
    for one, next_one in pairwise(sorted(probes, key=lambda row: row.sent_at)):
        assert (next_one.sent_at - one.answered_at).total_seconds() >= 0.095
    assert met(sandbox) <= 4 + 7 + 5  # until it opened, under way by then, probes


def test_a_server_that_was_gone_and_comes_back_is_found_by_a_probe(audit: Engine, tmp_path: Path):
    told: list[str] = []
    gone = threading.Event()
    with running_sandbox(journal=str(tmp_path / "journal"), latency_ms=5) as sandbox:

        def go(_: Counter[State]) -> None:
            if not gone.is_set():
                gone.set()
                sandbox.kill()

        def come_back(message: Message) -> None:
            told.append(message.en)
            if len(told) == 1:
                sandbox.restart()

        settings = brittle(sandbox)
        with delivering(audit, settings, make_claims(60), 4, come_back, go) as delivery:
            delivery.finish()
        assert "pauses" in told[0]
        assert told[-1] == "MOPH Claim answers again: sending goes on."
        # What met the dying connections may have been taken: the next run asks.
        stand = standing(audit)
        assert stand[State.ACCEPTED] + stand[State.IN_DOUBT] == 60
        assert stand[State.IN_DOUBT] <= 4
        night(audit, settings)
        assert standing(audit) == {State.ACCEPTED: 60}
        assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == 60


# An outage that outlasts the run.


def test_when_the_api_cannot_be_reached_the_run_ends_in_good_order_and_nothing_is_lost(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    down = brittle(sandbox, api_url=f"http://127.0.0.1:{closed_port()}", breaker_probes=3)
    said = sent_in_vain(down, audit, claims=make_claims(100))
    assert "Sending failed 7 times in a row, the last 3 of them after a pause each" in said
    assert "MOPH Claim could not be reached" in said
    assert "goes in the next run by itself" in said
    stand = standing(audit)
    assert set(stand) == {State.READY, State.RETRY}
    assert stand.total() == 100
    assert stand[State.RETRY] <= 4 + 3  # those the four connections had in hand, and each probe is another
    assert stand[State.RETRY] == len({row.claim_id for row in rows(audit, submission)})
    assert rows(audit, run)[0].message_en == said
    assert night(audit, api) == {State.ACCEPTED: 100}


@pytest.mark.parametrize(
    ("kind", "left"), [("503", State.RETRY), ("500", State.IN_DOUBT), ("timeout_before", State.IN_DOUBT)]
)
def test_after_an_outage_that_lasts_each_claim_stands_as_what_was_tried_of_it_says(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, kind: FaultKind, left: State
):
    settings = brittle(sandbox, breaker_probes=2, read_timeout_seconds=0.2)
    sandbox.misbehave(Fault(kind=kind, on=("submit", "eligibility"), hold_seconds=0.4))
    sent_in_vain(settings, audit, claims=make_claims(60))
    tried = {row.claim_id for row in rows(audit, submission)}
    assert {row.id for row in rows(audit, claim, state=left)} == tried
    assert standing(audit) == {left: len(tried), State.READY: 60 - len(tried)}
    sandbox.misbehave()
    assert night(audit, api) == {State.ACCEPTED: 60}
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == 60


def test_a_claim_in_doubt_that_only_waited_is_still_in_doubt(sandbox: Sandbox, audit: Engine):
    """Each of the four connections has a claim in doubt in hand; one that waits at the breaker is not sent again."""
    sandbox.misbehave(Fault(kind="reset_after", times=4))
    night(audit, settings_for(sandbox), make_claims(4))
    assert standing(audit) == {State.IN_DOUBT: 4}
    sandbox.misbehave(Fault(kind="503"))
    settings = brittle(sandbox, breaker_failures=1, breaker_probes=1, ask_eligibility=False)
    sent_in_vain(settings, audit, concurrency=1)
    assert standing(audit) == {State.IN_DOUBT: 4}
    assert len(rows(audit, submission)) == 4 + 2


# The question and the breaker.


@pytest.mark.parametrize("kind", ["500", "not_found", "reset_before"])
def test_a_question_nobody_answers_does_not_keep_sending_from_going_on(
    sandbox: Sandbox, audit: Engine, kind: FaultKind
):
    """After an outage every claim tried is asked about first: were that a probe, it would fail for ever."""
    sandbox.misbehave(Fault(kind="500", times=6), Fault(kind=kind, on=("eligibility",)))
    assert night(audit, brittle(sandbox, breaker_probes=3), make_claims(30)) == {State.ACCEPTED: 30}


def test_a_claim_that_was_asked_about_while_sending_paused_waits_with_the_rest(sandbox: Sandbox, audit: Engine):
    sandbox.misbehave(Fault(kind="reset_before", times=1))
    assert night(audit, settings_for(sandbox), [make_claim()]) == {State.IN_DOUBT: 1}
    sandbox.misbehave(Fault(kind="503"), Fault(kind="timeout_after", on=("eligibility",), hold_seconds=0.5))
    paused = threading.Event()
    settings = brittle(sandbox, breaker_pause_seconds=600)
    with delivering(audit, settings, make_claims(2), 2, lambda _: paused.set()):
        assert paused.wait(30)
    asked_about, other = rows(audit, claim)
    assert (asked_about.state, other.state) == (State.IN_DOUBT, State.RETRY)
    assert [row.call for row in rows(audit, submission, claim_id=asked_about.id)] == ["submit", "eligibility"]


def test_answers_to_questions_do_not_hide_that_no_claim_is_taken(sandbox: Sandbox, audit: Engine):
    sandbox.misbehave(Fault(kind="500"))
    said = sent_in_vain(brittle(sandbox, breaker_probes=3), audit, claims=make_claims(4))
    assert "Sending failed" in said
    assert sandbox.stats()["requests"]["eligibility/dm"]["200 success"] >= 3
    assert standing(audit)[State.IN_DOUBT] <= 4


def test_a_probe_that_finds_the_claim_taken_lets_all_go_on(sandbox: Sandbox, audit: Engine):
    sandbox.misbehave(Fault(kind="500_after", times=4))
    settings = brittle(sandbox, breaker_probes=1)
    assert night(audit, settings, make_claims(20)) == {State.ACCEPTED: 20}
    assert sandbox.stats()["received"] == 20


# What the person at the screen is told.


def test_it_is_told_when_sending_pauses_and_when_it_goes_on(sandbox: Sandbox, audit: Engine):
    sandbox.misbehave(Fault(kind="503", times=5))
    told: list[Message] = []
    with delivering(audit, brittle(sandbox), make_claims(8), 1, told.append) as delivery:
        delivery.finish()
    assert [message.en.split(":")[0] for message in told] == [
        "Sending failed 4 times in a row (the last time",
        "Sending failed 5 times in a row (the last time",
        "MOPH Claim answers again",
    ]
    assert "0.02" in told[0].en
    assert all(message.th != message.en and "{" not in message.th + message.en for message in told)


# The breaker alone: what came late.


@pytest.fixture
def stop_signal() -> StopSignal:
    return StopSignal()


def opened(stop_signal: StopSignal, probes: int = 2) -> tuple[Breaker, int, list[str]]:
    """A breaker that has opened, the generation before that, and which messages it gave."""
    told: list[str] = []
    settings = ApiSettings(breaker_failures=2, breaker_pause_seconds=0, breaker_probes=probes)
    breaker = Breaker(
        settings, stop_signal, lambda message: told.append("answers" if "answers" in message.en else "failed")
    )
    before = breaker.acquire()
    assert before is not None
    breaker.record_result(before, Outcome.RETRY, next(CLAIM_IDS))
    breaker.record_result(before, Outcome.IN_DOUBT, next(CLAIM_IDS))
    assert told == ["failed"]
    return breaker, before, told


def test_a_failure_that_was_under_way_when_sending_paused_is_no_failed_probe(stop_signal: StopSignal):
    breaker, before, _ = opened(stop_signal)
    probe = breaker.acquire()
    for _ in range(10):
        breaker.record_result(before, Outcome.RETRY, next(CLAIM_IDS))
    assert not stop_signal.stopped()
    assert probe is not None
    assert breaker.is_current(probe)
    assert not breaker.is_current(before)


def test_an_answer_that_was_under_way_when_sending_paused_lets_all_go_on(stop_signal: StopSignal):
    breaker, before, told = opened(stop_signal)
    breaker.record_result(before, Outcome.ACCEPTED, next(CLAIM_IDS))
    assert told == ["failed", "answers"]
    assert breaker.acquire() == breaker.acquire()


def test_a_failure_from_before_the_pause_does_not_count_after_it(stop_signal: StopSignal):
    breaker, before, told = opened(stop_signal)
    probe = breaker.acquire()
    assert probe is not None
    breaker.record_result(probe, Outcome.HELD, next(CLAIM_IDS))
    for _ in range(10):
        breaker.record_result(before, Outcome.IN_DOUBT, next(CLAIM_IDS))
    breaker.record_result(probe, Outcome.RETRY, next(CLAIM_IDS))
    assert told == ["failed", "answers"]


def test_failed_probes_with_a_good_one_between_do_not_end_the_run(stop_signal: StopSignal):
    breaker, _, told = opened(stop_signal)
    for outcome in (Outcome.RETRY, Outcome.FINAL, Outcome.RETRY, Outcome.RETRY, Outcome.RETRY):
        generation = breaker.acquire()
        assert generation is not None
        breaker.record_result(generation, outcome, next(CLAIM_IDS))
    assert not stop_signal.stopped()
    assert told == ["failed", "failed", "answers", "failed", "failed"]


def test_those_who_wait_for_a_probe_wake_when_sending_is_stopped(stop_signal: StopSignal):
    breaker, _, _ = opened(stop_signal)
    assert breaker.acquire() is not None
    given: list[int | None] = []
    waiting = [threading.Thread(target=lambda: given.append(breaker.acquire())) for _ in range(3)]
    for thread in waiting:
        thread.start()
    stop_signal.stop(None)
    for thread in waiting:
        thread.join(30)
    assert given == [None] * 3

"""Any interleaving of runs, answers, faults and crashes: accepted at most once, and in the ledger.

A state machine in hypothesis' sense: a few examples in `make test`, many in `make test-slow`. `INTERLEAVINGS=20 pytest
tests/load/test_load_interleavings.py` tries twenty times as many, and others.
"""

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from itertools import count
from threading import Event, Thread
from typing import Any, get_args

import load_night
import pytest
from databases import SQLITE_FIRST
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from interleaving import Process, Way, ended_in_order, night
from ledger_steps import give_up
from load_night import DAY, holding, let_leases_run_out, make_claim, rows, settings_for, standing
from sqlalchemy import Engine

from core.clock import now
from load.account_center import TokenSource
from load.batch import Batch, SubmissionRecord, SubmissionResult
from load.breaker import StopSignal
from load.chain import ChainEnd, beginning, link
from load.delivery import Delivery
from load.errors import FacilityBusy, StopRun
from load.ledger import Ledger
from load.moph_claim_api import Exchange
from load.outcomes import Answer, Outcome, meanings
from load.queue import DueClaim
from load.settings import ApiSettings
from load.states import ACCEPTED_STATES, CLOSED_STATES, DUE, FAILED, State
from load.tables import claim, claim_history, facility_lock, run, submission
from load.verify import verify
from sandbox.process import Sandbox
from sandbox.world import Account, Fault, FaultKind
from transform.claim import KINDS, Claim, Kind

TIMES = int(os.environ.get("INTERLEAVINGS", "0"))
DAYS = (DAY, DAY + timedelta(1))
_hcodes = count(60_000)


@pytest.fixture(params=SQLITE_FIRST)
def each_audit(request: pytest.FixtureRequest, shared_audits: Callable[[str], Engine]) -> Engine:
    return shared_audits(request.param)


@dataclass(frozen=True)
class Visit:
    """One visit as the HIS has it."""

    number: int
    kind: Kind
    person: int
    day: date = DAY
    given: bool = True
    marriage: str = "1"

    def claim(self, hcode: str) -> Claim:
        return make_claim(self.number, self.kind, day=self.day, person=self.person, hcode=hcode, marriage=self.marriage)


# Two of one person, of which MOPH Claim takes one: they are less than three months apart.
HOSPITAL = (
    Visit(1, "dm", person=1),
    Visit(2, "ht", person=2),
    Visit(3, "epi", person=3),
    Visit(4, "dm", person=1, day=DAYS[1]),
    Visit(5, "dt", person=1, day=DAYS[1]),
)
visits = st.sampled_from([v.number for v in HOSPITAL])


@st.composite
def a_fault(draw: st.DrawFn) -> Fault:
    kind: FaultKind = draw(st.sampled_from(get_args(FaultKind)))
    on = draw(st.sampled_from([("submit",), ("submit", "eligibility"), ("eligibility",), ("submit",), ("token",)]))
    times = 1 if kind.startswith(("timeout", "silent", "drip")) else draw(st.integers(1, 3))
    retry_after = draw(st.sampled_from([None, "0", "3600"])) if kind in ("429", "503") else None
    skip = draw(st.integers(0, 3))
    return Fault(kind=kind, on=on, times=times, skip=skip, retry_after=retry_after, hold_seconds=1)


faults = st.lists(a_fault(), max_size=4)


@dataclass
class Clock:
    """The machine's clock, which a test can put forward."""

    hours: int = 0

    def __call__(self) -> float:
        return time.monotonic() + self.hours * 3600


class Interleavings(RuleBasedStateMachine):
    """One facility, its HIS, MOPH Claim, and the processes that stand between."""

    def __init__(self, sandbox: Sandbox, audit: Engine, clock: Clock) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.audit = audit
        self.clock = clock
        self.hcode = str(next(_hcodes))
        self.his = {v.number: v for v in HOSPITAL}
        self.people = {self.of_person(number) for number in self.his}  # all that a visit has ever been said to be of
        self.frozen: list[Process] = []
        self.settled: dict[int, int] = {}  # how often a claim had come in when it was settled
        sandbox.reset()

    @initialize(
        asks=st.booleans(),
        second=st.sampled_from(["refused", "same_uid"]),
        uid=st.sampled_from(["when_taken", "never"]),
        concurrency=st.sampled_from([1, 3]),
        breaker=st.sampled_from([2, 20]),
    )
    def begin(self, asks: bool, second: str, uid: str, concurrency: int, breaker: int) -> None:
        self.sandbox.change(second_submission=second, eligibility_uid=uid)
        self.concurrency = concurrency
        self.api = {"ask_eligibility": asks, "attempts": 2, "backoff_seconds": 0.002}
        self.api |= {"breaker_failures": breaker, "breaker_pause_seconds": 0.01, "breaker_probes": 2}

    # The hospital.

    @rule(
        number=visits,
        change=st.sampled_from(
            [{"given": False}, {"given": True}, {"marriage": "2"}, {"marriage": "married"}, {"person": 9}]
        ),
    )
    def visit_changes(self, number: int, change: dict[str, Any]) -> None:
        """MOPH Claim refuses "married" as invalid; a visit may turn out to be another person's."""
        self.his[number] = replace(self.his[number], **change)
        self.people.add(self.of_person(number))

    def of_person(self, number: int) -> tuple[str, ...]:
        of_visit = self.his[number].claim(self.hcode)
        return of_visit.vn, of_visit.pid, of_visit.kind, of_visit.item

    @rule(missing=st.sets(visits, max_size=2))
    def closing_codes_come_or_miss(self, missing: set[int]) -> None:
        vns = [self.his[number].claim(self.hcode).vn for number in missing]
        self.sandbox.change(no_closing_code_visits=vns)

    # Runs. Every one meets its own misbehaviour.

    @rule(faults=faults, way=st.sampled_from(get_args(Way)), at=st.integers(12, 50))
    def run_is_interrupted(self, faults: list[Fault], way: Way, at: int) -> None:
        self.leases_run_out()
        self.process(faults, way, at)

    @rule(faults=faults, failed_only=st.booleans(), give_up=st.booleans())
    def run_goes_on_to_its_end(self, faults: list[Fault], failed_only: bool, give_up: bool) -> None:
        self.leases_run_out()
        self.process(faults, failed_only=failed_only, give_up=give_up)

    @rule()
    def impatient_rerun(self) -> None:
        """While another holds the facility, dead or alive, nothing happens."""
        held = self.holders()
        before = self.sandbox.stats()["received"]
        busy = isinstance(self.process(()).failure, FacilityBusy)
        assert busy == bool(held)
        assert not busy or self.sandbox.stats()["received"] == before

    @rule(first=st.booleans(), dies_after=st.integers(0, 8))
    def frozen_run_wakes(self, first: bool, dies_after: int) -> None:
        """Once another may hold its facility, it sends nothing but what was on its way."""
        if not self.frozen:
            return
        process = self.frozen.pop(0 if first else -1)
        holds = process.run is None or process.run.id in self.holders()
        before = self.sandbox.stats()["received"]
        about_to_leave = process.wake(dies_after)
        self.ended(process)
        if not holds:
            assert self.sandbox.stats()["received"] - before <= about_to_leave
            self.settled.clear()

    @rule(number=visits, change=st.sampled_from([{}, {"marriage": "3"}, {"marriage": "married"}]))
    def workbook_is_imported(self, number: int, change: dict[str, Any]) -> None:
        """A person writes the visit down, as the HIS has it or otherwise; it goes with the next run."""
        self.leases_run_out()
        written = replace(self.his[number], **change)
        with holding(self.audit, hcode=self.hcode) as hold:
            ledger = Ledger(self.audit, hold)
            ledger.writer.recover()
            ledger.intake.register(written.day, KINDS, [written.claim(self.hcode)], origin="workbook")

    def leases_run_out(self) -> None:
        let_leases_run_out(self.audit)
        self.clock.hours += 2

    def process(
        self,
        faults: Sequence[Fault],
        way: Way = "dies",
        at: int = 0,
        *,
        failed_only: bool = False,
        give_up: bool = False,
    ) -> Process:
        """A run in a process of its own, to its end or until it stands still."""
        self.sandbox.change(faults=faults, accounts=[Account(hospital_code=self.hcode)])
        patience = 0.25 if any(f.kind.startswith("timeout") for f in faults) else 10.0
        settings = settings_for(self.sandbox, read_timeout_seconds=patience, **self.api)
        claims = [v.claim(self.hcode) for v in self.his.values() if v.given]
        options: Any = {"states": FAILED if failed_only else DUE, "concurrency": self.concurrency}
        options["give_up_before"] = DAYS[-1] if give_up else DAYS[0]
        started = Process(self.audit, way, at).start(
            lambda process: night(process, settings, self.hcode, claims, DAYS, **options)
        )
        if started.frozen:
            self.frozen.append(started)
        else:
            self.ended(started)
        return started

    def ended(self, process: Process) -> None:
        if not ended_in_order(process):
            assert process.failure is not None
            raise process.failure

    def holders(self) -> list[str]:
        return [r.run_id for r in rows(self.audit, facility_lock, hcode=self.hcode) if r.expires_at > now()]

    @rule()
    def person_settles(self) -> None:
        """The person looks it up at MOPH Claim."""
        taken = self.taken()
        presumed = rows(self.audit, claim, hcode=self.hcode, state=State.PRESUMED_ACCEPTED)
        if not presumed:
            return
        self.leases_run_out()
        with holding(self.audit, hcode=self.hcode) as hold:
            ledger = Ledger(self.audit, hold)
            for row in presumed:
                uid = taken.get(key(row))
                ledger.writer.settle(
                    [row.id], State.ACCEPTED if uid else State.READY, transaction_uid=uid, note="looked it up"
                )

    # What always holds.

    def taken(self) -> dict[tuple[str, ...], str]:
        accepted = self.sandbox.accepted()
        taken = {(t["hcode"], t["kind"], t["seq"], t["item"]): t["transaction_uid"] for t in accepted}
        assert len(taken) == len(accepted), "MOPH Claim took a claim twice"
        return taken

    def served(self, taken: Collection[tuple[str, ...]]) -> set[tuple[str, ...]]:
        """Who may have been claimed for, and what."""
        vns = {vn for _, _, vn, _ in taken}
        return {tuple(of_whom) for vn, *of_whom in self.people if vn in vns}

    @invariant()
    def accepted_at_most_once_and_in_the_ledger(self) -> None:
        taken = self.taken()
        ledger = {key(row): row for row in rows(self.audit, claim, hcode=self.hcode)}
        for k in taken:
            row = ledger[k]
            known = row.state in (*ACCEPTED_STATES, State.SENDING, State.IN_DOUBT) or row.possibly_accepted
            assert known, f"{k} was taken and stands as {row.state}"
        people = self.served(taken)
        for k, row in ledger.items():
            if row.state == State.ACCEPTED:
                assert taken.get(k) == row.transaction_uid
            if row.state == State.PRESUMED_ACCEPTED:  # or MOPH Claim has taken another of that person's
                assert (row.pid, row.kind, row.item) in people
            assert row.tries >= 0

    @invariant()
    def what_is_settled_does_not_go_again(self) -> None:
        received = self.sandbox.received()
        times = {row.id: received.get(key(row), 0) for row in self.standing(CLOSED_STATES)}
        self.settled = {i: self.settled.get(i, t) for i, t in times.items()}
        assert self.settled == times

    def standing(self, states: Sequence[State]) -> list[Any]:
        return [row for row in rows(self.audit, claim, hcode=self.hcode) if row.state in states]

    @invariant()
    def history_leads_to_where_a_claim_stands(self) -> None:
        for row in rows(self.audit, claim, hcode=self.hcode):
            life = rows(self.audit, claim_history, claim_id=row.id)
            assert [s.before for s in life] == [None, *(s.after for s in life[:-1])]
            assert life[-1].after == row.state

    @invariant()
    def chain_of_submissions_fits(self) -> None:
        for r in rows(self.audit, run, hcode=self.hcode):
            ends = [beginning(r.id)]
            for row in rows(self.audit, submission, run_id=r.id):
                assert (row.number, row.previous_hash) == (ends[-1].number + 1, ends[-1].hash)
                ends.append(ChainEnd(row.number, link(row._mapping)))
                assert row.hash == ends[-1].hash
            # A run that was taken for dead may have added to its chain, and died before it could say so.
            assert r.exchanges is None or ends[r.exchanges].hash == r.chain_hash

    # The end: everybody behaves.

    def teardown(self) -> None:
        for process in self.frozen:  # all of them, or their threads would outlive a failed test
            process.wake()
        for process in self.frozen:
            self.ended(process)
        self.closing_codes_come_or_miss(set())
        self.leases_run_out()
        for _ in range(3):
            assert self.process(()).failure is None
        self.accepted_at_most_once_and_in_the_ledger()
        assert not self.standing([State.SENDING, *DUE])
        taken = self.taken()
        people = self.served(taken)
        for v in self.his.values():
            of_visit = v.claim(self.hcode)
            if not v.given or v.marriage == "married" or of_visit.key in taken:
                continue
            [row] = rows(self.audit, claim, hcode=self.hcode, vn=of_visit.vn)
            another = (row.pid, row.kind, row.item) in people
            assert another or row.state == State.GIVEN_UP, f"{of_visit.key} stands as {row.state}"


def key(row: Any) -> tuple[str, str, str, str]:
    return row.hcode, row.kind, row.vn, row.item


@pytest.mark.hypothesis
def test_any_interleaving_keeps_accepted_at_most_once_and_in_the_ledger(
    sandbox: Sandbox, each_audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock()
    monkeypatch.setattr("load.runs.uptime", clock)
    monkeypatch.setattr("load.delivery_writer.GATHER_SECONDS", 0.002)
    # Each is a dozen runs, not one call; a server takes longer for them.
    examples = settings.default.max_examples // (3 if each_audit.dialect.name == "sqlite" else 10)
    run_state_machine_as_test(
        partial(Interleavings, sandbox, each_audit, clock),
        settings=settings(
            max_examples=examples * (TIMES or 1),
            stateful_step_count=12,
            derandomize=not TIMES,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


# What the search, or thought, has found: each is one interleaving, step by step.


def send(ledger: Ledger, api: ApiSettings, due: Sequence[DueClaim]) -> None:
    with Delivery(api, ledger, TokenSource(api, "10953"), 1) as delivery:
        delivery.send_chunk(1, due)
        delivery.finish()


def due_now(ledger: Ledger) -> list[DueClaim]:
    return ledger.queue.due(DUE, KINDS, DAY, DAY, 10)


def test_an_answer_that_comes_late_does_not_end_the_run_that_was_about_to_ask(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    with holding(audit) as silent_run:
        silent = Ledger(audit, silent_run)
        silent.intake.register(DAY, KINDS, [make_claim()])
        silent.writer.write(Batch(intents=due_now(silent)))
        let_leases_run_out(audit)
        with holding(audit) as present_run:
            present = Ledger(audit, present_run)
            present.writer.recover()
            due = due_now(present)
            silent.writer.write(
                Batch(results=[SubmissionResult(due[0].id, State.ACCEPTED, meanings()[0], "success", "number", False)])
            )
            send(present, api, due)
    assert standing(audit) == {State.ACCEPTED: 1}
    assert sandbox.stats()["received"] == 0


def test_a_run_that_has_lost_its_facility_registers_nothing(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    with holding(audit) as silent_run:
        let_leases_run_out(audit)
        with holding(audit) as present_run:
            present = Ledger(audit, present_run)
            present.intake.register(DAY, KINDS, [make_claim()])
            due = due_now(present)
            with suppress(StopRun):
                Ledger(audit, silent_run).intake.register(DAY, KINDS, [])
            send(present, api, due)
    assert standing(audit) == {State.ACCEPTED: 1}


def test_a_run_that_has_lost_its_facility_sends_no_claim_again(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    """It stood still in the pause between two sendings."""
    paused, go_on = Event(), Event()

    def pause(_stop_signal: StopSignal, _seconds: float) -> None:
        paused.set()
        assert go_on.wait(300)

    monkeypatch.setattr(StopSignal, "wait", pause)
    sandbox.misbehave(Fault(kind="503", times=1))

    def run_silent() -> None:
        with suppress(StopRun):
            load_night.night(audit, api, [make_claim()])

    silent = Thread(target=run_silent)
    silent.start()
    assert paused.wait(300)
    let_leases_run_out(audit)
    assert load_night.night(audit, api) == {State.ACCEPTED: 1}
    monkeypatch.setattr("load.runs.uptime", Clock(hours=2))
    go_on.set()
    silent.join()
    assert sandbox.stats()["received"] == 1


def test_a_claim_that_may_have_been_taken_does_not_go_for_another_person(sandbox: Sandbox, audit: Engine):
    once = settings_for(sandbox, attempts=1)
    sandbox.misbehave(Fault(kind="500_after", times=1))
    assert load_night.night(audit, once, [make_claim()]) == {State.IN_DOUBT: 1}
    sandbox.change(no_closing_code_visits=[make_claim().vn], eligibility_uid="never")
    assert load_night.night(audit, once) == {State.HELD: 1}
    sandbox.change(no_closing_code_visits=[])
    load_night.night(audit, once, [make_claim(person=2)])
    assert sandbox.stats()["accepted"] == 1


def test_two_claims_in_doubt_are_not_both_accepted_under_one_number(sandbox: Sandbox, audit: Engine):
    """One person, one vaccine, one minute: a visit that was registered twice, of which MOPH Claim took one."""
    once = settings_for(sandbox, attempts=1)
    sandbox.misbehave(Fault(kind="500", times=1), Fault(kind="500_after", times=1))
    twice = [make_claim(1, "epi", person=1), make_claim(2, "epi", person=1)]
    assert load_night.night(audit, once, twice, concurrency=1) == {State.IN_DOUBT: 2}
    load_night.night(audit, once, concurrency=1)
    [taken] = sandbox.accepted()
    for row in rows(audit, claim, state=State.ACCEPTED):
        assert (row.vn, row.transaction_uid) == (taken["seq"], taken["transaction_uid"])


def test_a_claim_given_up_that_may_have_been_taken_is_still_so_when_a_person_sends_it_again(
    sandbox: Sandbox, audit: Engine
):
    once = settings_for(sandbox, attempts=1)
    sandbox.misbehave(Fault(kind="500_after", times=1))
    load_night.night(audit, once, [make_claim()])
    sandbox.change(no_closing_code_visits=[make_claim().vn], eligibility_uid="never")
    load_night.night(audit, once)
    with holding(audit) as hold:
        ledger = Ledger(audit, hold)
        assert give_up(audit, hold, DAY + timedelta(1)) == 1
        ledger.writer.settle([rows(audit, claim)[0].id], State.READY, transaction_uid=None, note="once more")
    sandbox.change(no_closing_code_visits=[])
    load_night.night(audit, once)
    assert standing(audit) == {State.PRESUMED_ACCEPTED: 1}


def test_a_late_answer_is_not_taken_for_a_forged_one(audit: Engine):
    with holding(audit) as silent_run:
        silent = Ledger(audit, silent_run)
        silent.intake.register(DAY, KINDS, [make_claim()])
        [due] = due_now(silent)
        silent.writer.write(Batch(intents=[due]))
        let_leases_run_out(audit)
        with holding(audit):
            accepted = Answer(Outcome.ACCEPTED, meanings()[0], "success", "number")
            answer = Exchange("submit", "/", due.payload, now(), now(), 200, "", accepted)
            silent.writer.write(Batch(records=[SubmissionRecord(due.id, 1, 1, due.payload_hash, answer)]))
            assert verify(audit, "sandbox").mismatch is None


def test_a_claim_can_be_given_up_in_a_file(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    sandbox.change(no_closing_code_visits=[make_claim().vn])
    load_night.night(audit, api, [make_claim()])
    with holding(audit) as hold:
        give_up(audit, hold, DAY + timedelta(1))
    assert standing(audit) == {State.GIVEN_UP: 1}

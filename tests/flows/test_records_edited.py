"""The hospital edits its records between the runs, and MOPH Claim answers as it likes: what goes is what the records say.

A state machine in hypothesis' sense: a few examples in `make test`, many in `make test-slow`. `RECORDS_EDITED=20 pytest
tests/flows/test_records_edited.py` tries twenty times as many, and others.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from databases import SQLITE_FIRST
from edited_hospital import CREATININE, HBA1C, NOT_OF_THE_SERVER, PEOPLE, Hospital, Hosxp, Jhcis, Key, Said, Visit
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from night_shift import DAYS, FIRST_DAY, LAST_DAY, Site
from officer import fill
from records_edited import Calendar, Done, Runs, site_of
from workbook_samples import cid

from flows.parameters import LOOK_BACK_DAYS
from flows.settings.read import read_settings
from load.database import open_audit
from load.states import DUE, FOR_A_PERSON, State
from sandbox.his import build_hosxp, build_jhcis
from sandbox.process import Sandbox
from sandbox.world import Account, Fault, FaultKind

TIMES = int(os.environ.get("RECORDS_EDITED", "0"))
_hcodes = count(20_001)


VISITS: dict[str, dict[str, Any]] = {
    "diabetes": {"icd10": ("E119",), "results": {HBA1C: "7.2"}},
    "hypertension": {"icd10": ("I10",), "results": {CREATININE: "1.1"}},
    "both": {"icd10": ("E119", "I10"), "results": {HBA1C: "7.2", CREATININE: "1.1"}},
    "vaccine": {"dose": "041"},
    "vaccine that the server does not take": {"dose": NOT_OF_THE_SERVER},
    "dT": {"dose": "106", "icd10": ("Z235",)},
}


def _results(visit: Visit, text: str) -> Visit:
    return replace(visit, results=dict.fromkeys(visit.results, text))


EDITS: dict[str, Callable[[Visit], Visit | None]] = {
    "deleted": lambda _: None,
    "another day": lambda v: replace(v, day=v.day - timedelta(1)),
    "a later day": lambda v: replace(v, day=v.day + timedelta(2)),
    "a day long past": lambda v: replace(v, day=v.day - timedelta(15)),
    "another person": lambda v: replace(v, person=v.person % len(PEOPLE) + 1),
    "another result": lambda v: _results(v, "8.4"),
    "unusable result": lambda v: _results(v, "Hemolysis"),
    "no result": lambda v: replace(v, results={}),
    "another diagnosis": lambda v: replace(v, icd10=tuple(dict.fromkeys((*v.icd10, "N183")))),
    "no diagnosis": lambda v: replace(v, icd10=("J00",)),
    "another right": lambda v: replace(v, right="OFC" if v.right == "UCS" else "UCS"),
    "another vaccine": lambda v: replace(v, dose="042" if v.dose else ""),
    "another lot": lambda v: replace(v, lot="L2"),
    "no lot": lambda v: replace(v, lot=""),
    "closing code": lambda v: replace(v, closed=True),
    "claimed by the HIS": lambda v: replace(v, his_uid=f"uid-{v.vn}"),
}
# What an officer types otherwise than the HIS has it.
TYPED: dict[str, Callable[[Visit], Visit]] = {
    "the same": lambda v: v,
    "another result": lambda v: _results(v, "9.1"),
    "another lot": lambda v: replace(v, lot="L3"),
    "another person": lambda v: replace(v, person=v.person % len(PEOPLE) + 1),
}
# Each is met by the requests of some people, until the server is in another mood.
MOODS: tuple[FaultKind, ...] = ("503", "hang_up_before", "500_after", "reset_after", "truncated_after", "504")


def _assert_as_planned(real: Done, dry: Done) -> None:
    """A run sends what the dry run before it has planned; what is asked about first goes if the answer lets it."""
    assert dry.asked == real.asked
    sent = real.claims - real.asked
    assert sent == dry.claims or (real.failure and sent <= dry.claims)


class RecordsEdited(RuleBasedStateMachine):
    """One facility from its first day on.

    Args:
        hospital: Its records.
        sandbox: The server.
        site: Its settings.
        calendar: What day it is.
    """

    visits = Bundle("visits")

    def __init__(self, hospital: Hospital, sandbox: Sandbox, site: Site, calendar: Calendar) -> None:
        super().__init__()
        self.hospital = hospital
        self.sandbox = sandbox
        self.calendar = calendar
        self.folder = site.folder
        self.numbers = count(101)
        self.falters = False
        self.typed: dict[Key, Said] = {}  # what the last workbook said
        self.promised: set[Key] = set()  # what a nightly run has had in its window
        hcode = str(next(_hcodes))
        calendar.begin()
        hospital.open(hcode)
        self.runs = Runs(read_settings(), hcode)
        sandbox.reset()
        # A claim that comes twice is taken twice: it would be seen.
        account = Account(hospital_code=hcode, token_seconds=10**9)
        sandbox.change(accounts=(account,), second_submission="taken_again")

    @initialize(target=visits, what=st.sampled_from([*VISITS]), closed=st.booleans())
    def first_night(self, what: str, closed: bool) -> str:
        vn = self.someone_comes(what, 1, closed, 0)
        self.one_night(1, dry_run_first=False)
        return vn

    @rule(
        target=visits,
        what=st.sampled_from([*VISITS]),
        person=st.sampled_from(PEOPLE),
        closed=st.booleans(),
        days_ago=st.integers(0, 8),
    )
    def visit(self, what: str, person: int, closed: bool, days_ago: int) -> str:
        return self.someone_comes(what, person, closed, days_ago)

    def someone_comes(self, what: str, person: int, closed: bool, days_ago: int) -> str:
        vn = str(next(self.numbers))
        day = self.calendar.today - timedelta(days_ago)
        self.hospital.put(Visit(vn, person, day, closed=closed, **VISITS[what]))
        return vn

    @rule(vn=visits, what=st.sampled_from([*EDITS]))
    def edit(self, vn: str, what: str) -> None:
        if visit := self.hospital.visits.get(vn):
            if edited := EDITS[what](visit):
                self.hospital.put(edited)
            else:
                self.hospital.remove(vn)

    @rule(mood=st.sampled_from([*MOODS, None, None]), people=st.sets(st.sampled_from(PEOPLE), min_size=1))
    def server(self, mood: FaultKind | None, people: set[int]) -> None:
        self.falters = mood is not None
        pids = tuple(cid(person) for person in sorted(people))
        self.sandbox.misbehave(*([Fault(kind=mood, people=pids)] if mood else ()))

    @rule(days=st.sampled_from([1, 1, 1, 2, 9, 35]), dry_run_first=st.booleans())
    def night(self, days: int, dry_run_first: bool) -> None:
        self.one_night(days, dry_run_first=dry_run_first)

    def one_night(self, days: int, *, dry_run_first: bool) -> None:
        self.calendar.pass_by(days)
        self._tell_closing_codes()
        dry = self.runs.submit(dry_run=True) if dry_run_first else None
        real = self.runs.submit()
        self._check_what_was_sent(real)
        if dry:
            assert dry.failure is None
            assert dry.issues == real.issues
            _assert_as_planned(real, dry)
        if real.failure is None:
            self._check_that_nothing_is_forgotten()

    @rule()
    def reconcile(self) -> None:
        self._tell_closing_codes()
        would_send, asked = self.runs.planned_reconcile()
        real = self.runs.reconcile()
        self._check_what_was_sent(real)
        assert asked == real.asked
        sent = len(real.claims - asked)
        assert sent == would_send or (real.failure and sent <= would_send)

    @rule(vn=visits, typed=st.sampled_from([*TYPED]))
    def import_workbook(self, vn: str, typed: str) -> None:
        visit = self.hospital.visits.get(vn)
        if not visit or not (visit.results or visit.dose) or visit.dose == NOT_OF_THE_SERVER:
            return
        # The sheets of vaccines have no diagnoses.
        visit = TYPED[typed](visit if visit.results else replace(visit, icd10=()))
        file = fill(self.folder / f"{next(self.numbers)}.xlsx", self.hospital.sheets(visit))
        self._tell_closing_codes()
        issues = self.runs.issues()
        dry, _ = self.runs.import_workbook(file, dry_run=True)
        assert dry.issues == issues
        real, made = self.runs.import_workbook(file)
        self.typed |= {key: said for key, said in self.hospital.records_of(visit) if key in made and said}
        self._check_what_was_sent(real)
        _assert_as_planned(real, dry)

    def _tell_closing_codes(self) -> None:
        without = tuple(v.vn for v in self.hospital.visits.values() if not v.closed)
        self.sandbox.change(no_closing_code_visits=without)

    def _check_what_was_sent(self, done: Done) -> None:
        """Every claim that was sent says what its record says now, or its workbook; and none was taken twice."""
        note(f"sent {sorted(done.claims)} {done.failure.message.en if done.failure else ''}")
        records = self.hospital.records()
        for row in self.runs.submitted(done):
            key = (row.kind, row.vn, row.item)
            expected = self.typed.get(key) if row.origin == "workbook" else records.get(key)
            assert Said.of(row.payload) == expected, f"{key} of the {row.origin}"
        taken = Counter((a["kind"], a["seq"], a["item"]) for a in self.sandbox.accepted())
        assert set(taken.values()) <= {1}, taken

    def _check_that_nothing_is_forgotten(self) -> None:
        """Every record that a nightly run has had before it is accepted, waiting for a reason, or listed."""
        records = self.hospital.records()
        first, last = self.calendar.today - timedelta(LOOK_BACK_DAYS), self.calendar.today - timedelta(1)
        in_window = {vn: visit for vn, visit in self.hospital.visits.items() if first <= visit.day <= last}
        self.promised = {key for key in records if key in self.promised or key[1] in in_window}
        claims = {(c.kind, c.vn, c.item): c for c in self.runs.claims()}
        accounted = {key for key, c in claims.items() if c.state in (State.ACCEPTED, *DUE, *FOR_A_PERSON)}
        forgotten = self.promised - accounted - {about[:3] for about in self.runs.issues()}
        assert not forgotten, {key: key in claims and claims[key].state for key in forgotten}
        may_go = {vn for vn, visit in in_window.items() if visit.closed and not self.falters}
        due = {key for key, c in claims.items() if c.state in DUE and c.origin == "his" and not c.maybe_taken}
        assert not {key for key in due if key[1] in may_go}


HOSPITALS: dict[str, type[Hospital]] = {"hosxp": Hosxp, "jhcis": Jhcis}


@pytest.fixture(params=SQLITE_FIRST)
def backend(request: pytest.FixtureRequest) -> str:
    """The HIS and the audit lie on this kind of server."""
    return str(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSPITALS)
def test_what_goes_is_what_the_records_say_and_nothing_is_forgotten(
    kind: str,
    backend: str,
    sandbox: Sandbox,
    database_on: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calendar = Calendar()
    monkeypatch.setattr("core.clock.datetime", calendar)
    his, audit = database_on(backend), database_on(backend)
    open_audit(audit).dispose()
    site = site_of(tmp_path, sandbox, his, kind, audit)
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    # Each is a dozen runs, not one call; a server takes longer for them.
    examples = settings.default.max_examples // (20 if backend == "sqlite" else 60)
    run_state_machine_as_test(
        partial(RecordsEdited, HOSPITALS[kind](his), sandbox, site, calendar),
        settings=settings(
            max_examples=max(1, examples) * (TIMES or 1),
            stateful_step_count=12,
            derandomize=not TIMES,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


BUILD = {"hosxp": build_hosxp, "jhcis": build_jhcis}


@pytest.mark.parametrize("kind", ["hosxp", pytest.param("jhcis", marks=pytest.mark.slow)])
def test_dry_and_real_give_the_same_list(
    kind: str,
    backend: str,
    sandbox: Sandbox,
    database_on: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All traps: before anything is accepted, and when much of it is, and some is held or refused."""
    his = database_on(backend)
    summary = BUILD[kind](his, first_day=FIRST_DAY, days=DAYS, visits_a_day=10)
    site = site_of(tmp_path, sandbox, his, kind, database_on(backend))
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    runs = Runs(read_settings(), summary.hcode)
    window: dict[str, Any] = {"date_from": FIRST_DAY, "date_to": LAST_DAY}
    for share in (0.3, 0.1):
        sandbox.change(no_closing_code_share=share)
        dry, real = runs.submit(dry_run=True, **window), runs.submit(**window)
        assert (dry.failure, real.failure) == (None, None)
        assert dry.claims == real.claims != set()
        assert dry.issues == real.issues != set()

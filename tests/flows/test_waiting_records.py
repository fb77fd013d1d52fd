"""A claim that waits goes as the hospital has it on the day it goes, or not at all; one test for each way to change."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from edited_hospital import HBA1C, Hosxp, Said, Visit
from officer import fill
from records_edited import Calendar, Runs, site_of

from flows.runs.settle import SettleRequest, settle_claim
from flows.settings.read import read_settings
from load.database import open_audit
from load.moph_claim_api import Exchange, MophClaimApi
from load.states import State
from load.token import Token
from sandbox.process import Sandbox
from sandbox.world import Account, Fault

pytestmark = pytest.mark.xdist_group("waiting_records")


class Ward:
    """A hospital with HOSxP, the program's runs, and the day."""

    def __init__(self, hospital: Hosxp, runs: Runs, sandbox: Sandbox, calendar: Calendar, folder: Path) -> None:
        self.hospital, self.runs, self.sandbox, self.calendar, self.folder = hospital, runs, sandbox, calendar, folder

    def comes(self, vn: str = "101", **said: Any) -> Visit:
        """A diabetic comes today, and has no closing code yet."""
        of_visit = {"person": 1, "icd10": ("E119",), "results": {HBA1C: "7.2"}, "closed": False} | said
        visit = Visit(vn, day=self.calendar.today - timedelta(of_visit.pop("days_ago", 0)), **of_visit)
        self.hospital.put(visit)
        return visit

    def night(self, days: int = 1, **asked: Any) -> None:
        """Some days later, the nightly run."""
        self.calendar.pass_by(days)
        self._tell()
        done = self.runs.submit(**asked)
        assert done.failure is None

    def reconcile(self) -> None:
        self._tell()
        assert self.runs.reconcile().failure is None

    def _tell(self) -> None:
        without = tuple(v.vn for v in self.hospital.visits.values() if not v.closed)
        self.sandbox.change(no_closing_code_visits=without)

    def edit(self, vn: str, **changes: Any) -> Visit:
        visit = replace(self.hospital.visits[vn], **changes)
        self.hospital.put(visit)
        return visit

    @property
    def states(self) -> dict[str, str]:
        return {c.vn: c.state for c in self.runs.claims()}

    @property
    def rules(self) -> set[tuple[str, str]]:
        """Visit and rule of each open issue."""
        return {(i[1], i[3]) for i in self.runs.issues()}

    @property
    def taken(self) -> list[dict[str, Any]]:
        return self.sandbox.accepted()

    def said(self) -> list[Said]:
        return [Said.of(c.payload) for c in self.runs.claims() if c.state == State.ACCEPTED]


@pytest.fixture
def ward(sandbox: Sandbox, database_on: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    calendar = Calendar()
    monkeypatch.setattr("core.clock.datetime", calendar)
    his, audit = database_on("sqlite"), database_on("sqlite")
    open_audit(audit).dispose()
    site = site_of(tmp_path, sandbox, his, "hosxp", audit)
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    hospital = Hosxp(his)
    hospital.open("20001")
    sandbox.reset()
    account = Account(hospital_code="20001", token_seconds=10**9)
    sandbox.change(accounts=(account,), second_submission="taken_again")
    return Ward(hospital, Runs(read_settings(), "20001"), sandbox, calendar, tmp_path)


CHANGES: dict[str, Callable[[Ward], object]] = {
    "deleted": lambda ward: ward.hospital.remove("101"),
    "diagnosis removed": lambda ward: ward.edit("101", icd10=("J00",), closed=True),
    "right changed": lambda ward: ward.edit("101", right="OFC", closed=True),
    "result taken out": lambda ward: ward.edit("101", results={}, closed=True),
}


@pytest.mark.parametrize(
    "change", ["deleted", *(pytest.param(change, marks=pytest.mark.slow) for change in CHANGES if change != "deleted")]
)
@pytest.mark.parametrize("days", [pytest.param(1, marks=pytest.mark.slow), 12])
def test_a_held_claim_that_the_hospital_took_back_does_not_go(ward: Ward, change: str, days: int):
    # Was: `reconcile` sent it as it was read weeks before, and it was accepted.
    ward.comes()
    ward.night()
    assert ward.states == {"101": "held"}
    CHANGES[change](ward)
    ward.sandbox.change(no_closing_code_visits=())
    ward.calendar.pass_by(days)
    assert ward.runs.reconcile().failure is None
    assert ward.states == {"101": "withdrawn"}
    assert ward.taken == []


@pytest.mark.parametrize(
    "changes",
    [
        {"results": {HBA1C: "8.4"}},
        pytest.param({"person": 2}, marks=pytest.mark.slow),
        pytest.param({"icd10": ("E119", "N183")}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_held_claim_goes_as_the_hospital_has_it_now(ward: Ward, changes: dict[str, Any]):
    # Was: with the former result, person and diagnosis.
    ward.comes()
    ward.night()
    ward.edit("101", closed=True, **changes)
    ward.calendar.pass_by(12)
    ward.reconcile()
    assert ward.states == {"101": "accepted"}
    assert ward.said() == [said for said in ward.hospital.records().values() if said]


@pytest.mark.slow
def test_a_held_claim_moved_to_another_day_goes_with_that_day(ward: Ward):
    visit = ward.comes()
    ward.night()
    moved = ward.edit("101", day=visit.day - timedelta(20), closed=True)
    ward.reconcile()
    assert ward.states == {"101": "accepted"}
    assert ward.said()[0].minute.startswith(f"{moved.day}")


@pytest.mark.slow
def test_without_the_his_its_claims_wait(ward: Ward, monkeypatch: pytest.MonkeyPatch):
    ward.comes()
    ward.night()
    ward.edit("101", closed=True)
    ward._tell()
    Path(ward.hospital.url.removeprefix("sqlite:///")).rename(ward.folder / "away")
    done = ward.runs.reconcile()
    assert done.failure is not None
    assert ward.states == {"101": "held"}
    assert ward.taken == []


@pytest.mark.slow
def test_a_refused_claim_mended_after_two_weeks_goes_in_the_next_night(ward: Ward):
    # Was: read again for seven days only, then never.
    ward.comes(closed=True, dose="815", icd10=(), results={})
    ward.night()
    assert ward.states == {"101": "correctable"}
    ward.night(14)
    ward.edit("101", dose="041")
    ward.night()
    assert {(c.item, c.state) for c in ward.runs.claims()} == {("815", "withdrawn"), ("041", "accepted")}


@pytest.mark.slow
def test_a_record_that_could_not_be_claimed_goes_once_it_is_mended_after_weeks(ward: Ward):
    # Was: never.
    ward.comes(closed=True, results={HBA1C: "Hemolysis"})
    ward.night()
    assert ward.rules == {("101", "lab.not_a_number")}
    ward.night(30)
    ward.edit("101", results={HBA1C: "7.0"})
    ward.night()
    assert ward.states == {"101": "accepted"}
    assert ward.rules == set()


@pytest.mark.slow
def test_a_dry_run_does_not_make_a_record_forgotten_that_was_mended_after_weeks(ward: Ward):
    ward.comes(closed=True, results={HBA1C: "Hemolysis"})
    ward.night()
    ward.night(30)
    ward.edit("101", results={HBA1C: "7.0"})
    # was never read again: the dry run closed its issue, and it is no claim yet
    assert ward.runs.submit(dry_run=True).claims == {("dm", "101", "")}
    ward.night()
    assert ward.states == {"101": "accepted"}


@pytest.mark.slow
def test_open_days_have_an_end(ward: Ward):
    ward.comes(closed=True, results={HBA1C: "Hemolysis"})
    ward.night()
    ward.edit("101", results={HBA1C: "7.0"})
    ward.night(61)
    assert ward.states == {}


def test_a_held_claim_makes_way_for_a_later_one_that_has_its_code(ward: Ward):
    # Was: the later was refused for the three months, until the held one was given up, and never looked at again.
    ward.comes("101")
    ward.night(3)
    ward.comes("102", closed=True)
    ward.night()
    assert ward.states == {"101": "withdrawn", "102": "accepted"}
    assert {vn for vn, _ in ward.rules} == {"101"}
    ward.edit("101", closed=True)
    ward.night()
    assert ward.states == {"101": "withdrawn", "102": "accepted"}
    assert ("101", "dm.interval") in ward.rules


@pytest.mark.slow
def test_a_held_claim_makes_no_way_for_a_refused_one_and_what_was_refused_does_not_go_again(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
):
    # Was: the two took each other's place night after night, and the refused data was sent again every other night.
    submit = MophClaimApi.submit

    def cut_short(api: MophClaimApi, service: str, payload: bytes, token: Token) -> Exchange:
        said = json.loads(payload)
        return submit(api, service, json.dumps({"seq": "102"}).encode() if said["seq"] == "102" else payload, token)

    monkeypatch.setattr(MophClaimApi, "submit", cut_short)
    ward.comes("101")
    ward.night(3)
    ward.comes("102", closed=True)
    ward.night()
    assert ward.states == {"101": "withdrawn", "102": "correctable"}
    for _ in range(2):
        ward.night()
        assert ward.states == {"101": "held", "102": "correctable"}
    assert {c.vn: c.tries for c in ward.runs.claims()}["102"] == 1
    assert ("101", "claim.set_aside") not in ward.rules


@pytest.mark.slow
def test_a_held_claim_of_a_workbook_makes_no_way(ward: Ward):
    # Was: withdrawn for good, for no night gives it again; the next night took back the word that said so.
    visit = Visit("201", 1, ward.calendar.today, icd10=("E119",), results={HBA1C: "7.2"}, closed=False)
    ward.sandbox.change(no_closing_code_visits=("201",))
    done, _ = ward.runs.import_workbook(fill(ward.folder / "one.xlsx", ward.hospital.sheets(visit)))
    assert done.failure is None
    ward.comes("102", closed=True, days_ago=-1)
    ward.calendar.pass_by(2)
    assert ward.runs.submit().failure is None
    assert ward.states == {"201": "held"}
    assert ("102", "dm.interval") in ward.rules


@pytest.mark.slow
def test_a_dry_run_lets_a_corrected_claim_make_way_that_still_waits(ward: Ward):
    # Was: the dry run would have sent the held one, the real run sent the other.
    ward.comes("101")
    ward.night()
    ward.comes("102", closed=True)
    ward.edit("101", results={HBA1C: "8.4"})
    ward.calendar.pass_by(1)
    ward._tell()
    assert ward.runs.submit(dry_run=True).claims == ward.runs.submit().claims == {("dm", "102", "")}


@pytest.mark.slow
def test_a_held_claim_stays_while_the_other_has_no_code_either_and_what_it_blocks_is_looked_at_again(ward: Ward):
    ward.comes("101")
    ward.night(3)
    ward.comes("102")
    ward.night()
    assert ward.states == {"101": "held"}
    assert ("102", "dm.interval") in ward.rules
    ward.night(15)
    ward.hospital.remove("101")
    ward.edit("102", closed=True)
    ward.night()
    assert ward.states == {"101": "withdrawn", "102": "accepted"}


def test_of_two_visits_of_a_day_the_one_with_its_code_goes(ward: Ward):
    # Was: the earlier, though only the later had its closing code.
    ward.comes("101")
    ward.comes("102", closed=True)
    ward.night()
    assert ward.states == {"102": "accepted"}


def test_a_code_that_comes_on_the_last_day_is_not_too_late(ward: Ward):
    # Was: given up before it was tried.
    ward.comes()
    ward.night()
    ward.calendar.pass_by(31)
    ward.edit("101", closed=True)
    ward.reconcile()
    assert ward.states == {"101": "accepted"}


@pytest.mark.slow
def test_what_stays_without_a_code_is_given_up_after_it_was_tried(ward: Ward):
    ward.comes()
    ward.night()
    ward.calendar.pass_by(31)
    ward.reconcile()
    assert ward.states == {"101": "given_up"}


def test_a_claim_that_the_his_shows_with_our_number_is_there(ward: Ward):
    # Was: "no longer in the HIS".
    ward.comes(closed=True)
    ward.night()
    ward.edit("101", his_uid=ward.taken[0]["transaction_uid"])
    ward.night()
    assert ward.rules == set()
    ward.edit("101", his_uid="of the HIS")
    ward.night()
    assert ward.rules == {("101", "taken.also_claimed")}
    ward.hospital.remove("101")
    ward.night()
    assert ward.rules == {("101", "taken.vanished")}


@pytest.mark.slow
def test_a_held_claim_that_the_his_has_claimed_is_withdrawn_with_a_word(ward: Ward):
    # Was: withdrawn without one.
    ward.comes()
    ward.night()
    ward.edit("101", his_uid="of the HIS", closed=True)
    ward.night()
    assert ward.states == {"101": "withdrawn"}
    assert ward.rules == {("101", "claim.his_went_first")}


@pytest.mark.slow
def test_a_lost_answer_and_a_claim_of_the_his_itself_are_told_as_what_they_are(ward: Ward):
    # Was: "ours is not sent, nothing needs to be done", though ours may have been taken.
    ward.comes(closed=True)
    ward.sandbox.misbehave(Fault(kind="hang_up_before"), Fault(kind="503", on=("eligibility",)))
    ward.calendar.pass_by(1)
    ward.runs.submit()
    ward.edit("101", his_uid="of the HIS")
    ward.night()
    assert ward.states == {"101": "in_doubt"}
    assert ward.rules == {("101", "claim.his_went_too")}
    ward.sandbox.misbehave()
    ward.night()
    assert ward.states == {"101": "withdrawn"}
    ward.night()
    assert ward.rules == {("101", "claim.his_went_first")}


def test_a_lost_answer_and_a_corrected_result_is_asked_about_and_then_goes_as_it_is_now(ward: Ward):
    # Was: the bytes of before went again.
    ward.comes(closed=True)
    ward.sandbox.misbehave(Fault(kind="hang_up_before"), Fault(kind="503", on=("eligibility",)))
    ward.calendar.pass_by(1)
    ward.runs.submit()
    assert ward.states == {"101": "in_doubt"}
    ward.sandbox.misbehave()
    ward.edit("101", results={HBA1C: "8.4"})
    # was not a word: a dry run said that nothing would happen
    (said,) = ward.runs.submit(dry_run=True, date_to=ward.calendar.today).asked_about
    assert said.startswith("Would be asked about first, as the source has changed since they were sent: **1**")
    ward.reconcile()
    assert ward.states == {"101": "accepted"}
    assert dict(ward.said()[0].results) == {HBA1C: "8.4"}
    assert len(ward.taken) == 1


def test_a_workbooks_claim_can_be_taken_back_until_it_has_gone(ward: Ward):
    visit = Visit("101", 1, ward.calendar.today - timedelta(1), icd10=("E119",), results={HBA1C: "7.2"}, closed=False)
    file = fill(ward.folder / "one.xlsx", ward.hospital.sheets(visit))
    ward.sandbox.change(no_closing_code_visits=("101",))
    done, _ = ward.runs.import_workbook(file)
    assert done.failure is None
    assert ward.states == {"101": "held"}
    settle_claim(ward.runs.settings, SettleRequest.of("101", "withdrawn", note="typed twice"))
    ward.sandbox.change(no_closing_code_visits=())
    ward.reconcile()
    assert ward.states == {"101": "withdrawn"}
    assert ward.taken == []

"""The HIS changes after the night: what was taken is never sent again but listed, what was refused goes once mended."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from command_line import moph_claim
from night_shift import FIRST_DAY, LAST_DAY, Night, Site, Trial, week_of

pytestmark = pytest.mark.xdist_group("flow_after_acceptance")


class Hospital:
    """A hospital on SQLite, whose night is over, in the hands of its staff.

    Args:
        trial: Its flow; what it sends from now on is counted from nothing.
        file: Its database.
        before: The same as it was in that night.
        claims: What the night sent, one a person, of ordinary visits: the payload, with kind, vn and item beside.
    """

    def __init__(self, trial: Trial, file: Path, before: Path, claims: list[dict[str, Any]]) -> None:
        self.trial = trial
        self.site: Site = trial.site
        self.claims = claims
        self._file = file
        self._before = before

    def edit(self, statement: str, **values: Any) -> None:
        """Change records; there must be such."""
        with closing(connect(self._file)) as database, database:
            assert database.execute(statement, values).rowcount > 0

    def put_back(self) -> None:
        """Undo all changes."""
        shutil.copy(self._before, self._file)

    def dm(self, day: date | None = None) -> dict[str, Any]:
        """One dm claim of the night, on that day if one is given."""
        return next(c for c in self.claims if c["kind"] == "dm" and c["day"] == f"{day or c['day']}")

    def listed(self) -> list[tuple[str, ...]]:
        """What is said of claims that were taken: rule, vn, field, day."""
        rows = self.site.rows("select rule, vn, field, service_date from issue where resolved_at is null")
        return sorted(tuple(map(str, row.values())) for row in rows if row["rule"].startswith("taken."))

    def run_again(self, **parameters: Any) -> str:
        """One more night, that sends nothing and touches nothing that was taken; its report."""
        before = self.site.rows("select * from claim order by id")
        ended = self.trial.run(**parameters)
        assert ended.state == "Completed"
        assert self.trial.sandbox.stats()["requests"] == {}
        assert self.site.rows("select * from claim order by id") == before
        reports = self.site.folder / "var" / "reports"
        (report,) = reports.glob(f"*{self.site.rows('select id from run order by started_at')[-1]['id'][:8]}.md")
        return report.read_text(encoding="utf-8")


@pytest.fixture
def hospital_after_its_night(night_on: Callable[[str], Night], trial: Trial, tmp_path: Path) -> Hospital:
    night = night_on("sqlite")
    before, file = Path(night.url.removeprefix("sqlite:///")), tmp_path / "hosxp.sqlite"
    shutil.copy(before, file)
    trial.site.set(his__url=f"sqlite:///{file}")
    trial.site.audit.parent.mkdir()
    shutil.copy(night.audit, trial.site.audit)
    shutil.copytree(night.audit.with_name("audit-marks"), trial.site.audit.with_name("audit-marks"))
    trial.sandbox.reset()
    odd = {vn for visits in night.hospital.traps.values() for vn in visits}
    once = [c["hn"] for c in night.claims if c["state"] == "accepted"]
    claims = [
        json.loads(c["payload"]) | {"kind": c["kind"], "vn": c["vn"], "item": c["item"], "day": c["service_date"]}
        for c in night.claims
        if c["vn"] not in odd and once.count(c["hn"]) == 1
    ]
    return Hospital(trial, file, before, claims)


def test_a_lab_value_changed_after_acceptance_is_listed_until_it_is_put_back(
    hospital_after_its_night: Hospital,
) -> None:
    hospital = hospital_after_its_night
    sent = hospital.dm()
    was, field = sent["claim_services"][0]["lab_result"], "claim_services[0].lab_result"
    hospital.edit(
        "update lab_order set lab_order_result = '13.7' "
        "where lab_order_number in (select lab_order_number from lab_head where vn = :vn)",
        vn=sent["vn"],
    )
    report = hospital.run_again()
    assert hospital.listed() == [("taken.changed", sent["vn"], field, sent["day"])]
    assert "- **1** warning (dm): Changed in the HIS after MOPH Claim had taken it: …, from … to …. → " in report
    said = moph_claim(hospital.site.folder, "issues")
    assert f"Changed in the HIS after MOPH Claim had taken it: {field}, from “{was}” to “13.7”." in said.out
    hospital.put_back()
    assert "after MOPH Claim had taken it" not in hospital.run_again()
    assert hospital.listed() == []


def test_a_visit_deleted_after_acceptance_is_listed_until_it_is_put_back(hospital_after_its_night: Hospital) -> None:
    hospital = hospital_after_its_night
    sent = hospital.dm()
    hospital.edit("delete from ovst where vn = :vn", vn=sent["vn"])
    report = hospital.run_again(dry_run=True)
    assert hospital.listed() == [("taken.vanished", sent["vn"], "visits.vn", sent["day"])]
    assert "- **1** warning (dm): MOPH Claim has taken it, but the visit" in report
    hospital.put_back()
    hospital.run_again()
    assert hospital.listed() == []


@pytest.mark.parametrize(
    ("was", "is_now"),
    [(FIRST_DAY, LAST_DAY), pytest.param(LAST_DAY, FIRST_DAY, marks=pytest.mark.slow)],
    ids=["later", "earlier"],
)
def test_a_visit_moved_to_another_day_after_acceptance_has_changed_and_not_vanished(
    hospital_after_its_night: Hospital, was: date, is_now: date
) -> None:
    hospital = hospital_after_its_night
    sent = hospital.dm(was)
    hospital.edit("update ovst set vstdate = :day where vn = :vn", vn=sent["vn"], day=f"{is_now}")
    # The day it has left is read alone, before the one it has come to.
    hospital.run_again(date_from=f"{was}", date_to=f"{was}")
    assert hospital.listed() == [("taken.vanished", sent["vn"], "visits.vn", f"{was}")]
    hospital.run_again()
    assert hospital.listed() == [("taken.changed", sent["vn"], "visit_date_time", f"{is_now}")]
    hospital.put_back()
    hospital.run_again()
    assert hospital.listed() == []


def test_a_new_lot_a_dose_taken_out_and_a_new_name_are_listed_and_name_nobody(
    hospital_after_its_night: Hospital,
) -> None:
    hospital = hospital_after_its_night
    dt = next(c for c in hospital.claims if c["kind"] == "dt")
    other = next(c for c in hospital.claims if c["kind"] == "dt" and c is not dt)
    hospital.edit("update ovst_vaccine set vaccine_lot_no = 'NEW-LOT' where vn = :vn", vn=dt["vn"])
    hospital.edit("delete from ovst_vaccine where vn = :vn", vn=other["vn"])
    sick = hospital.dm()
    hospital.edit("update patient set fname = 'เปลี่ยนชื่อแล้ว' where hn = :hn", hn=sick["hn"])
    report = hospital.run_again()
    assert hospital.listed() == sorted(
        [
            ("taken.changed", dt["vn"], "vaccine[0].lot_number", dt["day"]),
            ("taken.vanished", other["vn"], "visits.vn", other["day"]),
            ("taken.changed", sick["vn"], "fname", sick["day"]),
        ]
    )
    said = " ".join(i["message_en"] + i["message_th"] for i in hospital.site.rows("select * from issue"))
    assert f"from “{dt['vaccine'][0]['lot_number']}” to “NEW-LOT”" in said
    assert f"from “{sick['fname'][0]}…” to “เ…”" in said
    assert [name for name in ("เปลี่ยนชื่อแล้ว", sick["fname"], sick["lname"]) if name in said + report] == []


@pytest.mark.slow
def test_a_refused_record_goes_again_once_it_is_mended_in_the_his(trial: Trial, tmp_path: Path) -> None:
    # The site's own list takes type 1 for a diabetes that is paid; the server does not.
    ours = (Path(__file__).parents[2] / "transform" / "codes" / "icd10.csv").read_text(encoding="utf-8")
    (tmp_path / "icd10.csv").write_text(ours.rstrip() + "\ndm,E10,no,Type 1 diabetes,,,a test\n", encoding="utf-8")
    file = tmp_path / "hosxp.sqlite"
    (vn,) = week_of(f"sqlite:///{file}").traps["diabetes_of_other_type"]
    trial.site.set(his__url=f"sqlite:///{file}", transform__codes_folder=str(tmp_path))
    hospital = Hospital(trial, file, file, [])

    trial.run(kinds=["dm"])
    (refused,) = trial.site.rows("select * from claim where state <> 'accepted'")
    assert (refused["state"], refused["vn"], refused["tries"]) == ("correctable", vn, 1)
    answered = trial.sandbox.stats()["requests"]
    trial.run(kinds=["dm"])
    assert trial.sandbox.stats()["requests"] == answered

    hospital.edit("update ovstdiag set icd10 = 'E119' where vn = :vn and icd10 = 'E109'", vn=vn)
    assert trial.run(kinds=["dm"]).message == "Done. Sent: accepted 1"
    (mended,) = trial.site.rows(f"select * from claim where vn = '{vn}'")
    assert (mended["state"], mended["tries"]) == ("accepted", 2)
    assert [taken["sha256"] for taken in trial.sandbox.accepted() if taken["seq"] == vn] == [mended["payload_hash"]]
    assert set(trial.sandbox.received().values()) == {1}
    # It was mended before it was taken: there is nothing to list.
    trial.run(kinds=["dm"])
    assert hospital.listed() == []

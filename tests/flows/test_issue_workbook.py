"""What did not go from the HIS, as a workbook: what the HIS cannot hold is mended there and goes, once."""

from collections import Counter
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from command_line import moph_claim
from night_shift import FIRST_DAY, LAST_DAY, Trial
from officer import change, sheet_of, titles

from sandbox.his import DENSE, build_hosxp

pytestmark = pytest.mark.xdist_group("issue_workbook")

DAYS = 1
WINDOW = {"date_from": FIRST_DAY.isoformat(), "date_to": FIRST_DAY.isoformat()}


@pytest.fixture
def night(trial: Trial, tmp_path: Path) -> Trial:
    """A night over a day of faultless claims, but that the HIS has lost every lot number of the last vaccine family."""
    url = f"sqlite:///{tmp_path / 'hosxp.sqlite'}"
    build_hosxp(url, first_day=FIRST_DAY, days=DAYS, visits_a_day=24, traps=False, mix=DENSE)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("update ovst_vaccine set vaccine_lot_no = ''"))
    trial.site.set(language="th", his__url=url, inbox__settle_seconds=0)
    trial.run(**WINDOW)
    return trial


def lost(trial: Trial) -> set[str]:
    """The visits whose lot is missing."""
    rows = trial.site.rows("select distinct vn from issue where rule = 'vaccine.lot_missing' and resolved_at is null")
    return {r["vn"] for r in rows}


def issues_workbook(trial: Trial) -> Path:
    said = moph_claim(trial.site.folder, "issues", "--excel")
    assert (said.code, said.err) == (1, "")
    return trial.site.folder / "moph-claim-issues.xlsx"


def test_it_holds_what_the_his_says_of_what_did_not_go(night: Trial) -> None:
    assert lost(night)
    rows = [row for title in titles(issues_workbook(night)) if title.startswith("แก้ไข") for row in _rows(night, title)]
    assert {row["vn"] for row in rows} == lost(night)
    for row in rows:
        assert row["lot_number"] is None
        assert all(row[name] for name in ("cid", "fname", "lname", "dob", "visit_date", "vaccine_code", "license_no"))
        assert "Lot" in row["reason"]


def _rows(trial: Trial, title: str) -> list[dict[str, object]]:
    return sheet_of(trial.site.folder / "moph-claim-issues.xlsx", title)


def test_mended_there_it_goes_once_and_the_his_does_not_complain_of_it_again(night: Trial) -> None:
    book = issues_workbook(night)
    sent = sum(night.sandbox.received().values())
    vns = lost(night)
    for title in [title for title in titles(book) if title.startswith("แก้ไข")]:
        for row in sheet_of(book, title):
            change(book, title, str(row["vn"]), lot_number="LOT77")
    inbox = night.site.folder / "var" / "inbox"
    inbox.mkdir(parents=True)
    book.rename(inbox / book.name)
    ended = night.import_workbook()
    assert ended.state == "Completed", ended.message
    states = {r["vn"]: r["state"] for r in night.site.rows("select vn, state from claim where origin = 'workbook'")}
    assert states.keys() == vns
    assert set(states.values()) == {"accepted"}
    received = night.sandbox.received()
    assert sum(received.values()) == sent + len(night.site.rows("select 1 from claim where origin = 'workbook'"))
    again = night.run(**WINDOW)
    assert again.state == "Completed"
    assert night.sandbox.received() == received
    listed = moph_claim(night.site.folder, "issues").out
    assert [vn for vn in vns if vn in listed] == []


def test_the_nightly_report_has_that_workbook_beside_it(night: Trial) -> None:
    (report,) = (night.site.folder / "var" / "reports").glob("*.md")
    beside = report.with_suffix(".xlsx")
    assert titles(beside)[0] == "สรุป"
    assert titles(beside)[-1] == "ทั้งหมด"
    assert {row["VN"] for row in _all(beside)} >= lost(night)


def _all(path: Path) -> list[dict[str, object]]:
    head, *rows = openpyxl.load_workbook(path)["ทั้งหมด"].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def test_what_can_never_be_a_claim_is_listed_and_not_put_up_for_mending(trial: Trial) -> None:
    trial.site.set(language="th")
    trial.run(date_from=FIRST_DAY.isoformat(), date_to=LAST_DAY.isoformat())
    book = issues_workbook(trial)
    hopeless = {"dm.interval", "dm.fiscal_year", "ht.not_newly_diagnosed", "vaccine.same_day"}
    rules = ", ".join(f"'{rule}'" for rule in hopeless)
    of = trial.site.rows(
        f"select distinct kind, vn, item from issue where rule in ({rules}) and severity = 'error' and resolved_at is null"
    )
    assert of
    listed = {row["VN"] for row in _all(book)}
    assert {r["vn"] for r in of} <= listed
    labs = {"dm": {"HbA1C 32401"}, "ht": {"Creatinine (Cr) 32202", "Potassium (K) 32103"}}
    mending = {(row["vn"], row["lab_code"]) for row in sheet_of(book, "แก้ไข DMHT")}
    assert not mending & {(r["vn"], code) for r in of for code in labs.get(r["kind"], ())}
    # Nor is it counted among what waits for a person.
    assert _claims(book)["ไม่ต้องเบิก"] == len(of)


def _claims(path: Path) -> Counter[str]:
    """How many claims the summary has of each outcome."""
    rows = openpyxl.load_workbook(path)["สรุป"].iter_rows(values_only=True)
    counts: Counter[str] = Counter()
    for row in rows:
        if isinstance(row[3], str) and isinstance(row[7], int):
            counts[row[3]] += row[7]
    return counts

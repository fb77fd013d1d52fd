"""What an officer is told of each row, and what a result lets him mend; runs without the orchestrator."""

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from night_shift import Site
from officer import Rows, change, fill, rows_of, sheet_of, titles

from core.clock import today
from flows.parameters import ImportParameters
from flows.reports.import_report import report_import_run
from flows.reports.import_result import write_row_outcomes
from flows.reports.row_outcomes import row_outcomes
from flows.runs.import_workbook import open_import_run
from flows.settings.read import read_settings
from load.workbook.result_content import RowOutcome
from sandbox.his import DENSE, build_hosxp
from sandbox.process import Sandbox

DAY = today() - timedelta(days=3)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of a day, all of whose claims are faultless."""
    url = f"sqlite:///{tmp_path_factory.mktemp('answers') / 'hosxp.sqlite'}"
    build_hosxp(url, first_day=DAY, days=1, visits_a_day=24, traps=False, mix=DENSE)
    return rows_of(url, [DAY])


class Officer:
    """An officer of a health centre without a HIS.

    Args:
        site: Its settings.
    """

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site = site
        monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))

    def imports(self, path: Path, **asked: Any) -> "Answered":
        """Import a workbook; its result lies beside it."""
        parameters = ImportParameters.checked(**{"concurrency": 4, **asked})
        with open_import_run(read_settings(), path, path.name, parameters, lambda _: None) as run:
            run.make_claims()
            if run.sends and run.count_due():
                run.log_in()
                while chunk := run.next_chunk():
                    run.send_chunk(1, chunk)
                run.finish_sending()
            found = row_outcomes(run)
            result = path.with_suffix(".result.xlsx")
            write_row_outcomes(result, run=run, outcomes=found, failure=None, source=path)
            return Answered(result, found, report_import_run(run, found, None).body)


class Answered:
    def __init__(self, result: Path, found: list[RowOutcome], report: str) -> None:
        self.result, self.found, self.report = result, found, report

    def outcomes(self, sheet: str) -> set[str]:
        return {a.outcome.en for a in self.found if a.sheet == sheet}

    def of(self, sheet: str, number: int) -> RowOutcome:
        return next(a for a in self.found if (a.sheet, a.number) == (sheet, number))


@pytest.fixture
def officer(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Officer:
    lines = {"language": "th", "facility.hcode": "10953", "facility.name": "รพ.สต.ตัวอย่าง"}
    return Officer(Site(tmp_path / "site", his="", sandbox=sandbox, lines=lines), monkeypatch)


@pytest.fixture
def book(rows: Rows, tmp_path: Path) -> Path:
    return fill(tmp_path / "claims.xlsx", rows)


def copy(book: Path, name: str) -> Path:
    return Path(shutil.copyfile(book, book.with_name(name)))


def first(book: Path, title: str) -> str:
    return str(sheet_of(book, title)[0]["vn"])


def test_a_row_that_differs_from_what_was_taken_is_not_called_sent(officer: Officer, book: Path) -> None:
    officer.imports(book)
    other = copy(book, "other.xlsx")
    change(other, "dT", first(book, "dT"), lot_number="OTHER1")
    answered = officer.imports(other)
    told = answered.of("dT", 4)
    assert (told.outcome.en, told.category, told.mendable) == ("taken, with other content", "aside", False)
    assert told.transaction_uid
    assert "was not sent" in str(told.reason)
    assert answered.outcomes("EPI") == {"accepted"}


def test_a_faulty_row_of_a_claim_that_was_taken_is_not_to_be_mended(officer: Officer, book: Path) -> None:
    officer.imports(book)
    other = copy(book, "other.xlsx")
    change(other, "dT", first(book, "dT"), expiration_date="1/10/69")
    answered = officer.imports(other)
    assert answered.of("dT", 4).outcome.en == "taken, with other content"
    assert officer.site.rows("select 1 from issue where severity = 'error' and resolved_at is null") == []
    assert not [title for title in titles(answered.result) if title.startswith("แก้ไข")]


def test_nothing_refused_goes_from_the_sheet_for_mending_before_a_person_has_mended_it(
    officer: Officer, book: Path
) -> None:
    vns = list(dict.fromkeys(str(row["vn"]) for row in sheet_of(book, "EPI")))
    wrong = [{"hn": 1234567}, {"lot_number": 12345}, {"license_no": 99}, {"dob": "1/10/12"}, {"fname": "#N/A"}]
    for vn, values in zip(vns, wrong, strict=False):
        change(book, "EPI", vn, **values)
    refused = officer.imports(book)
    mending = sheet_of(refused.result, "แก้ไข EPI")
    assert {row["vn"] for row in mending} == set(vns[: len(wrong)])
    sent = officer.site.sandbox.received()
    again = officer.imports(refused.result)
    assert officer.site.sandbox.received() == sent
    assert {a.category for a in again.found} <= {"refused", "aside"}


def test_the_result_of_a_dry_run_is_not_for_mending(officer: Officer, book: Path) -> None:
    change(book, "dT", first(book, "dT"), dob="1/10/12")
    answered = officer.imports(book, dry_run=True)
    assert answered.outcomes("EPI") == {"would be sent"}
    assert not [title for title in titles(answered.result) if title.startswith("แก้ไข")]
    assert "แก้ในไฟล์ต้นฉบับ" in answered.report


def test_what_is_mended_beside_the_old_answers_is_said_to_have_no_effect(officer: Officer, book: Path) -> None:
    change(book, "dT", first(book, "dT"), dob="1/10/12")
    refused = officer.imports(book)
    change(refused.result, "dT", first(book, "dT"), dob=date(1960, 10, 1))
    again = officer.imports(refused.result)
    assert "สิ่งที่แก้ในนั้นไม่มีผล" in again.report


def test_of_what_was_taken_nothing_is_said_to_be_mended(officer: Officer, rows: Rows, tmp_path: Path) -> None:
    bare = {
        name: [{k: v for k, v in row.items() if k not in ("title", "closing_code")} for row in some]
        for name, some in rows.items()
    }
    answered = officer.imports(fill(tmp_path / "bare.xlsx", bare))
    assert {(a.outcome.en, a.reason) for a in answered.found} == {("accepted", None)}


def test_what_moph_claim_refused_is_mended_in_the_workbook_not_in_the_his(
    officer: Officer, book: Path, tmp_path: Path
) -> None:
    # The site's own list takes type 1 for a diabetes that is paid; the server does not.
    ours = (Path(__file__).parents[2] / "transform" / "codes" / "icd10.csv").read_text(encoding="utf-8")
    (tmp_path / "icd10.csv").write_text(ours.rstrip() + "\ndm,E10,no,Type 1 diabetes,,,a test\n", encoding="utf-8")
    officer.site.set(transform__codes_folder=str(tmp_path))
    vn = next(str(row["vn"]) for row in sheet_of(book, "DMHT") if "HbA1C" in str(row["lab_code"]))
    change(book, "DMHT", vn, dx1="E109", dx2=None)
    answered = officer.imports(book)
    refused = [a for a in answered.found if a.mendable]
    assert {a.outcome.en for a in refused} == {"to correct"}
    assert "HIS" not in str(refused[0].reason)
    assert "ใน HIS" not in answered.report
    assert vn in {row["vn"] for row in sheet_of(answered.result, "แก้ไข DMHT")}


def test_a_visit_number_on_hundreds_of_rows_makes_short_sentences(officer: Officer, rows: Rows, tmp_path: Path) -> None:
    one = [{**row, "vn": "1", "cid": f"{n:013d}"} for n, row in enumerate(rows["dt"] * 100)]
    answered = officer.imports(fill(tmp_path / "one.xlsx", {"dt": one}))
    assert max(len(str(a.reason)) for a in answered.found) < 3000
    assert officer.site.rows("select max(length(refusal_th)) n from workbook_row")[0]["n"] < 3000


def test_notes_point_at_the_cells_to_mend(officer: Officer, book: Path) -> None:
    change(book, "dT", first(book, "dT"), dob="1/10/12")
    answered = officer.imports(book)
    sheet = openpyxl.load_workbook(answered.result)["แก้ไข dT"]
    notes = [cell.coordinate for row in sheet.iter_rows(min_row=4) for cell in row if cell.comment]
    assert len(notes) == 1


def test_who_is_no_citizen_or_too_young_is_not_told_just_to_mend_the_cell(
    officer: Officer, rows: Rows, tmp_path: Path
) -> None:
    foreigner, young = (dict(row) for row in rows["dt"][:2])
    foreigner["nation"], young["dob"], young["antenatal"] = "048", DAY - timedelta(days=20 * 365), "0"
    found = officer.imports(fill(tmp_path / "dt.xlsx", {"dt": [foreigner, young]})).found
    said = [a.reason.th for a in found if a.reason]
    assert "หากถูกแล้วไม่ต้องดำเนินการ" in said[0]
    assert "ใส่ ใช่ ในช่อง ฝากครรภ์" in said[1]
    assert not any("HIS" in text for text in said)


def test_an_odd_result_is_to_be_checked_against_the_report(officer: Officer, rows: Rows, tmp_path: Path) -> None:
    odd = [row | {"result": said} for row, said in zip(rows["dmht"][:2], ["99", "รอผล"], strict=True)]
    found = officer.imports(fill(tmp_path / "dmht.xlsx", {"dmht": odd})).found
    assert all(a.reason and "ใบรายงาน" in a.reason.th for a in found)


def test_rows_of_one_kind_are_counted_together_whether_or_not_their_vaccine_is_known(
    officer: Officer, rows: Rows, tmp_path: Path
) -> None:
    known, unknown = (dict(row) for row in rows["dt"][:2])
    unknown["vaccine_code"] = "วัคซีน"
    result = officer.imports(fill(tmp_path / "dt.xlsx", {"dt": [known, unknown]})).result
    summary = openpyxl.load_workbook(result)["สรุป"]
    kinds = {cell.value for row in summary["B9:B12"] for cell in row if cell.value}
    assert kinds == {"ประเภท", "วัคซีน dT"}

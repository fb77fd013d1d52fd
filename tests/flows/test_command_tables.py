"""`status`, `issues` and `config`: what stands in the audit on the screen, in CSV and in Excel; secrets masked."""

import csv
import shutil
import sqlite3
from collections.abc import Callable

import openpyxl
import pytest
from command_line import moph_claim
from night_shift import FIRST_DAY, LAST_DAY, Night, Site

from transform.rules import registry

pytestmark = pytest.mark.xdist_group("command_tables")


OF_CODES = [code for code, rule in registry().items() if rule.of_code]
NOT_OF_CODES = f"rule not in ({', '.join(map(repr, OF_CODES))})"


@pytest.fixture
def spent(night_on: Callable[[str], Night], site: Site) -> Site:
    """The site after its night."""
    (site.folder / "var").mkdir()
    shutil.copy(night_on("sqlite").audit, site.audit)
    return site


def test_status_sums_claims_and_baht(spent: Site) -> None:
    said = moph_claim(spent.folder, "status")
    (total,) = spent.rows("select count(*) n, sum(baht) baht from claim")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[-2].replace("│", " ").split() == ["Total", f"{total['n']:,}", f"{total['baht']:,}"]
    assert f"{FIRST_DAY}" in said.out


def test_status_of_one_day_shows_that_day_in_thai(spent: Site) -> None:
    spent.set(language="th")
    said = moph_claim(spent.folder, "status", "--from", f"{LAST_DAY}", "--to", f"{LAST_DAY}")
    assert "เบาหวาน (DM)" in said.out
    assert "รวม" in said.out
    assert f"{FIRST_DAY}" not in said.out


def test_status_of_a_day_that_is_none_exits_2(spent: Site) -> None:
    assert moph_claim(spent.folder, "status", "--from", "x").sentence.startswith("The day x is not understood")


def test_issues_on_the_screen_name_visit_and_reason_and_exit_1(spent: Site) -> None:
    said = moph_claim(spent.folder, "issues")
    issues = spent.rows(f"select vn, message_en from issue where severity = 'error' and {NOT_OF_CODES}")
    assert (said.code, said.err) == (1, "")
    assert [i for i in issues if f"VN {i['vn']} " not in said.out or i["message_en"] not in said.out] == []


def test_issues_name_a_code_that_nobody_knows_once_with_its_count(spent: Site) -> None:
    with sqlite3.connect(spent.audit) as audit:
        audit.execute("update issue set message_en = 'Vaccine “x” is not known.' where rule = 'vaccine.code_missing'")
    (codes,) = spent.rows("select count(*) n from issue where rule = 'vaccine.code_missing'")
    assert codes["n"] > 1
    said = moph_claim(spent.folder, "issues")
    assert said.out.count("Vaccine “x” is not known.") == 1
    assert f"    {codes['n']} records: Vaccine “x” is not known." in said.out


def test_issues_exit_0_when_there_are_none(spent: Site) -> None:
    said = moph_claim(spent.folder, "issues", "--from", "2020-01-01", "--to", "2020-01-02")
    assert (said.code, said.err) == (0, "")


def test_issues_go_to_csv_and_excel_and_formulas_stay_text(spent: Site) -> None:
    with sqlite3.connect(spent.audit) as audit:
        audit.execute("update issue set message_en = '=1+cmd|x', message_th = '+66', hn = '-1'")
        audit.execute("update issue set message_th = '=1+1' where id % 2")
    for language in ("en", "th"):
        spent.set(language=language)
        one_each = f"select vn, kind, item, rule, field from issue where severity = 'error' and {NOT_OF_CODES}"
        of_codes = (
            f"select distinct rule, message_{language} from issue where severity = 'error' and not ({NOT_OF_CODES})"
        )
        rows = len(spent.rows(one_each)) + len(spent.rows(of_codes))
        for name in ("out.csv", "out.xlsx"):
            said = moph_claim(spent.folder, "issues", "--out", name)
            assert (said.code, said.err) == (1, "")
            assert f"{rows}" in said.out
        with (spent.folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
        book = openpyxl.load_workbook(spent.folder / "out.xlsx")
        cells = [list(row) for row in book["All" if language == "en" else "ทั้งหมด"].iter_rows()]
        # The workbook's rows are known as answers by another heading of where they stand.
        stands = {"Outcome": "Status", "ผลการส่ง": "สถานะ"}
        assert [stands.get(str(cell.value), cell.value) for cell in cells[0]] == lines[0]
        assert lines[0][0] == ("Service day" if language == "en" else "วันที่รับบริการ")
        assert len(lines) == len(cells) == rows + 1
        assert "f" not in {c.data_type for sheet in book for row in sheet.iter_rows() for c in row}
        assert {row[3].value for row in cells[1:] if row[2].value} == {"-1"}
        assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@"))]


@pytest.fixture
def shared(spent: Site) -> Site:
    """An audit that two facilities share; half of what did not go is the other's."""
    with sqlite3.connect(spent.audit) as audit:
        audit.execute("update issue set hcode = '01234' where id % 2")
    spent.set(facilities__hospital__facility__hcode="10953", facilities__centre__facility__hcode="01234")
    return spent


def test_issues_of_several_facilities_say_whose_they_are(shared: Site) -> None:
    said = moph_claim(shared.folder, "issues", "--out", "out.csv")
    assert (said.code, said.err) == (1, "")
    with (shared.folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0][:2] == ["Facility", "Service day"]
    assert {line[0] for line in lines[1:]} == {"10953", "01234"}


def test_issues_of_one_of_several_facilities_are_its_own(shared: Site) -> None:
    said = moph_claim(shared.folder, "issues", "--facility", "centre")
    own = "from issue where severity = 'error' and hcode = '01234'"
    records = shared.rows(f"select vn {own} and {NOT_OF_CODES}")
    codes = shared.rows(f"select distinct rule, message_en {own} and not ({NOT_OF_CODES})")
    assert records
    assert said.out.count("[not claimed]") == len(records) + len(codes)


def test_a_workbook_of_issues_is_of_one_facility_for_it_is_imported_again(shared: Site) -> None:
    said = moph_claim(shared.folder, "issues", "--excel")
    assert said.sentence == "The configuration has several facilities, name one (--facility): hospital, centre."


@pytest.mark.parametrize("name", ["out.pdf", "nowhere/out.csv", "nowhere/out.xlsx"])
def test_issues_to_a_file_that_cannot_be_written_say_so(spent: Site, name: str) -> None:
    assert f"The file {name} " in moph_claim(spent.folder, "issues", "--out", name).sentence


@pytest.mark.parametrize("command", [("template", "dt"), pytest.param(("issues", "--excel"), marks=pytest.mark.slow)])
def test_a_workbook_that_may_be_filled_in_is_not_written_over(spent: Site, command: tuple[str, ...]) -> None:
    moph_claim(spent.folder, *command)
    (book,) = spent.folder.glob("*.xlsx")
    book.write_text("filled in")
    said = moph_claim(spent.folder, *command)
    assert book.read_text() == "filled in"
    assert f"{book.stem}-2.xlsx" in said.out
    assert (spent.folder / f"{book.stem}-2.xlsx").stat().st_size > len("filled in")


def test_config_masks_every_secret(site: Site) -> None:
    site.write(
        MOPH_CLAIM_API__PASSWORD="hidden-1",
        MOPH_CLAIM_API__SECRET_KEY="hidden-2",
        MOPH_CLAIM_HIS__URL="mysql://reader:hidden-3@10.0.0.5/hos?password=hidden-4",
        MOPH_CLAIM_AUDIT__URL="postgresql+psycopg://audit:hidden-5@10.0.0.6/audit",
    )
    said = moph_claim(site.folder, "config")
    assert (said.code, said.err) == (0, "")
    assert "hidden" not in said.out
    assert "mysql://reader:***@10.0.0.5/hos" in said.out
    assert "api.environment" in said.out


def test_config_shows_a_malformed_address_as_masked_altogether(site: Site) -> None:
    site.write(MOPH_CLAIM_HIS__URL="mysql://reader:hidden@host:port/hos")
    said = moph_claim(site.folder, "config")
    assert (said.code, said.err) == (0, "")
    assert "hidden" not in said.out


def test_config_shows_values_as_they_are(site: Site) -> None:
    site.set(api__user_agent="[/red] hospital [bold]")
    said = moph_claim(site.folder, "config")
    assert (said.code, said.err) == (0, "")
    assert "[/red] hospital [bold]" in said.out

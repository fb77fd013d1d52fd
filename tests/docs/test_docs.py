"""The pages made from the code are those the code makes, and links lead somewhere."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from extract.settings import WorkbookSettings
from extract.workbook.file import read_sheets
from extract.workbook.reader import understand
from extract.workbook.tables import service_days
from transform.claim import KINDS
from transform.claims import make_claims
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.workbook_rows import group_by_claim, hold_back_faulty

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md")])


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """`docs/make.py`."""
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "docs" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_made_from_the_code_are_current(make: ModuleType) -> None:
    stale = [path.name for path, text in make.pages() if not path.is_file() or path.read_text("utf-8") != text]
    assert not stale, "make docs"


def test_sample_workbooks_are_current(make: ModuleType, tmp_path: Path) -> None:
    made = {path.name: make.cells(path) for path in make.write_workbooks(tmp_path)}
    kept = {path.name: make.cells(path) for path in SAMPLES.glob("*.xlsx")}
    stale = [name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name)]
    assert not stale, "make docs"


def test_all_rows_of_the_filled_sample_are_claims_but_the_two_that_teach(make: ModuleType) -> None:
    codes, hcode = read_codes(), "10953"
    sheets = read_sheets(SAMPLES / "filled.xlsx", WorkbookSettings())
    reading = understand("filled.xlsx", "0" * 64, sheets, choices(codes), make.SAMPLE_DAY)
    faults = {(row.sheet, row.number): fault.rule for row in reading.rows for fault in row.faults}
    assert sorted(faults.values()) == ["cell.cid_mangled", "cell.date_two_digit_year"]
    (day,) = service_days(reading.rows, hcode=hcode, hospital_name="โรงพยาบาลตัวอย่าง")
    history = make.no_history()
    made = make_claims(day, kinds=KINDS, hcode=hcode, history=history, explicit_request=True)
    parts = group_by_claim(reading.rows, codes)
    made = hold_back_faulty(made, parts, day.day, hcode, conflicting=())
    assert {(c.kind, c.vn, c.item) for c in made.claims} == {
        part for place, part in parts.key_of_row.items() if place not in faults
    }
    assert {kind for kind, _, _ in parts.rows} == set(KINDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_places_and_names_that_a_page_speaks_of_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    places = [
        place for place in re.findall(r"`(\.?[a-z_]+(?:/[A-Za-z_.]+)*/[a-z_.]*)`", text) if not (ROOT / place).exists()
    ]
    assert not places
    code = "".join(path.read_text("utf-8") for path in (ROOT / "transform").glob("*.py"))
    assert not [name for name in re.findall(r"`([A-Z][A-Z_]+)`", text) if not re.search(rf"\b{name}\b", code)]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`?make ([a-z-]+)", text.replace("than make", ""))) <= {*targets, "are"}


def test_the_tests_that_the_page_on_security_names_are_there() -> None:
    rows = [line for line in (ROOT / "docs" / "security.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    named = 0
    for row in rows:
        content = ""
        for file, function in re.findall(r"((?:load|flows|extract)/test_\w+)|`(test_\w+)`", row.rsplit("|", 2)[1]):
            content = (ROOT / "tests" / f"{file}.py").read_text("utf-8") if file else content
            assert f"def {function}" in content
            named += 1
    assert named > len(rows)

"""COTTAGE, the HIS of `docs/new-his.md`: its claims go once a person has reviewed its maps."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import moph_claim
from cottage import FIRST_DAY, FOLDER, SECOND_DAY, build_cottage
from databases import SQLITE_FIRST
from night_shift import Site, Trial

from sandbox.process import Sandbox

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("new_his_example")


@pytest.mark.parametrize("backend", SQLITE_FIRST)
def test_claims_of_the_example_are_accepted(
    tmp_path: Path, sandbox: Sandbox, database_on: Callable[[str], str], prefect_server: dict[str, str], backend: str
) -> None:
    url = database_on(backend)
    build_cottage(url)
    maps = tmp_path / "maps"
    lines = {"his.kind": "cottage", "his.sql_folder": str(FOLDER)}
    site = Site(tmp_path / "site", his=url, sandbox=sandbox, lines=lines)
    days = {"date_from": str(FIRST_DAY), "date_to": str(SECOND_DAY)}
    assert Trial(site).run(**days).state == "Completed"
    assert {(a["kind"], a["seq"], a["item"]) for a in sandbox.accepted()} == {
        ("dm", "1", ""), ("epi", "3", "D21"), ("dt", "5", "106")
    }  # fmt: skip
    # The centre's own item, as a person decides it.
    maps.mkdir()
    (maps / "labs.csv").write_text("local_code,code\nPOCT,32202\nFBS,-\n", encoding="utf-8")
    site.set(his__maps_folder=str(maps))
    assert Trial(site).run(**days).state == "Completed"
    assert {(a["kind"], a["seq"]) for a in sandbox.accepted()} == {("dm", "1"), ("ht", "2"), ("epi", "3"), ("dt", "5")}
    assert set(sandbox.received().values()) == {1}


def test_check_of_the_example_says_what_the_page_shows(tmp_path: Path, sandbox: Sandbox) -> None:
    url = f"sqlite:///{tmp_path / 'cottage.sqlite'}"
    build_cottage(url)
    lines = {"his.kind": "cottage", "his.sql_folder": str(FOLDER)}
    site = Site(tmp_path / "site", his=url, sandbox=sandbox, lines=lines)
    said = moph_claim(site.folder, "his", "check", "--day", "2026-05-14", COLUMNS="100")
    assert said.code == 0
    page = (ROOT / "docs" / "new-his.md").read_text(encoding="utf-8")
    shown = page[page.index("COTTAGE  sqlite") : page.index("For each statement: the contract")]
    changing = re.compile(r"sqlite|/|\d s$|^…|```")  # versions, paths and times are another's
    lines_shown = [line for line in shown.splitlines() if line and not changing.search(line)]
    assert len(lines_shown) > 8
    assert [line for line in lines_shown if line not in said.out] == []

"""`moph-claim demo`, as a newcomer starts it: a week through a run that has no Prefect server to speak to but its own."""

import re
from pathlib import Path

import pytest
from command_line import moph_claim

from flows.cli.demo import ISSUES_SHOWN

pytestmark = pytest.mark.xdist_group("command_demo")


@pytest.mark.slow
def test_the_demo_shows_a_weeks_claims_what_did_not_go_and_where_it_all_lies(tmp_path: Path) -> None:
    said = moph_claim(tmp_path, "demo", "--language", "en")
    assert said.code == 0, said
    assert "| INFO " in said.err  # Prefect's own lines
    assert not re.search("Traceback|WARNING|ERROR", said.err), said.err
    made = tmp_path / "demo" / "var"
    (report,) = (made / "reports").glob("*.md")
    assert report.with_suffix(".xlsx").is_file()
    accepted = next(line for line in report.read_text(encoding="utf-8").splitlines() if "| accepted |" in line)
    cells = r"\W+".join(re.escape(cell.strip()) for cell in accepted.strip("|").split("|"))
    assert re.search(cells, said.out), said.out
    assert f"{ISSUES_SHOWN} of " in said.out
    assert [str(path) in said.out for path in (made / "audit.sqlite", made / "reports")] == [True, True]
    assert (made / "audit.sqlite").is_file()


def test_the_demo_touches_no_folder_of_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("years of work")
    said = moph_claim(tmp_path, "demo")
    assert said.sentence.startswith("โฟลเดอร์")
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "years of work"

"""What a run leaves a claims officer: an artifact and a file, with the right figures and nobody in them."""

import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from night_shift import FIRST_DAY, LAST_DAY, WINDOW, Night, Site, Trial, artifacts_of, people_of, week_of

from flows.cli.console import Exit, run_once
from flows.settings.read import read_settings
from load.display_names import KIND_NAMES, STATE_NAMES
from load.states import State
from sandbox.world import Fault
from transform.rules import registry

pytestmark = pytest.mark.xdist_group("flow_report")


OF_CODES = [code for code, rule in registry().items() if rule.of_code]


def table_after(report: str, heading: str) -> list[dict[str, str]]:
    """The rows of the table under a heading, each by its own heads."""
    part = report.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_artifact_counts_what_stands_in_the_audit(trial: Trial) -> None:
    trial.sandbox.change(no_closing_code_share=0.1)
    ended = trial.run()
    report = artifacts_of(ended)["claims-report"]
    claims = trial.site.rows("select kind, state, count(*) n, sum(baht) baht from claim group by kind, state")
    listed = [
        (row["Kind"], row["Outcome"], row["Claims"], row["Baht"]) for row in table_after(report, "By kind and outcome")
    ]
    assert sorted(listed) == sorted(
        (KIND_NAMES[c["kind"]].en, STATE_NAMES[State(c["state"])].en, str(c["n"]), f"{c['baht']:,}") for c in claims
    )
    accepted = sum(c["baht"] for c in claims if c["state"] == "accepted")
    total = sum(c["n"] for c in claims)
    assert f"- Sent in this run: **{total}** claims\n- Expected: **{accepted:,}** baht\n" in report
    held = sum(c["n"] for c in claims if c["state"] == "held")
    waiting = sum(c["baht"] for c in claims if c["state"] == "held")
    assert f"- Left for the next run: **{held}** claims ({waiting:,} baht)\n" in report
    assert f"- **{held}** held: no closing code: the right was not confirmed" in report
    issues = trial.site.rows("select severity, rule, message_en from issue")
    codes = Counter(i["message_en"] for i in issues if i["rule"] in OF_CODES and i["severity"] == "error")
    assert len(codes) >= 3
    nobody_knows = report.split("## Codes of the HIS and rates that nobody knows\n")[1].split("\n## ")[0]
    assert [f"- **{n}** {said}" for said, n in codes.items() if f"- **{n}** {said}" not in nobody_knows] == []
    severities = Counter(i["severity"] for i in issues if i["rule"] not in OF_CODES)
    records = Counter({"not claimed": 0, "warning": 0})
    for number, severity in re.findall(r"^- \*\*(\d+)\*\* (not claimed|warning) \(", report, re.MULTILINE):
        records[severity] += int(number)
    (open_warnings,) = trial.site.rows(
        "select count(*) n from issue i where severity = 'warning' and not exists (select 1 from claim c "
        "where c.kind = i.kind and c.vn = i.vn and c.item = i.item and c.state = 'accepted') "
        f"and rule not in ({', '.join(map(repr, OF_CODES))})"
    )
    assert records == {"not claimed": severities["error"], "warning": open_warnings["n"]}
    assert "Confirm the right (closing code) of the held visits" in report.split("## Next steps")[1]


def test_report_counts_doses_without_a_visit(trial: Trial, tmp_path: Path) -> None:
    copy = tmp_path / "his.sqlite"
    shutil.copy(trial.site.values["his.url"].removeprefix("sqlite:///"), copy)
    his = sqlite3.connect(copy)
    his.execute("insert into village_student_vaccine values (9001, 1, null, ?)", (FIRST_DAY.isoformat(),))
    his.execute("insert into village_student_vaccine_list values (9001, 1, 'L1', null, null)")
    his.commit()
    his.close()
    trial.site.set(his__url=f"sqlite:///{copy}")
    ended = trial.run(date_from=FIRST_DAY.isoformat(), date_to=FIRST_DAY.isoformat(), dry_run=True)
    # was no word
    assert "- Doses without a visit, which cannot be claimed: **1**\n" in artifacts_of(ended)["claims-report"]


def test_artifact_is_the_file_in_the_reports_folder(night_on: Callable[[str], Night]) -> None:
    ended = night_on("sqlite").ended
    path = Path(re.search(r"The report lies at (.+\.md)", ended.text)[1])  # type: ignore[index]
    assert path.read_text(encoding="utf-8") == artifacts_of(ended)["claims-report"]


def test_nobody_stands_in_artifacts_logs_and_state(night_on: Callable[[str], Night]) -> None:
    night = night_on("sqlite")
    left = "\n".join([*artifacts_of(night.ended).values(), night.ended.text, night.ended.message])
    visits = {word for claim in (*night.claims, *night.issues) for word in (claim["vn"], claim["hn"])}
    assert len(left) > 2000
    assert [word for word in people_of(night.url) | visits if word in left and word != "0007"] == []


def test_report_of_a_failed_run_begins_its_next_steps_with_the_reason(trial: Trial) -> None:
    trial.sandbox.misbehave(Fault(kind="invalid_scope", times=1))
    ended = trial.run(date_from=LAST_DAY.isoformat())
    assert ended.state == "Failed"
    steps = artifacts_of(ended)["claims-report"].split("## Next steps\n\n")[1]
    assert steps.startswith(f"- {ended.message}\n")


def test_bar_ends_at_a_hundred(night_on: Callable[[str], Night]) -> None:
    assert artifacts_of(night_on("sqlite").ended)["claims-progress"] in ("100", "100.0")


@pytest.fixture
def here(site: Site, prefect_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site, for the command's own way to run the flow, against the test's Prefect server."""
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    monkeypatch.setattr("flows.cli.console.configure_prefect", lambda _: None)
    return site


def test_exit_is_0_when_nothing_needs_a_person(here: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'well.sqlite'}"
    week_of(url, days=1, traps=False)
    here.set(his__url=url)
    # Not ht: those known to be hypertensive for long are listed.
    kinds = ["dm", "epi", "dt"]
    assert run_once(read_settings(), date_from=FIRST_DAY, date_to=FIRST_DAY, kinds=kinds) is Exit.OK
    assert "Sent in this run" in capsys.readouterr().out


def test_exit_is_1_when_records_need_a_person(here: Site) -> None:
    assert run_once(read_settings(), date_from=FIRST_DAY, date_to=FIRST_DAY) is Exit.NEEDS_A_PERSON


def test_exit_is_2_when_the_log_in_is_refused_and_claims_wait(here: Site, capsys: pytest.CaptureFixture[str]) -> None:
    here.write(MOPH_CLAIM_API__PASSWORD="another")
    assert run_once(read_settings(), **WINDOW) is Exit.NOT_DONE
    said = capsys.readouterr()
    assert "The log-in to MOPH Claim was refused (401" in said.err
    assert "Traceback" not in said.out + said.err
    assert set(here.states()) == {"ready"}
    # Once refused is never tried again: the account would be locked.
    assert here.sandbox.stats()["logins_refused"] == 1

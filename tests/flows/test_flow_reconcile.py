"""`reconcile`: what earlier runs left in doubt, held or unsent goes, and what became of accepted claims is known."""

import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from command_line import moph_claim
from night_shift import Ended, Site, Trial, artifacts_of, people_of
from typer.testing import CliRunner

from core.clock import today
from flows.cli.main import app
from sandbox.his import DENSE, build_hosxp
from sandbox.world import Fault

pytestmark = pytest.mark.xdist_group("flow_reconcile")

# Beyond the seven days of the nightly run, within the thirty in which a closing code may come.
DAYS_AGO = 20
DAY = today() - timedelta(days=DAYS_AGO)
THAT_DAY = {"date_from": DAY.isoformat(), "date_to": DAY.isoformat()}
DEAD_RUN = """
import os, signal, sys
from datetime import date
from load.database import open_audit
from load.ledger import Ledger
from load.batch import Batch
from load.runs import start_run
from load.settings import AuditSettings
from load.states import DUE
from transform.claim import KINDS
engine, day = open_audit(sys.argv[1]), date.fromisoformat(sys.argv[2])
held = dict(environment="sandbox", hcode="10953", flow="submit-claims", parameters={})
with start_run(engine, AuditSettings(), **held) as run:
    ledger = Ledger(engine, run)
    ledger.writer.write(Batch(intents=ledger.queue.due(DUE, KINDS, day, day, 5)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def small_hospital(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a hospital of one day, all of whose claims are faultless."""
    url = f"sqlite:///{tmp_path_factory.mktemp('small-his') / 'hosxp.sqlite'}"
    build_hosxp(url, first_day=DAY, days=1, visits_a_day=24, traps=False, mix=DENSE)
    return url


@pytest.fixture
def after(trial: Trial, small_hospital: str) -> Trial:
    """A trial at that hospital, in no mood to wait for a server that is down."""
    trial.site.set(
        his__url=small_hospital, api__breaker_failures=4, api__breaker_pause_seconds=0, api__breaker_probes=1
    )
    return trial


def submissions(trial: Trial) -> int:
    """Claims that arrived at the server, taken or not."""
    return sum(trial.sandbox.received().values())


def report_of(run: Ended) -> str:
    return artifacts_of(run)["claims-report"]


def write(site: Site, statement: str) -> None:
    engine = sa.create_engine(f"sqlite:///{site.audit}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_claims_in_doubt_are_resolved_and_a_second_reconcile_does_nothing(after: Trial) -> None:
    after.sandbox.misbehave(Fault(kind="reset_after", times=3), Fault(kind="reset_before", skip=3, times=3))
    after.run(**THAT_DAY)
    assert after.site.states()["in_doubt"] == 6
    first = after.reconcile()
    assert (first.state, set(after.site.states())) == ("Completed", {"accepted"})
    assert (
        after.sandbox.stats()["accepted_keys"] == after.site.states()["accepted"] == after.sandbox.stats()["accepted"]
    )
    assert "- In doubt: **6** tried, **6** resolved\n" in report_of(first)
    after.site.set(reconcile__settled_statuses=["approved"])
    before = after.sandbox.stats()
    assert after.reconcile().message == "Done. Sent: 0; 0 transactions answered"
    assert after.sandbox.stats() == before


def test_a_dead_runs_lease_is_taken_over_after_its_time_out_and_not_before(after: Trial) -> None:
    after.site.write(MOPH_CLAIM_API__PASSWORD="another")
    after.run(**THAT_DAY)  # registers, and cannot log in
    after.site.write(MOPH_CLAIM_API__PASSWORD=after.site.account.password)
    script = [sys.executable, "-c", DEAD_RUN, f"sqlite:///{after.site.audit}", DAY.isoformat()]
    assert subprocess.run(script, check=False, timeout=300).returncode == -signal.SIGKILL
    assert after.site.states()["sending"] == 5
    after.site.set(audit__lock_wait_seconds=0)
    early = after.reconcile()
    assert early.state == "Failed"
    assert early.message.startswith("Another run of facility 10953 is under way")
    assert submissions(after) == 0
    write(after.site, "update facility_lock set expires_at = '2020-01-01 00:00:00.000000'")
    late = after.reconcile()
    assert (late.state, set(after.site.states())) == ("Completed", {"accepted"})
    assert "- Left in mid-sending by a run that died: **5**\n" in report_of(late)
    assert "- In doubt: **5** tried, **5** resolved\n" in report_of(late)
    assert set(after.sandbox.received().values()) == {1}


def test_held_claims_are_tried_again_until_the_right_is_closed(after: Trial) -> None:
    after.sandbox.change(no_closing_code_share=0.3)
    after.run(**THAT_DAY)
    held = after.site.states()["held"]
    assert held > 2
    again = after.reconcile()
    assert after.site.states()["held"] == held
    assert f"- Held: **{held}** tried again, **0** accepted\n" in report_of(again)
    assert f"- Left for the next run: **{held}** claims (" in report_of(again)
    after.sandbox.change(no_closing_code_share=0)
    closed = after.reconcile()
    assert closed.message.startswith(f"Done. Sent: accepted {held};")
    assert f"- Held: **{held}** tried again, **{held}** accepted\n" in report_of(closed)
    assert "- Left for the next run: **0** claims (0 baht)" in report_of(closed)
    assert set(after.site.states()) == {"accepted"}


@pytest.mark.slow
def test_claims_held_beyond_the_window_are_given_up_listed_and_sent_no_more(
    after: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    after.sandbox.change(no_closing_code_share=0.3)
    after.run(**THAT_DAY)
    held = after.site.states()["held"]
    monkeypatch.setattr("flows.runs.reconcile.today", lambda: DAY + timedelta(days=30))
    after.reconcile()
    assert after.site.states()["held"] == held
    monkeypatch.setattr("flows.runs.reconcile.today", lambda: DAY + timedelta(days=31))
    report = report_of(after.reconcile())
    assert after.site.states()["given_up"] == held
    assert f"- Given up, after 30 days without a closing code: **{held}**\n" in report
    assert "Given up claims are not sent by themselves" in report.split("## Next steps")[1]
    listed = moph_claim(after.site.folder, "issues")
    assert listed.code == 1
    assert listed.out.count("[given up: no closing code in time]") == held
    assert "No closing code came within the days that are set" in listed.out
    after.sandbox.change(no_closing_code_share=0)
    before = submissions(after)
    after.run(**THAT_DAY)
    after.reconcile()
    assert (submissions(after), after.site.states()["given_up"]) == (before, held)
    assert after.run(**THAT_DAY, send="only failed").message == f"Done. Sent: accepted {held}"


@pytest.mark.slow
def test_claims_of_weeks_ago_that_could_not_be_sent_go(after: Trial) -> None:
    after.sandbox.misbehave(Fault(kind="503"))
    failed = after.run(**THAT_DAY)
    assert failed.state == "Failed"
    left = after.site.states()
    assert set(left) == {"ready", "retry"}
    assert f"- Left for the next run: **{sum(left.values())}** claims (" in report_of(failed)
    still = after.reconcile()
    assert (still.state, after.sandbox.stats()["accepted"]) == ("Failed", 0)
    assert report_of(still).split("## Next steps\n\n")[1].startswith(f"- {still.message}\n")
    after.sandbox.misbehave()
    assert after.reconcile().state == "Completed"
    assert after.site.states() == {"accepted": sum(left.values())}
    assert set(after.sandbox.received().values()) == {1}


@pytest.mark.slow
def test_statuses_are_kept_and_settled_ones_not_asked_again(after: Trial) -> None:
    after.run(**THAT_DAY)
    claims = after.site.states()["accepted"]
    first = after.reconcile()
    assert first.message == f"Done. Sent: 0; {claims} transactions answered"
    assert f"## What became of transactions\n\n- **{claims}** approved" in report_of(first)
    assert after.site.rows("select distinct chunk, outcome from submission where call = 'status'") == [
        {"chunk": 0, "outcome": "accepted"}
    ]
    after.sandbox.change(transaction_status="paid", transaction_status_th="จ่ายแล้ว")
    after.reconcile()
    kept = "select transaction_status, transaction_status_th, count(*) n from claim group by 1, 2"
    assert after.site.rows(kept) == [{"transaction_status": "paid", "transaction_status_th": "จ่ายแล้ว", "n": claims}]
    said = moph_claim(after.site.folder, "status")
    assert said.out.splitlines()[-2].replace("│", " ").split()[:2] == ["paid", str(claims)]
    after.site.set(reconcile__settled_statuses=["paid"])
    before = after.sandbox.stats()
    after.reconcile()
    assert after.sandbox.stats() == before


def test_a_presumed_claim_is_proved_by_its_own_status_and_by_no_others(after: Trial) -> None:
    after.site.set(api__ask_eligibility=False, api__attempts=2)
    after.sandbox.misbehave(Fault(kind="500_after", times=2))
    after.run(**THAT_DAY)
    assert after.site.states()["presumed_accepted"] == 2
    taken = {row["seq"] + row["kind"] + row["item"]: row["transaction_uid"] for row in after.sandbox.accepted()}
    presumed = after.site.rows("select id, vn || kind || item k, pid from claim where state = 'presumed_accepted'")
    mine, other = presumed
    (another,) = after.site.rows(
        f"select transaction_uid u from claim where pid <> '{other['pid']}' and state = 'accepted' limit 1"
    )
    write(after.site, f"update claim set transaction_uid = '{taken[mine['k']]}' where id = {mine['id']}")
    write(after.site, f"update claim set transaction_uid = '{another['u']}' where id = {other['id']}")
    ended = after.reconcile()
    states = after.site.rows(
        f"select id, state, transaction_status s from claim where id in ({mine['id']}, {other['id']})"
    )
    assert {row["id"]: (row["state"], row["s"]) for row in states} == {
        mine["id"]: ("accepted", "approved"),
        other["id"]: ("presumed_accepted", None),
    }
    report = report_of(ended)
    assert "- Presumed accepted, proved by their status: **1**\n" in report
    assert "- Presumed accepted, left for a person: **1**\n" in report
    assert "`moph-claim settle`" in report.split("## Next steps")[1]


@pytest.mark.slow
def test_a_server_without_the_status_call_is_one_warning(after: Trial) -> None:
    after.sandbox.misbehave(Fault(kind="not_found", on=("status",)))
    after.run(**THAT_DAY)
    ended = after.reconcile(concurrency=1)
    assert ended.state == "Completed"
    warnings = [line for level, line in ended.logs if level == 30]
    assert len(warnings) == 1
    assert warnings[0].startswith("MOPH Claim does not know the status call")
    assert f"- {warnings[0]}\n" in report_of(ended)
    assert after.sandbox.stats()["faults"] == {"not_found": 1}
    off = after.reconcile(ask_status=False)
    after.site.set(reconcile__ask_status=False)
    by_setting = after.reconcile()
    assert [line for run in (off, by_setting) for level, line in run.logs if level >= 30] == []


@pytest.mark.slow
def test_without_the_hospital_database_its_claims_wait_and_transactions_are_asked_about(
    after: Trial, small_hospital: str
) -> None:
    # Was: sent as they had been read, whatever the hospital said by then.
    after.sandbox.misbehave(Fault(kind="reset_before", times=2))
    after.run(**THAT_DAY)
    before = after.site.states()
    after.site.set(his__url="sqlite:////nowhere/hosxp.sqlite", facility__hcode="10953")
    ended = after.reconcile()
    assert (ended.state, after.site.states()) == ("Failed", before)
    assert after.sandbox.stats()["requests"]["status"] == {"200 success": before["accepted"]}
    after.site.set(his__url=small_hospital)
    assert after.reconcile().state == "Completed"
    assert set(after.site.states()) == {"accepted"}
    # With nothing that waits it needs none.
    after.site.set(his__url="sqlite:////nowhere/hosxp.sqlite")
    assert after.reconcile().state == "Completed"


def test_dry_run_says_what_it_would_do_and_does_nothing(after: Trial) -> None:
    after.sandbox.change(no_closing_code_share=0.3)
    after.sandbox.misbehave(Fault(kind="reset_after", times=2))
    after.run(**THAT_DAY)
    states, stats = after.site.states(), after.sandbox.stats()
    ended = after.reconcile(dry_run=True)
    assert ended.message == f"Dry run: {states['in_doubt'] + states['held']} claims would be sent."
    report = report_of(ended)
    assert f"(held: no closing code {states['held']}, in doubt {states['in_doubt']})" in report
    assert f"- Transactions that would be asked about: **{states['accepted']}**\n" in report
    after.site.set(reconcile__held_days=1)
    given_up = report_of(after.reconcile(dry_run=True))
    assert f"- Would be given up, after 1 days, if there is still no closing code: **{states['held']}**\n" in given_up
    assert (after.site.states(), after.sandbox.stats()) == (states, stats)


def test_nobody_stands_in_parameters_logs_artifacts_and_state(after: Trial, small_hospital: str) -> None:
    from prefect.client.orchestration import get_client

    after.sandbox.change(no_closing_code_share=0.3)
    after.sandbox.misbehave(Fault(kind="reset_after", times=2))
    after.run(**THAT_DAY)
    ended = after.reconcile()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(ended.id)
    kept = after.site.rows("select parameters, counts from run where flow = 'reconcile'")
    left = "\n".join([*artifacts_of(ended).values(), ended.text, ended.message, run.model_dump_json(), str(kept)])
    assert len(left) > 2000
    visits = {word for c in after.site.rows("select vn, hn from claim") for word in c.values()}
    assert [word for word in people_of(small_hospital) | visits if word in left] == []
    assert f"reconciled, {DAY} to {DAY}" in left


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"ask_status": "perhaps"}, "The parameter ask_status cannot be used: it is true or false."),
        ({"concurrency": 0}, "The parameter concurrency cannot be used: it is a whole number from 1 to 64."),
    ],
    ids=str,
)
def test_wrong_parameter_fails_with_one_sentence(after: Trial, parameters: dict[str, Any], sentence: str) -> None:
    ended = after.reconcile(**parameters)
    assert (ended.state, ended.message) == ("Failed", sentence)
    assert not after.site.audit.exists()


@pytest.mark.slow
def test_the_command_exits_0_1_and_2(after: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(after.site.config))
    monkeypatch.setattr("flows.cli.console.configure_prefect", lambda _: None)

    def command(*words: str) -> Any:
        said = CliRunner().invoke(app, ["reconcile", *words])
        assert "Traceback" not in said.output
        return said

    after.sandbox.change(no_closing_code_share=0.3)
    after.run(**THAT_DAY)
    held = after.site.states()["held"]
    after.site.write(MOPH_CLAIM_API__PASSWORD="another")
    refused = command()
    assert (refused.exit_code, "The log-in to MOPH Claim was refused" in refused.stderr) == (2, True)
    after.site.write(MOPH_CLAIM_API__PASSWORD=after.site.account.password)
    planned = command("--dry-run")
    assert (planned.exit_code, f"Dry run: {held} claims would be sent" in planned.output) == (1, True)
    assert command().exit_code == 1
    after.sandbox.change(no_closing_code_share=0)
    settled = command()
    assert (settled.exit_code, "What became of transactions" in settled.output) == (0, True)


def test_the_command_says_at_once_that_neither_a_facility_nor_a_his_is_set(site: Site) -> None:
    site.set(his__url="")
    assert moph_claim(site.folder, "reconcile").sentence.startswith("The address of the hospital database is not set")
    assert not (site.folder / "var").exists()

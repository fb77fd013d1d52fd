"""One night after another: what is sent, what is not sent again, and how often the program logs in."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from command_line import moph_claim
from night_shift import FIRST_DAY, LAST_DAY, Ended, Trial, artifacts_of
from up_service import until

from load.database import open_audit
from load.runs import start_run
from load.settings import AuditSettings
from sandbox.his import DENSE, HisSummary, build_hosxp
from sandbox.process import Sandbox
from sandbox.world import Fault

pytestmark = pytest.mark.xdist_group("flow_night")

ONE_DAY = {"date_from": LAST_DAY.isoformat(), "date_to": LAST_DAY.isoformat()}


def submitted(sandbox: Sandbox) -> dict[str, int]:
    """Answers to submissions, by status and message."""
    answers: dict[str, int] = {}
    for endpoint, counts in sandbox.stats()["requests"].items():
        for answer, n in counts.items():
            if endpoint.startswith("submit"):
                answers[answer] = answers.get(answer, 0) + n
    return answers


def test_second_run_of_a_night_sends_nothing_and_does_not_log_in(trial: Trial) -> None:
    first = trial.run()
    before = trial.sandbox.stats()
    second = trial.run()
    assert (first.state, second.state) == ("Completed", "Completed")
    assert before["logins"] == 1
    assert before["accepted"] == sum(trial.site.states().values()) > 50
    assert trial.sandbox.stats() == before


@pytest.mark.slow
def test_retry_of_a_finished_run_sends_nothing(trial: Trial) -> None:
    first = trial.run(**ONE_DAY)
    before = trial.sandbox.stats()
    again = trial.retry(first.id)
    assert (first.state, again.state, again.id) == ("Completed", "Completed", first.id)
    assert trial.sandbox.stats() == before
    assert before["accepted"] > 0


def test_retry_of_a_failed_run_sends_what_was_not_answered(trial: Trial) -> None:
    trial.sandbox.misbehave(Fault(kind="account_suspended", skip=10, times=1))
    first = trial.run(**ONE_DAY, chunk_size=8, concurrency=4)
    assert first.state == "Failed"
    assert trial.site.states()["accepted"] == 10
    trial.sandbox.misbehave()
    trial.sandbox.change(accounts=(trial.site.account,))
    again = trial.retry(first.id)
    assert again.state == "Completed"
    assert set(trial.site.states()) == {"accepted"}
    # Valid claims that came in, the refused account's not counted: each once.
    assert set(trial.sandbox.received().values()) == {1}
    assert trial.sandbox.stats()["accepted_keys"] == trial.site.states()["accepted"]


@pytest.mark.slow
def test_five_thousand_claims_and_a_token_that_runs_out_twice_need_three_log_ins(trial: Trial, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'dense.sqlite'}"
    dense = build_hosxp(url, first_day=FIRST_DAY, days=1, visits_a_day=4200, traps=False, mix=DENSE)
    claims = sum(dense.claims.values())
    assert 5000 <= claims < 6000
    trial.site.set(his__url=url)
    trial.sandbox.change(tokens_expire_after_claims=2000)
    assert trial.run(date_from=FIRST_DAY.isoformat(), date_to=FIRST_DAY.isoformat()).state == "Completed"
    assert trial.site.states() == {"accepted": claims}
    assert trial.sandbox.stats()["logins"] == 3
    assert trial.site.rows("select log_ins from run") == [{"log_ins": 3}]
    assert set(trial.sandbox.received().values()) == {1}


@pytest.mark.slow
def test_two_runs_at_once_never_overlap_and_send_each_claim_once(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(trial.site.config))
    ended: list[Ended] = []
    first, second = (
        threading.Thread(target=lambda: ended.append(trial.run(**ONE_DAY, concurrency=2))) for _ in range(2)
    )
    trial.sandbox.change(latency_ms=5000)  # the first is not through before the second waits
    first.start()
    until(lambda: trial.sandbox.stats()["requests"] != {})
    second.start()
    until(lambda: "waiting for run" in caplog.text)
    trial.sandbox.change(latency_ms=0)
    for thread in (first, second):
        thread.join()
    assert [run.state for run in ended] == ["Completed", "Completed"]
    assert ["waiting for run" in run.text for run in ended] == [False, True]
    one, other = trial.site.rows("select started_at, ended_at from run order by started_at")
    assert one["ended_at"] <= other["started_at"]
    assert set(trial.sandbox.received().values()) == {1}
    assert trial.sandbox.stats()["logins"] == 1


def test_run_that_finds_its_facility_held_for_too_long_says_so(trial: Trial) -> None:
    trial.site.set(audit__lock_wait_seconds=0)
    engine = open_audit(f"sqlite:///{trial.site.audit}")
    held = {"environment": "sandbox", "hcode": "10953", "flow": "other", "parameters": {}}
    with start_run(engine, AuditSettings(), **held) as other:
        ended = trial.run(**ONE_DAY)
    engine.dispose()
    assert ended.state == "Failed"
    assert ended.message == (
        f"Another run of facility 10953 is under way (run {other.id}); wait until it ends and start again."
    )
    assert trial.sandbox.stats()["requests"] == {}


@pytest.mark.slow
def test_claims_that_failed_while_others_went_are_for_a_person(trial: Trial) -> None:
    trial.site.set(api__failed_nights=1, api__breaker_pause_seconds=0.1)
    trial.sandbox.misbehave(Fault(kind="503", share=0.1))
    ended = trial.run(**ONE_DAY)
    in_vain = trial.site.states()["retry"]
    assert (ended.state, in_vain > 0) == ("Completed", True)
    report = artifacts_of(ended)["claims-report"]
    assert f"MOPH Claim failed at the same {in_vain} claims on 1 nights in a row while it answered others" in report
    listed = moph_claim(trial.site.folder, "issues")
    assert listed.out.count("MOPH Claim failed at this claim on 1 nights in a row") == in_vain


def test_too_little_room_is_said_and_nothing_is_sent(trial: Trial) -> None:
    trial.site.set(audit__free_megabytes=1_000_000)
    ended = trial.run(**ONE_DAY)
    assert ended.state == "Failed"
    assert "so nothing was sent: make room and start again" in ended.message
    assert set(trial.site.states()) == {"ready"}
    assert trial.sandbox.stats()["requests"] == {}


def test_dry_run_sends_nothing_and_registers_nothing(trial: Trial) -> None:
    ended = trial.run(**ONE_DAY, dry_run=True)
    assert ended.state == "Completed"
    assert trial.sandbox.stats()["requests"] == {}
    assert trial.site.states() == {}
    would_send = int(ended.message.split()[2])
    trial.run(**ONE_DAY)
    assert sum(trial.site.states().values()) == would_send
    assert trial.run(**ONE_DAY, dry_run=True).message == "Dry run: 0 claims would be sent."
    everything = trial.run(**ONE_DAY, dry_run=True, send="everything again")
    assert everything.message == f"Dry run: {would_send} claims would be sent."
    assert trial.sandbox.stats()["accepted"] == would_send


@pytest.mark.slow
def test_only_failed_sends_refused_claims_again_as_they_are(
    trial: Trial, hospital: tuple[str, HisSummary], tmp_path: Path
) -> None:
    # The site's own list takes influenza for an EPI vaccine; the server does not.
    ours = (Path(__file__).parents[2] / "transform" / "codes" / "vaccines.csv").read_text(encoding="utf-8")
    (tmp_path / "vaccines.csv").write_text(ours.rstrip() + "\n815,epi,Influenza,,,,,,,,,a test,\n", encoding="utf-8")
    trial.site.set(transform__codes_folder=str(tmp_path))
    assert trial.run(**ONE_DAY).state == "Completed"
    refused = trial.site.states()["correctable"]
    assert refused > 0
    refusals = {"400 invalid request body": refused}
    assert submitted(trial.sandbox).items() >= refusals.items()
    trial.run(**ONE_DAY)
    assert submitted(trial.sandbox).items() >= refusals.items()
    ended = trial.run(**ONE_DAY, send="only failed")
    assert submitted(trial.sandbox)["400 invalid request body"] == 2 * refused
    assert ended.message == f"Done. Sent: correctable {refused}"
    assert trial.sandbox.stats()["accepted"] == trial.site.states()["accepted"]


def test_held_claims_go_again_by_themselves_once_the_right_is_closed(trial: Trial) -> None:
    trial.sandbox.change(no_closing_code_share=0.2)
    trial.run(**ONE_DAY)
    held = trial.site.states()["held"]
    assert held > 0
    trial.sandbox.change(no_closing_code_share=0)
    assert trial.run(**ONE_DAY).message == f"Done. Sent: accepted {held}"
    assert set(trial.site.states()) == {"accepted"}


def test_nothing_said_means_the_seven_days_up_to_yesterday(trial: Trial) -> None:
    from core.clock import today

    trial.run(date_from=None, date_to=None)
    (run,) = trial.site.rows("select parameters from run")
    yesterday = today() - timedelta(days=1)
    assert f'"from": "{yesterday - timedelta(days=6)}", "to": "{yesterday}"' in run["parameters"]

"""`moph-claim run` told to stop: it ends within seconds whatever the server does, in order, with one sentence."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from lifeline import ending_with_parent
from night_shift import LAST_DAY, Site, Trial
from up_service import OUR_VARIABLES

from sandbox.world import Fault

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("command_stop")]

PATIENCE = 300.0
FOR_EVER = 1000.0
# What a run may take from Ctrl-C to its end, the start and end of its processes included.
SECONDS = 15.0
DRIP = Fault(kind="drip_after", hold_seconds=FOR_EVER)


def start(site: Site, server: dict[str, str]) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    day = LAST_DAY.isoformat()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "run", "--from", day, "--to", day],
        cwd=site.folder,
        env=environment | server | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=ending_with_parent(signal.SIGKILL),
    )


def until(moment: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not moment():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stop(process: "subprocess.Popen[str]", how: signal.Signals) -> tuple[float, str]:
    started = time.monotonic()
    process.send_signal(how)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, (process.returncode, out, err)
    assert "Traceback" not in out + err
    return time.monotonic() - started, err


@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("sending", signal.SIGINT),
        ("sending", signal.SIGTERM),
        ("log-in", signal.SIGHUP),
        ("eligibility", signal.SIGINT),
    ],
)
def test_a_run_ends_soon_and_in_order(
    trial: Trial, prefect_server: dict[str, str], where: str, how: signal.Signals
) -> None:
    site, sandbox = trial.site, trial.sandbox
    site.set(api__read_timeout_seconds=600)
    match where:
        case "sending":
            sandbox.misbehave(DRIP)
        case "log-in":
            sandbox.misbehave(Fault(kind="silent_before", on=("token",), hold_seconds=FOR_EVER))
        case _:
            sandbox.misbehave(Fault(kind="reset_before"))
            site.set(api__breaker_failures=4, api__breaker_pause_seconds=0, api__breaker_probes=1)
            trial.run(date_from=LAST_DAY.isoformat(), date_to=LAST_DAY.isoformat())
            assert site.states()["in_doubt"] > 0
            sandbox.misbehave(Fault(kind="drip_after", on=("eligibility",), hold_seconds=FOR_EVER))
    met = sandbox.stats()["faults"]
    process = start(site, prefect_server)
    until(lambda: sandbox.stats()["faults"] != met, process)
    seconds, said = stop(process, how)
    assert seconds < SECONDS
    assert "Stopped: answers that had come are written down" in said
    states = site.states()
    assert "sending" not in states
    *_, (last) = site.rows("select state, message_en from run order by started_at")
    assert last["state"] == "failed"
    assert "told to stop" in last["message_en"]
    assert site.rows("select * from facility_lock") == []
    sandbox.misbehave()
    sandbox.change(latency_ms=0)
    assert trial.run(date_from=LAST_DAY.isoformat(), date_to=LAST_DAY.isoformat()).state == "Completed"
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"]


@pytest.mark.parametrize("moment", ["while Prefect starts", "sending"])
def test_sigterm_leaves_no_process_behind(site: Site, moment: str) -> None:
    """Without `up`, Prefect starts a server that passes with the run."""
    site.sandbox.misbehave(DRIP)
    alone = {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true", "TMPDIR": str(site.folder)}
    process = start(site, alone)
    begun: set[psutil.Process] = set()

    def come() -> bool:
        begun.update(psutil.Process(process.pid).children(recursive=True))
        return bool(begun if moment == "while Prefect starts" else site.sandbox.stats()["faults"])

    until(come, process)
    stop(process, signal.SIGTERM)
    assert begun
    _, alive = psutil.wait_procs(begun, timeout=PATIENCE)
    assert not alive

"""`moph-claim up` watches over runs: what hangs is ended, and of what waits too long people are told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from night_shift import FIRST_DAY, Site, week_of
from up_service import ENDED, OUR_VARIABLES, PATIENCE, Service, until

from sandbox.process import running_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

LONGEST_SECONDS = 45
WAITING_SECONDS = 15


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose runs may take three quarters of a minute, and wait for a quarter."""
    his = f"sqlite:///{tmp_path_factory.mktemp('watched-his') / 'hosxp.sqlite'}"
    week_of(his)
    lines = {"service.longest_run_hours": LONGEST_SECONDS / 3600, "service.waiting_minutes": WAITING_SECONDS / 60}
    with running_sandbox() as moph:
        site = Site(tmp_path_factory.mktemp("watched") / "hospital", his=his, sandbox=moph, lines=lines)
        service = Service(site)
        service.start()
        yield service
        service.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def hung(service: Service) -> Iterator[dict[str, Any]]:
    """A run whose process hangs: it answers no signal but SIGKILL."""
    run = service.begin_long_run()
    os.kill(int(run["infrastructure_pid"]), signal.SIGSTOP)
    yield run
    with suppress(ProcessLookupError):
        os.kill(int(run["infrastructure_pid"]), signal.SIGKILL)


def alerts(service: Service) -> list[str]:
    """The sentences so far."""
    file = service.site.folder / "var" / "logs" / "alerts.log"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def test_of_a_run_that_waits_for_a_hung_one_people_are_told_once(service: Service, hung: dict[str, Any]) -> None:
    parameters = {"date_from": "2026-10-01", "date_to": "2026-10-01", "dry_run": True}
    waiting = service.ask(f"deployments/{service.deployment()['id']}/create_flow_run", parameters=parameters)
    (line,) = until(lambda: [line for line in alerts(service) if waiting["id"] in line])
    assert "minutes for its turn" in line
    assert hung["id"] not in line
    (ended,) = until(lambda: [r for r in service.runs(*ENDED) if r["id"] == waiting["id"]])
    assert ended["state_type"] == "COMPLETED", ended["state"]["message"]
    assert len([line for line in alerts(service) if waiting["id"] in line]) == 1


def test_a_hung_run_is_ended_with_a_sentence_and_its_process_is_gone(service: Service, hung: dict[str, Any]) -> None:
    (ended,) = until(lambda: [r for r in service.runs(*ENDED) if r["id"] == hung["id"]])
    until(lambda: int(hung["infrastructure_pid"]) not in service.processes())
    until(lambda: [line for line in alerts(service) if hung["id"] in line and "was ended" in line])
    assert (ended["state_type"], ended["state_name"]) == ("FAILED", "TimedOut")
    assert "service.longest_run_hours" in ended["state"]["message"]
    assert service.deployment()["global_concurrency_limit"]["active_slots"] == 0


def test_a_run_in_a_terminal_that_takes_too_long_ends_itself(tmp_path: Path) -> None:
    his = f"sqlite:///{tmp_path / 'hosxp.sqlite'}"
    week_of(his)
    with running_sandbox() as moph:
        site = Site(tmp_path / "hospital", his=his, sandbox=moph, lines={"service.longest_run_hours": 20 / 3600})
        moph.change(latency_ms=3_600_000)
        command = Path(sys.executable).with_name("moph-claim")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
        words = [command, "run", "--from", FIRST_DAY.isoformat(), "--to", FIRST_DAY.isoformat()]
        done = subprocess.run(
            words, cwd=site.folder, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode != 0
    assert "The run took longer than 0.00556 hours (service.longest_run_hours) and ends" in done.stderr

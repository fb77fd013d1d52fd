"""Cancel on Prefect's pages: a run ends within seconds whatever MOPH Claim does, and everything is recorded."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from night_shift import FIRST_DAY, LAST_DAY, Site, week_of
from up_service import ENDED, Service, until

from load.database import connect
from load.verify import verify
from sandbox.process import running_sandbox
from sandbox.world import Fault, FaultKind

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

# The run's own promise; from the click on, the worker must find out first.
SECONDS = 15.0
FOR_EVER = 1000.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    his = f"sqlite:///{tmp_path_factory.mktemp('cancelled-his') / 'hosxp.sqlite'}"
    week_of(his)
    with running_sandbox() as moph:
        lines = {"api.read_timeout_seconds": 600}
        service = Service(Site(tmp_path_factory.mktemp("cancelled") / "hospital", his=his, sandbox=moph, lines=lines))
        service.start()
        yield service
        service.stop(signal.SIGTERM)


@pytest.mark.parametrize("how", ["silent_before", "drip_after"])
def test_a_cancelled_run_ends_soon_and_in_order(service: Service, how: FaultKind) -> None:
    site, sandbox = service.site, service.site.sandbox
    sandbox.misbehave(Fault(kind=how, hold_seconds=FOR_EVER))
    met = sandbox.stats()["faults"]
    parameters = {"date_from": FIRST_DAY.isoformat(), "date_to": LAST_DAY.isoformat()}
    run = service.ask(f"deployments/{service.deployment()['id']}/create_flow_run", parameters=parameters)
    until(lambda: sandbox.stats()["faults"] != met)
    (pid,) = [int(r["infrastructure_pid"]) for r in service.runs("RUNNING") if r["id"] == run["id"]]
    cancelling = {"type": "CANCELLING", "name": "Cancelling"}
    started = time.monotonic()
    service.ask(f"flow_runs/{run['id']}/set_state", state=cancelling)
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert time.monotonic() - started < SECONDS
    (ended,) = until(lambda: [r for r in service.runs(*ENDED) if r["id"] == run["id"]])
    assert ended["state_type"] == "CANCELLED"
    assert "sending" not in site.states()
    *_, last = site.rows("select state, message_en, counts from run order by started_at")
    assert (last["state"], last["counts"] is None) == ("failed", False)
    assert "told to stop" in last["message_en"]
    assert site.rows("select * from facility_lock") == []
    engine = connect(f"sqlite:///{site.audit}")
    assert verify(engine, "sandbox").mismatch is None
    engine.dispose()

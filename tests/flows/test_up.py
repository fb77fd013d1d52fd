"""`moph-claim up`, for real: server, worker and a browser at its pages. The tests stand in the order of a day."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from night_shift import FIRST_DAY, LAST_DAY, Site, week_of
from officer import fill, rows_of
from prefect_service import free_port
from selenium.webdriver import Chrome
from up_service import CHROMIUM, ENDED, PATIENCE, Service, browser, field, find, picture, until, up

from flows.service.dead_runs import DEAD_RUNS
from flows.service.work_pool import POOL
from sandbox.process import running_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over a hospital's own folder, ready."""
    his = f"sqlite:///{tmp_path_factory.mktemp('up-his') / 'hosxp.sqlite'}"
    week_of(his)
    with running_sandbox() as moph:
        service = Service(Site(tmp_path_factory.mktemp("up") / "hospital", his=his, sandbox=moph))
        service.start()
        yield service
        if service.process.poll() is None:
            service.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def page() -> Iterator[Chrome]:
    if not all(program.exists() for program in CHROMIUM):
        if os.environ.get("CI"):
            pytest.fail("CI looks at the pages, and Chromium is missing")
        pytest.skip("chromium and chromedriver are not installed")
    with browser() as page:
        yield page


def refused(folder: Path, port: int, *options: str) -> str:
    """The one sentence it says, in English, when it does not start."""
    process = up(folder, port, *options)
    said, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (2, "")
    assert error.count("\n") == 1
    return error


def test_the_terminal_says_line_by_line_how_far_the_start_has_come(service: Service) -> None:
    assert [line.split()[0] for line in service.said] == ["1/4", "2/4", "3/4", "4/4", "Ready:"]
    assert service.url in service.said[-1]
    assert "the nightly run starts at 01:30, reconcile at 05:30" in service.said[-1]


@pytest.mark.parametrize(("name", "time"), [("nightly", (18, 30)), ("reconcile", (22, 30))])
def test_a_run_stands_scheduled_for_its_time_in_bangkok(service: Service, name: str, time: tuple[int, int]) -> None:
    deployment = service.deployment(name)["id"]
    scheduled = until(lambda: [r for r in service.runs("SCHEDULED") if r["deployment_id"] == deployment])
    at = datetime.fromisoformat(scheduled[0]["expected_start_time"]).astimezone(UTC)
    assert (at.hour, at.minute) == time


def test_the_pool_takes_runs_as_processes_of_this_machine(service: Service) -> None:
    pool = service.look(f"work_pools/{POOL}")
    assert (pool["type"], pool["status"]) == ("process", "READY")


def test_a_run_that_is_silent_for_90_seconds_will_be_crashed(service: Service) -> None:
    (watch,) = [a for a in service.ask("automations/filter") if a["name"] == DEAD_RUNS]
    assert (watch["enabled"], watch["trigger"]["within"]) == (True, 90)
    assert [a["state"] for a in watch["actions"]] == ["CRASHED"]


def test_telemetry_is_off(service: Service) -> None:
    assert service.look("admin/settings")["server"]["analytics_enabled"] is False


def test_what_it_writes_is_for_its_owner_alone(service: Service) -> None:
    files = [path for path in (service.site.folder / "var").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if path.stat().st_mode & 0o077]


def submit(service: Service, page: Chrome) -> dict[str, Any]:
    """Press the form's button, again where Prefect's SQLite was busy and said so, as a person would."""
    for _ in range(10):
        for button in page.find_elements("xpath", "//button[contains(., 'Submit')]"):
            button.click()
        with suppress(AssertionError):
            return dict(until(lambda: service.by_hand(), seconds=10)[0])
    raise AssertionError("the form started no run")


def test_a_run_from_the_form_ends_in_the_audit_table(service: Service, page: Chrome) -> None:
    service.log_in(page)
    page.get(f"{service.url}/deployments/deployment/{service.deployment()['id']}/run")
    for name, day in (("date_from", FIRST_DAY), ("date_to", LAST_DAY)):
        find(page, field(name, "button[contains(., 'date')]")).click()
        find(page, field(name, "input[@type='date']")).send_keys(f"{day:%m%d%Y}")
    assert find(page, field("send", "select")).text.split("\n") == ["new and due", "only failed", "everything again"]
    picture(page, "run-form", 1180, 1840)
    begun = submit(service, page)
    run = until(lambda: [r for r in service.by_hand(*ENDED) if r["id"] == begun["id"]])[0]
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    assert run["parameters"]["date_from"] == FIRST_DAY.isoformat()
    assert service.site.states()["accepted"] > 0

    page.get(f"{service.url}/runs/flow-run/{run['id']}")
    find(page, "//*[contains(@class, 'state-badge')][contains(., 'Completed')]")
    find(page, "//*[contains(., 'Finished in state Completed')]")
    picture(page, "run-page", 1180, 1500)
    artifacts = {a["key"]: a for a in service.ask("artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})}
    assert artifacts["claims-progress"]["data"] == 100
    assert "sending" not in artifacts["claims-report"]["data"]
    page.get(f"{service.url}/artifacts/artifact/{artifacts['claims-report']['id']}")
    find(page, f"//h1[contains(., '{FIRST_DAY} to {LAST_DAY}')]")
    picture(page, "claims-report", 1180, 1500)


def test_a_workbook_put_into_the_inbox_is_imported_within_a_minute(service: Service, tmp_path: Path) -> None:
    inbox = service.site.folder / "var" / "inbox"
    book = fill(tmp_path / "claims.xlsx", rows_of(service.site.values["his.url"], [FIRST_DAY]))
    # As most programs do: written elsewhere, then put there whole.
    shutil.copyfile(book, inbox / ".claims.part")
    (inbox / ".claims.part").rename(inbox / "claims.xlsx")
    until(lambda: (inbox / "done" / "claims.result.xlsx").is_file())
    deployment = service.deployment("inbox")["id"]
    (run,) = until(lambda: [r for r in service.runs(*ENDED) if r["deployment_id"] == deployment])
    assert (run["state_type"], run["parameters"]) == ("COMPLETED", {})
    assert service.site.rows("select 1 from workbook_row")
    assert [path.name for path in inbox.iterdir() if path.is_file()] == []


def test_a_run_whose_process_is_killed_is_crashed_at_once(service: Service) -> None:
    run = service.begin_long_run()
    os.kill(int(run["infrastructure_pid"]), signal.SIGKILL)
    until(lambda: [r for r in service.runs("CRASHED") if r["id"] == run["id"]])


def test_a_port_that_is_taken_is_one_sentence(service: Service) -> None:
    assert "try another --port" in refused(service.site.folder, service.port)


def test_a_second_service_over_the_same_folder_is_one_sentence(service: Service) -> None:
    assert f"already works over this folder, at {service.url}" in refused(service.site.folder, free_port())


def test_a_folder_without_settings_is_one_sentence(tmp_path: Path) -> None:
    assert "his.url" in refused(tmp_path, free_port())
    assert not list(tmp_path.iterdir())


def test_after_a_power_cut_no_dead_run_keeps_others_waiting(service: Service) -> None:
    dead = service.begin_long_run()
    # All stand still first, so that none sees another go.
    for what in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (service.process.pid, *service.processes()):
            with suppress(ProcessLookupError):  # it has ended by itself just now
                os.kill(pid, what)
    service.process.wait()
    service.start()
    assert dead["id"] in [r["id"] for r in service.runs("CRASHED")]
    assert service.deployment()["global_concurrency_limit"]["active_slots"] == 0


def test_one_ctrl_c_ends_server_worker_and_the_run_under_way(service: Service) -> None:
    run = service.begin_long_run()
    # Not how many there are: Python asks `file`, where there is one, what machine this is, and Prefect has helpers too.
    server, worker = (service.process_of(part) for part in ("server", "worker"))
    assert {server, worker, int(run["infrastructure_pid"])} <= set(service.processes())
    assert service.stop(signal.SIGINT).splitlines() == ["Stopping ...", "Stopped."]
    assert service.process.returncode == 0
    assert service.processes() == []
    with sqlite3.connect(service.site.folder / "var" / "prefect" / "prefect.db") as prefect:
        rows = prefect.execute("select state_type from flow_run where id = ?", (run["id"],))
        assert rows.fetchall() == [("CRASHED",)]

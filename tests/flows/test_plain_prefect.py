"""The timetable with Prefect's own commands, as docs/operations.md has it: with the password, without `moph-claim up`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from lifeline import ending_with_parent
from night_shift import Site, week_of
from prefect_service import prefect_server
from up_service import ENDED, PATIENCE, until

from flows.service.deployments import TIMETABLE
from flows.service.work_pool import JOB_TEMPLATE, POOL
from sandbox.process import running_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("service")]

PASSWORD = "officer:a-long-password"


def test_a_run_of_the_timetable_completes(tmp_path: Path) -> None:
    his = f"sqlite:///{tmp_path / 'hosxp.sqlite'}"
    week_of(his)
    with (
        running_sandbox() as moph,
        prefect_server(tmp_path / "server", PREFECT_SERVER_API_AUTH_STRING=PASSWORD) as found,
    ):
        site = Site(tmp_path / "hospital", his=his, sandbox=moph)
        url = found["PREFECT_API_URL"]
        variables = {**found, "PREFECT_API_AUTH_STRING": PASSWORD, "MOPH_CLAIM_FOLDER": str(site.folder)}
        env = {**os.environ, **variables, "TMPDIR": str(tmp_path)}
        project = TIMETABLE.parent

        def prefect(*words: str) -> None:
            command = [sys.executable, "-m", "prefect", *words]
            done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        def ask(path: str, **body: Any) -> Any:
            reply = requests.post(f"{url}/{path}", json=body, auth=("officer", "a-long-password"), timeout=PATIENCE)
            reply.raise_for_status()
            return reply.json()

        prefect("work-pool", "create", POOL, "--type", "process", "--base-job-template", str(JOB_TEMPLATE))
        prefect("deploy", "--all")
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL],
                cwd=project, env=env, stdout=log, stderr=log, preexec_fn=ending_with_parent(),
            )  # fmt: skip
        try:
            nightly = next(each for each in ask("deployments/filter") if each["name"] == "nightly")
            run = ask(f"deployments/{nightly['id']}/create_flow_run", parameters={"dry_run": True})["id"]
            ended = {"state": {"type": {"any_": list(ENDED)}}}
            (done,) = until(lambda: [each for each in ask("flow_runs/filter", flow_runs=ended) if each["id"] == run])
        finally:
            worker.terminate()
            worker.wait(PATIENCE)
        assert done["state_type"] == "COMPLETED", done["state"]["message"]
        assert list((site.folder / "var" / "reports").glob("*.md"))

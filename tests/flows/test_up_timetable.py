"""The timetable in `prefect.yaml`, without a server."""

import inspect
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.utilities.importtools import import_object

from flows.service.deployments import TIMETABLE
from flows.service.work_pool import POOL

DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load(TIMETABLE.read_text(encoding="utf-8"))["deployments"]
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: str(d["name"]))


@each_deployment
def test_its_entrypoint_is_a_flow(deployment: dict[str, Any]) -> None:
    assert isinstance(import_object(deployment["entrypoint"]), Flow)


@each_deployment
def test_what_it_and_its_schedules_set_fits_the_flow(deployment: dict[str, Any]) -> None:
    flow = import_object(deployment["entrypoint"])
    signature = inspect.signature(flow.fn)
    for schedule in deployment.get("schedules", ()):
        given = {**deployment.get("parameters", {}), **schedule.get("parameters", {})}
        flow.validate_parameters(dict(signature.bind(**given).arguments))


@each_deployment
def test_its_flow_takes_the_name_of_one_of_several_facilities(deployment: dict[str, Any]) -> None:
    flow = import_object(deployment["entrypoint"])
    assert flow.validate_parameters({"facility": "hospital"})["facility"] == "hospital"


@each_deployment
def test_its_times_are_bangkok_times(deployment: dict[str, Any]) -> None:
    assert {schedule["timezone"] for schedule in deployment.get("schedules", ())} <= {"Asia/Bangkok"}


@each_deployment
def test_no_run_of_it_is_cancelled_because_another_is_under_way(deployment: dict[str, Any]) -> None:
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


@each_deployment
def test_it_runs_in_the_pool_that_up_makes(deployment: dict[str, Any]) -> None:
    assert deployment["work_pool"]["name"] == POOL


def test_what_the_night_left_is_seen_to_in_the_morning() -> None:
    times = {d["name"]: d["schedules"][0]["cron"] for d in DEPLOYMENTS if "schedules" in d}
    assert times == {"nightly": "30 1 * * *", "reconcile": "30 5 * * *"}

"""The timetable: the deployments in `prefect.yaml`; with several facilities, one set of them for each."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flows.settings.model import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

TIMETABLE = Path(__file__).parents[2] / "prefect.yaml"
INBOX = "inbox"
"""The deployment that imports workbooks."""
PAGE_SIZE = 200
"""Deployments a request; the server gives no more."""


def write_timetable(settings: Settings) -> Path:
    """The file for `prefect deploy`: `prefect.yaml` itself; with several facilities, a file made from it."""
    if not settings.facilities:
        return TIMETABLE
    path = settings.data_folder / "prefect" / "timetable.yaml"
    content = yaml.safe_load(TIMETABLE.read_text(encoding="utf-8"))
    content["deployments"] = deployments(settings)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def deployments(settings: Settings) -> list[dict[str, Any]]:
    """The deployments of all facilities, in the form of `prefect.yaml`."""
    keys = [facility.facility_key for facility in settings.each()]
    return [_for_facility(deployment, key) for key in keys for deployment in _template()]


def deployment_name(name: str, facility: str) -> str:
    """A deployment's name for a facility; the name itself where there is only one facility ("")."""
    return f"{name}-{facility}" if facility else name


async def remove_obsolete(client: "PrefectClient", settings: Settings) -> None:
    """Remove our deployments of facilities that are no longer configured; deployments that a person made stay."""
    names = {d["entrypoint"]: d["name"] for d in _template()}
    wanted = {(d["entrypoint"], d["name"]) for d in deployments(settings)}
    for deployment in await _deployed(client):
        entrypoint, facility = deployment.entrypoint or "", deployment.parameters.get("facility", "")
        ours = entrypoint in names and deployment.name == deployment_name(names[entrypoint], facility)
        if ours and (entrypoint, deployment.name) not in wanted:
            await client.delete_deployment(deployment.id)


async def _deployed(client: "PrefectClient") -> "list[DeploymentResponse]":
    # Imported late: Prefect reads its settings when it is imported.
    from prefect.client.schemas.sorting import DeploymentSort

    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(limit=PAGE_SIZE, offset=len(found), sort=DeploymentSort.NAME_ASC):
        found += page
    return found


def _template() -> list[dict[str, Any]]:
    return list(yaml.safe_load(TIMETABLE.read_text(encoding="utf-8"))["deployments"])


def _for_facility(deployment: dict[str, Any], facility: str) -> dict[str, Any]:
    if not facility:
        return deployment
    return deployment | {
        "name": deployment_name(deployment["name"], facility),
        "description": f"{facility}: {deployment['description']}",
        "tags": [*deployment["tags"], facility],
        "parameters": {**deployment["parameters"], "facility": facility},
    }

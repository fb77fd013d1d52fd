"""The timetable: `prefect.yaml` as it stands for one facility; where there are several, the same for each of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flows.settings.model import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

TIMETABLE = Path(__file__).parents[2] / "prefect.yaml"
INBOX = "inbox"
# What the server gives at once.
PAGE = 200


def write_timetable(settings: Settings) -> Path:
    """The file that `prefect deploy` is given: with several facilities, one made of `prefect.yaml`."""
    if not settings.facilities:
        return TIMETABLE
    path = settings.data_folder / "prefect" / "timetable.yaml"
    whole = yaml.safe_load(TIMETABLE.read_text(encoding="utf-8"))
    whole["deployments"] = deployments(settings)
    path.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def deployments(settings: Settings) -> list[dict[str, Any]]:
    """The deployments of every facility, as `prefect.yaml` would have them."""
    return [_of(deployment, one.facility_key) for one in settings.each() for deployment in _template()]


def name_for(name: str, facility: str) -> str:
    """A deployment's name for one of several facilities."""
    return f"{name}-{facility}" if facility else name


async def remove_former(client: "PrefectClient", settings: Settings) -> None:
    """Remove the deployments of facilities that are configured no longer; those that a person has made stay."""
    names = {d["entrypoint"]: d["name"] for d in _template()}
    wanted = {(d["entrypoint"], d["name"]) for d in deployments(settings)}
    for deployment in await _deployed(client):
        entrypoint, facility = deployment.entrypoint or "", deployment.parameters.get("facility", "")
        ours = entrypoint in names and deployment.name == name_for(names[entrypoint], facility)
        if ours and (entrypoint, deployment.name) not in wanted:
            await client.delete_deployment(deployment.id)


async def _deployed(client: "PrefectClient") -> "list[DeploymentResponse]":
    # Imported late: Prefect reads its settings when it is imported.
    from prefect.client.schemas.sorting import DeploymentSort

    found: list[DeploymentResponse] = []
    while some := await client.read_deployments(limit=PAGE, offset=len(found), sort=DeploymentSort.NAME_ASC):
        found += some
    return found


def _template() -> list[dict[str, Any]]:
    return list(yaml.safe_load(TIMETABLE.read_text(encoding="utf-8"))["deployments"])


def _of(deployment: dict[str, Any], facility: str) -> dict[str, Any]:
    if not facility:
        return deployment
    return deployment | {
        "name": name_for(deployment["name"], facility),
        "description": f"{facility}: {deployment['description']}",
        "tags": [*deployment["tags"], facility],
        "parameters": {**deployment["parameters"], "facility": facility},
    }

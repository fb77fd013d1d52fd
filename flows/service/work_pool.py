"""The work pool: a queue in Prefect's server from which workers take runs and start each as a process."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Prefect reads its settings when it is imported: only once `configure_prefect` has written them.
if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

POOL = "moph-claim"
WORKER = "here"
"""This machine's worker; workers of other machines that join the pool have names of their own."""
JOB_TEMPLATE = Path(__file__).with_name("job_template.json")
"""How a run's process is started: as the worker does by itself. No deployment and no run may name another command,
environment or working folder: Prefect's own template has a variable for each."""


async def secure_work_pool(client: "PrefectClient") -> None:
    """Create the pool where there is none, and give one that is there our job template, whatever it has."""
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    template: dict[str, Any] = json.loads(JOB_TEMPLATE.read_text(encoding="utf-8"))
    try:
        found = await client.read_work_pool(POOL)
    except ObjectNotFound:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
        return
    if found.base_job_template != template:
        await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


async def has_worker() -> bool:
    """Whether a worker has joined the pool."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import WorkPoolStatus

    async with get_client() as client:
        return (await client.read_work_pool(POOL)).status == WorkPoolStatus.READY

"""The work pool: a queue in Prefect's server from which workers take runs and start each as a process."""

from typing import TYPE_CHECKING

# Prefect reads its settings when it is imported: only once `configure_prefect` has written them.
if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

POOL = "moph-claim"
WORKER = "here"
"""This machine's worker; workers of other machines that join the pool have names of their own."""


async def create_work_pool(client: "PrefectClient") -> None:
    """Create the pool where there is none; one that a person has changed in the UI stays as it is."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))


async def has_worker() -> bool:
    """Whether a worker has joined the pool."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import WorkPoolStatus

    async with get_client() as client:
        return (await client.read_work_pool(POOL)).status == WorkPoolStatus.READY

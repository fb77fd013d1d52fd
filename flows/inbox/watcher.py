"""`moph-claim up` polls the inbox and starts a run of `import-workbook` when there is a new workbook."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx

from flows.inbox.folder import Inbox
from load.workbook_rows import FLOW

POLL_SECONDS = 2
RETRY_SECONDS = 300
"""If files are still there this long after a run was started for them, another run is started."""


class InboxWatcher:
    """Watches one inbox.

    Args:
        inbox: The inbox.
        deployment: Name of the deployment that imports its files.
    """

    def __init__(self, inbox: Inbox, deployment: str) -> None:
        self._inbox = inbox
        self._deployment = f"{FLOW}/{deployment}"
        self._next_poll = 0.0
        self._seen: frozenset[Path] = frozenset()
        self._retry_at = 0.0
        self._run: UUID | None = None

    def poll(self) -> None:
        """Start a run if there are new files and the last run has ended; does nothing within POLL_SECONDS."""
        if time.monotonic() < self._next_poll:
            return
        self._next_poll = time.monotonic() + POLL_SECONDS
        # A shared folder may be unreachable for a while, or the server busy: the next poll tries again.
        with suppress(OSError, httpx.HTTPError):
            waiting = frozenset(self._inbox.waiting())
            self._seen &= waiting  # a name that disappeared and came back is a new file
            new = waiting - self._seen
            if not new and (not waiting or time.monotonic() < self._retry_at):
                return
            if run := asyncio.run(_start_import(self._deployment, self._run)):
                self._run, self._seen, self._retry_at = run, waiting, time.monotonic() + RETRY_SECONDS


async def _start_import(name: str, last: UUID | None) -> UUID | None:
    """Start a run, unless the last one still runs or another that has not begun yet will find the files too.

    Args:
        name: The deployment, as flow/deployment.
        last: The run that was started last.

    Returns:
        The run that will find the files; None while the last one runs.
    """
    # Imported late: Prefect reads its settings when it is imported.
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.exceptions import ObjectNotFound

    not_begun = filters.FlowRunFilterState(
        type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
    )
    async with get_client() as client:
        if last:
            with suppress(ObjectNotFound):  # a person has deleted it
                state = (await client.read_flow_run(last)).state
                if state and not state.is_final():
                    return None
        deployment = await client.read_deployment_by_name(name)
        runs = await client.read_flow_runs(
            flow_run_filter=filters.FlowRunFilter(state=not_begun),
            deployment_filter=filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[deployment.id])),
        )
        of_all_files = [run for run in runs if not run.parameters.get("file")]
        return (of_all_files[0] if of_all_files else await client.create_flow_run_from_deployment(deployment.id)).id

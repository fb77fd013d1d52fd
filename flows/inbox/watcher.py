"""The eye on the inbox, kept by `moph-claim up`: a run of `import-workbook` is started when a workbook lies there."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx

from flows.inbox.folder import Inbox

FLOW = "import-workbook"
LOOK_SECONDS = 2
# Files that a run was started for are left to it; only when it came to nothing is another started.
AGAIN_SECONDS = 300


class InboxWatch:
    """Looks now and then.

    Args:
        inbox: What to look at.
        deployment: The name of the deployment that imports it.
    """

    def __init__(self, inbox: Inbox, deployment: str) -> None:
        self._inbox = inbox
        self._deployment = f"{FLOW}/{deployment}"
        self._next_look = 0.0
        self._seen: frozenset[Path] = frozenset()
        self._again_at = 0.0
        self._run: UUID | None = None

    def look(self) -> None:
        """Start a run where something new waits and the last run has ended; called again and again."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        # A shared folder may be away for a while, a server busy: they are asked again at the next look.
        with suppress(OSError, httpx.HTTPError):
            waiting = frozenset(self._inbox.waiting())
            self._seen &= waiting  # a name that was gone and is there again is another file
            new = waiting - self._seen
            if not new and (not waiting or time.monotonic() < self._again_at):
                return
            if run := asyncio.run(_start_import(self._deployment, self._run)):
                self._run, self._seen, self._again_at = run, waiting, time.monotonic() + AGAIN_SECONDS


async def _start_import(name: str, last: UUID | None) -> UUID | None:
    """Start a run once the last one has ended, unless another that has not begun yet will see the files too.

    Args:
        name: The deployment.
        last: The run that was started last.

    Returns:
        The run that will see the files; None while the last is at work.
    """
    # Imported late: Prefect reads its settings when it is imported.
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.exceptions import ObjectNotFound

    to_begin = filters.FlowRunFilterState(
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
            flow_run_filter=filters.FlowRunFilter(state=to_begin),
            deployment_filter=filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[deployment.id])),
        )
        of_all = [run for run in runs if not run.parameters.get("file")]
        return (of_all[0] if of_all else await client.create_flow_run_from_deployment(deployment.id)).id

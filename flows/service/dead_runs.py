"""Runs whose process is gone: they are marked Crashed, so that a person sees it and the next run can start.

A run that stays Running keeps its deployment's only concurrency slot, and every later run waits for ever.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from flows.service.prefect_config import HEARTBEAT_SECONDS
from flows.service.work_pool import POOL, WORKER

# Prefect reads its settings when it is imported: only once `configure_prefect` has written them.
if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

DEAD_RUNS = "moph-claim: end dead runs"
"""The automation's name."""
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
"""A run is dead when three heartbeats are missing."""


async def crash_interrupted_runs(client: "PrefectClient") -> None:
    """Mark this machine's runs that a power cut interrupted; to be called before the worker starts.

    The automation does not: its timers were lost with the server.
    """
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Crashed

    states = filters.FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
    for run in await client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(state=filters.FlowRunFilterState(type=states)),
        work_pool_filter=filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=[POOL])),
    ):
        if run.labels.get("prefect.worker.name") == WORKER:
            crashed: State[None] = Crashed(message="The machine or the service stopped in mid-run.")
            await client.set_flow_run_state(run.id, crashed, force=True)


async def create_automation(client: "PrefectClient") -> None:
    """Let the server mark every run that has gone silent, on whichever machine it runs.

    An automation of that name which is there already is replaced: an automation can start programs, and this one does
    only what is written here.
    """
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    for found in await client.read_automations_by_name(DEAD_RUNS):
        await client.delete_automation(found.id)
    ended = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    seconds = int(SILENCE.total_seconds())
    await Automation(
        name=DEAD_RUNS,
        description=f"A run that was silent for {seconds} seconds is Crashed; the next run takes up its claims.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | ended,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"No heartbeat for {seconds} seconds.")],
    ).acreate()

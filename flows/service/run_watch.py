"""`moph-claim up` watches over runs: what takes too long is ended, and of what waits too long for its turn people are told."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psutil

from core.messages import Message
from flows.service.processes import descendants, end_tree
from flows.service.work_pool import POOL, WORKER
from flows.settings.sections import ServiceSettings

# Prefect reads its settings when it is imported: only once `configure_prefect` has written them.
if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, StateType

CHECK_SECONDS = 20
PAGE = 200
"""Runs a request; those due first come first."""
RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"
"""In the environment of a run's process and of all that it starts."""
WAITING_STATES = ("Late", "Pending", "AwaitingConcurrencySlot")


class RunWatch:
    """Watches over the runs of the work pool.

    Args:
        settings: How long a run may take, and may wait.
        url: The address of the pages, for the sentences.
        tell: Called with a sentence for people, once a run.
    """

    def __init__(self, settings: ServiceSettings, url: str, tell: Callable[[Message], None]) -> None:
        self._longest = timedelta(hours=settings.longest_run_hours)
        self._patience = timedelta(minutes=settings.waiting_minutes)
        self._url = url
        self._tell = tell
        self._next_poll = 0.0
        self._waits_since: dict[UUID, datetime] = {}
        self._told: set[UUID] = set()

    def poll(self) -> None:
        """End what takes too long and tell of what waits too long; does nothing within CHECK_SECONDS."""
        if time.monotonic() < self._next_poll:
            return
        self._next_poll = time.monotonic() + CHECK_SECONDS
        self._end_processes()
        # The server may be busy: the next poll asks again.
        with suppress(OSError, httpx.HTTPError):
            asyncio.run(self._look())

    def _end_processes(self) -> None:
        """End the processes of runs here that have run for too long, whatever the server believes of them."""
        for run, process in processes_of_runs().items():
            if time.time() - process.create_time() > self._longest.total_seconds():
                # First the state: what the run says of its own end does not change it any more.
                with suppress(OSError, httpx.HTTPError):
                    asyncio.run(_time_out(run, self._longest))
                end_tree(process)
                self._tell(self._fill(_ENDED, run, _hours(self._longest)))

    async def _look(self) -> None:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.objects import StateType

        now = datetime.now(UTC)
        async with get_client() as client:
            waiting = await _runs(client, StateType.SCHEDULED, StateType.PENDING)
            self._tell_of_waiting([run for run in waiting if _is_due(run, now)], now)
            for run in await _runs(client, StateType.RUNNING):
                if run.labels.get("prefect.worker.name") != WORKER and _age(run, now) > self._longest:
                    await _cancel(client, run.id)
                    self._tell_once(run.id, self._fill(_CANCELLED, run.id, _hours(self._longest)))

    def _tell_of_waiting(self, runs: "list[FlowRun]", now: datetime) -> None:
        # While a run waits for its turn, Prefect plans it anew every half minute: when it was due first, only we know.
        first = {run.id: min(run.expected_start_time or now, now) for run in runs}
        self._waits_since = {run: min(self._waits_since.get(run, since), since) for run, since in first.items()}
        for run in runs:
            waited = now - self._waits_since[run.id]
            if waited > self._patience:
                name = run.state_name if run.state_name in WAITING_STATES else "Scheduled"
                self._tell_once(run.id, self._fill(_WAITS, run.id, f"{waited.total_seconds() / 60:.0f}", name))

    def _tell_once(self, run: UUID, message: Message) -> None:
        if run not in self._told:
            self._told.add(run)
            self._tell(message)

    def _fill(self, message: Message, run: UUID, length: str, state: str = "") -> Message:
        return message.fill(run=f"{self._url}/runs/flow-run/{run}", length=length, state=state)


def processes_of_runs() -> dict[UUID, psutil.Process]:
    """The outermost process of each run that this process's worker has started."""
    found: dict[UUID, psutil.Process] = {}
    for process in sorted(descendants(), key=lambda each: each.create_time()):
        with suppress(psutil.Error, ValueError):  # it has ended just now
            if run := process.environ().get(RUN_VARIABLE):
                found.setdefault(UUID(run), process)
    return found


async def _runs(client: "PrefectClient", *types: "StateType") -> "list[FlowRun]":
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import FlowRunSort

    state = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[*types]))
    return await client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(state=state),
        work_pool_filter=filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=[POOL])),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=PAGE,
    )


def _is_due(run: "FlowRun", now: datetime) -> bool:
    if run.state is not None and (run.state.is_pending() or run.state.name == "AwaitingConcurrencySlot"):
        return True
    return run.expected_start_time is not None and run.expected_start_time <= now


def _age(run: "FlowRun", now: datetime) -> timedelta:
    """Since when it has been running; a run that was begun anew counts from then."""
    return now - run.state.timestamp if run.state is not None else timedelta()


async def _time_out(run: UUID, longest: timedelta) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import State
    from prefect.states import Failed

    state: State[None] = Failed(name="TimedOut", message=str(_TIMED_OUT.fill(length=_hours(longest))))
    async with get_client() as client:
        await client.set_flow_run_state(run, state, force=True)


async def _cancel(client: "PrefectClient", run: UUID) -> None:
    """Have the worker of another machine end it."""
    from prefect.client.schemas.objects import State
    from prefect.states import Cancelling

    state: State[None] = Cancelling()
    await client.set_flow_run_state(run, state)


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:.3g}"


_TIMED_OUT = Message(
    "รอบนี้ทำงานนานเกิน {length} ชั่วโมง (service.longest_run_hours) จึงถูกหยุด ที่เหลือรอบหน้าทำต่อ",
    "The run took longer than {length} hours (service.longest_run_hours) and was ended; the next one does the rest.",
)
_ENDED = Message(
    "{run} ทำงานนานเกิน {length} ชั่วโมง (service.longest_run_hours) จึงถูกหยุด ที่เหลือรอบหน้าทำต่อ",
    "{run} took longer than {length} hours (service.longest_run_hours) and was ended; the next run does the rest.",
)
_CANCELLED = Message(
    "{run} บนเครื่องอื่นทำงานนานเกิน {length} ชั่วโมง (service.longest_run_hours) สั่งหยุดแล้ว",
    "{run}, on another machine, took longer than {length} hours (service.longest_run_hours): it is being cancelled.",
)
_WAITS = Message(
    "{run} รอคิวมา {length} นาทีแล้ว ({state}) กรุณาดูว่ารอบอื่นค้างอยู่ หรือไม่มีตัวทำงาน",
    "{run} has waited {length} minutes for its turn ({state}): look whether another run hangs, or no worker takes it.",
)

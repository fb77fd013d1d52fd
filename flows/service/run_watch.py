"""`moph-claim up` watches over runs: what takes too long is ended, and of what waits too long for its turn people are told."""

import asyncio
import time
from collections.abc import Callable, Iterable
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


class Ages:
    """How long each of some runs has been seen, by a clock that nobody sets."""

    def __init__(self) -> None:
        self._since: dict[UUID, float] = {}

    def of(self, runs: Iterable[UUID]) -> dict[UUID, timedelta]:
        """The age of each; what is not among them any more is forgotten."""
        now = time.monotonic()
        self._since = {run: self._since.get(run, now) for run in runs}
        return {run: timedelta(seconds=now - since) for run, since in self._since.items()}


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
        self._here, self._elsewhere, self._waiting = Ages(), Ages(), Ages()
        self._told: set[UUID] = set()

    def poll(self) -> None:
        """End what takes too long and tell of what waits too long; does nothing within CHECK_SECONDS."""
        if time.monotonic() < self._next_poll:
            return
        self._next_poll = time.monotonic() + CHECK_SECONDS
        self._end_processes()
        # The server may be busy: the next poll asks again.
        with suppress(OSError, httpx.HTTPError):
            asyncio.run(self._ask_server())

    def _end_processes(self) -> None:
        """End the processes of runs here that have run for too long, whatever the server believes of them."""
        processes = processes_of_runs()
        for run, age in self._here.of(processes).items():
            if age > self._longest:
                # First the state: what the run says of its own end does not change it any more. The server may be busy.
                with suppress(OSError, httpx.HTTPError):
                    asyncio.run(_time_out(run, self._longest))
                end_tree(processes[run])
                self._tell(self._fill(_ENDED, run, _hours(self._longest)))

    async def _ask_server(self) -> None:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.objects import StateType

        now = datetime.now(UTC)
        async with get_client() as client:
            due = [run for run in await _runs(client, StateType.SCHEDULED, StateType.PENDING) if _is_due(run, now)]
            running = await _runs(client, StateType.RUNNING)
            elsewhere = [run.id for run in running if run.labels.get("prefect.worker.name") != WORKER]
            for run, age in self._elsewhere.of(elsewhere).items():
                if age > self._longest:
                    await _cancel(client, run)
                    self._tell_once(run, self._fill(_CANCELLED, run, _hours(self._longest)))
        self._tell_of_waiting({run.id: run.state_name or "" for run in due})

    def _tell_of_waiting(self, states: dict[UUID, str]) -> None:
        for run, age in self._waiting.of(states).items():
            if age > self._patience:
                state = states[run] if states[run] in WAITING_STATES else "Scheduled"
                self._tell_once(run, self._fill(_WAITS, run, f"{age.total_seconds() / 60:.0f}", state))

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
        with suppress(psutil.Error, OSError, ValueError):  # it has ended just now
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


async def _time_out(run: UUID, longest: timedelta) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import State
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Failed

    state: State[None] = Failed(name="TimedOut", message=str(_TIMED_OUT.fill(length=_hours(longest))))
    async with get_client() as client:
        with suppress(ObjectNotFound):  # a person has deleted it
            await client.set_flow_run_state(run, state, force=True)


async def _cancel(client: "PrefectClient", run: UUID) -> None:
    """Have the worker of another machine end it."""
    from prefect.client.schemas.objects import State
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Cancelling

    state: State[None] = Cancelling()
    with suppress(ObjectNotFound):  # a person has deleted it
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

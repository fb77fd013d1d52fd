"""Ages of runs, and what people are told, without a server."""

import time
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.messages import Message
from flows.service.run_watch import Ages, RunWatch
from flows.settings.sections import ServiceSettings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test sets."""
    at = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    return at


def test_an_age_counts_from_the_first_sight_and_ends_with_it(clock: list[float]) -> None:
    ages, run = Ages(), uuid4()
    assert ages.of([run]) == {run: timedelta()}
    clock[0] += 90
    assert ages.of([run]) == {run: timedelta(seconds=90)}
    assert ages.of([]) == {}
    assert ages.of([run]) == {run: timedelta()}


def test_the_wall_clock_may_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    ages, run = Ages(), uuid4()
    ages.of([run])
    monkeypatch.setattr(time, "time", lambda: 10**10)
    assert ages.of([run])[run] < timedelta(minutes=1)


def test_of_each_run_that_waits_too_long_people_are_told_once(clock: list[float]) -> None:
    told: list[Message] = []
    watch = RunWatch(ServiceSettings(waiting_minutes=60), "http://127.0.0.1:4200", told.append)
    one, other = UUID(int=1), UUID(int=2)
    watch._tell_of_waiting({one: "Late"})
    for _ in range(4):
        clock[0] += 30 * 60
        watch._tell_of_waiting({one: "Late", other: "AwaitingConcurrencySlot\x1b[31m"})
    assert [message.en.split(": ")[0] for message in told] == [
        f"http://127.0.0.1:4200/runs/flow-run/{one} has waited 90 minutes for its turn (Late)",
        f"http://127.0.0.1:4200/runs/flow-run/{other} has waited 90 minutes for its turn (Scheduled)",
    ]

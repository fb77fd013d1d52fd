"""The pool of threads whose results are gathered in groups."""

import threading
from collections.abc import Iterator

import pytest

from load.breaker import StopSignal
from load.worker_pool import WorkerPool

LONG_SECONDS = 60.0


@pytest.fixture
def stop_signal() -> StopSignal:
    return StopSignal()


@pytest.fixture
def pool(stop_signal: StopSignal) -> Iterator[WorkerPool[int]]:
    pool: WorkerPool[int] = WorkerPool(2, "test", stop_signal)
    yield pool
    pool.close()


def test_results_and_items_are_gathered_together(pool: WorkerPool[int]):
    pool.submit(lambda: 1)
    pool.put(2)
    assert sorted(pool.gather(2, LONG_SECONDS)) == [1, 2]


def test_no_more_are_gathered_than_asked_for(pool: WorkerPool[int]):
    for item in (1, 2, 3):
        pool.put(item)
    assert pool.gather(2, LONG_SECONDS) == [1, 2]
    assert pool.gather(2, 0) == [3]


def test_gathering_waits_for_the_first_item_however_long(pool: WorkerPool[int]):
    gathering = threading.Event()
    pool.submit(lambda: int(gathering.wait(LONG_SECONDS)))
    threading.Timer(0.05, gathering.set).start()
    assert pool.gather(2, 0) == [1]


def test_a_bug_in_a_thread_stops_the_others_and_is_raised_where_it_is_gathered(
    pool: WorkerPool[int], stop_signal: StopSignal
):
    pool.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        pool.gather(1, LONG_SECONDS)
    assert stop_signal.stopped()
    assert stop_signal.reason is None


def test_what_was_not_gathered_is_left_once_the_pool_is_closed(pool: WorkerPool[int]):
    for number in range(5):
        pool.submit(lambda number=number: number)
    pool.submit(lambda: 1 // 0)
    pool.close()
    assert sorted(pool.left()) == [0, 1, 2, 3, 4]
    assert pool.left() == []

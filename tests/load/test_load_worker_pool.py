"""The pool of threads whose results are gathered in groups."""

import sys
import threading
from collections.abc import Iterator

import pytest

from core.errors import MophClaimError
from load.worker_pool import WorkerPool

LONG_SECONDS = 60.0


@pytest.fixture
def pool() -> Iterator[WorkerPool[int]]:
    pool: WorkerPool[int] = WorkerPool(2, "test")
    yield pool
    pool.close()


def fail(error: BaseException) -> int:
    return -1 if isinstance(error, ZeroDivisionError) else -2


def test_results_and_items_are_gathered_together(pool: WorkerPool[int]):
    pool.submit(lambda: 1, fail)
    pool.put(2)
    assert sorted(pool.gather(2, LONG_SECONDS)) == [1, 2]


def test_no_more_are_gathered_than_asked_for(pool: WorkerPool[int]):
    for item in (1, 2, 3):
        pool.put(item)
    assert pool.gather(2, LONG_SECONDS) == [1, 2]
    assert pool.gather(2, 0) == [3]


def test_gathering_waits_for_the_first_item_however_long(pool: WorkerPool[int]):
    gathering = threading.Event()
    pool.submit(lambda: int(gathering.wait(LONG_SECONDS)), fail)
    threading.Timer(0.05, gathering.set).start()
    assert pool.gather(2, 0) == [1]


def test_what_raises_gives_its_result_too_and_takes_nothing_from_the_others(pool: WorkerPool[int]):
    pool.submit(lambda: 1, fail)
    pool.submit(lambda: 1 // 0, fail)
    pool.submit(lambda: sys.exit("a library that means well"), fail)
    pool.submit(lambda: 2, fail)
    gathered: list[int] = []
    while len(gathered) < 4:
        gathered += pool.gather(4, LONG_SECONDS)
    assert sorted(gathered) == [-2, -1, 1, 2]


def test_what_was_not_gathered_is_left_once_the_pool_is_closed(pool: WorkerPool[int]):
    for number in range(5):
        pool.submit(lambda number=number: number, fail)
    assert pool.close()
    assert sorted(pool.left()) == [0, 1, 2, 3, 4]
    assert pool.left() == []


def test_a_thread_that_hangs_is_left_behind(pool: WorkerPool[int]):
    hung = threading.Event()
    pool.submit(lambda: int(hung.wait(LONG_SECONDS)), fail)
    assert not pool.close(0.05)
    hung.set()


def test_fewer_threads_than_asked_for_will_do_and_none_is_said(monkeypatch: pytest.MonkeyPatch):
    start, left = threading.Thread.start, [3]

    def start_three(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_three)
    few: WorkerPool[int] = WorkerPool(16, "few")
    for number in range(10):
        few.submit(lambda number=number: number, fail)
    assert few.close()
    assert sorted(few.left()) == list(range(10))
    with pytest.raises(MophClaimError, match="no thread"):
        WorkerPool(16, "none")

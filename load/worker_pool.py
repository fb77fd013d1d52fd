"""Threads that put what they find into one queue, and one thread that gathers it in groups."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from load.breaker import StopSignal

T = TypeVar("T")


class WorkerPool(Generic[T]):
    """A thread pool whose results are gathered from a queue, so that they can be committed together.

    Args:
        threads: How many threads at most.
        name: How the threads' names begin.
        stop_signal: Stopped when the work raises: that is a bug, which the gathering thread raises again.
    """

    def __init__(self, threads: int, name: str, stop_signal: StopSignal) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._queue: SimpleQueue[T | BaseException] = SimpleQueue()
        self._stop_signal = stop_signal

    def submit(self, work: Callable[[], T]) -> None:
        """Do some work in a thread, and put its result into the queue."""
        self._executor.submit(self._do, work)

    def _do(self, work: Callable[[], T]) -> None:
        try:
            self._queue.put(work())
        except BaseException as bug:
            self._stop_signal.stop(None)
            self._queue.put(bug)

    def put(self, item: T) -> None:
        """Put an item into the queue, from any thread."""
        self._queue.put(item)

    def gather(self, most: int, seconds: float) -> list[T]:
        """Wait for the next item, then gather what follows.

        Args:
            most: How many items at most.
            seconds: How long to wait for more after the first, at most.

        Raises:
            BaseException: Whatever one of the threads raised.
        """
        gathered = [self._queue.get()]
        deadline = time.monotonic() + seconds
        with suppress(Empty):
            while len(gathered) < most:
                gathered.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
        for bug in gathered:
            if isinstance(bug, BaseException):
                raise bug
        return [item for item in gathered if not isinstance(item, BaseException)]

    def close(self) -> None:
        """Wait until all work submitted is done, and end the threads."""
        self._executor.shutdown(wait=True)

    def left(self) -> list[T]:
        """The items that are in the queue now; what a thread raised is left out."""
        left: list[T] = []
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if not isinstance(item, BaseException):
                    left.append(item)
        return left

"""Threads that put what they find into one queue, and one thread that gathers it in groups."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from core.errors import MophClaimError
from core.messages import Message

T = TypeVar("T")
_NO_THREAD = Message(
    "ระบบปฏิบัติการไม่ให้โปรแกรมเริ่มงานย่อย (thread) เพิ่ม จึงยังไม่ได้ส่งอะไร กรุณาตรวจสอบหน่วยความจำและจำนวนโปรเซสที่อนุญาต (ulimit -u) แล้วสั่งใหม่",
    "The operating system lets the program start no thread, so nothing was sent: check the memory and the number of "
    "processes that are allowed (ulimit -u), and start again.",
)


def start_thread(work: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that does not keep the process alive.

    Raises:
        MophClaimError: The operating system gives none.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError):
        raise MophClaimError(_NO_THREAD) from None
    return thread


class WorkerPool(Generic[T]):
    """A thread pool whose results are gathered from a queue, so that they can be committed together.

    All threads are started at once: later there may be none to be had, with work under way that waits for it. Fewer than
    asked for will do. No thread keeps the process alive: one may hang in a call that nothing can end.

    Args:
        threads: How many threads at most.
        name: How the threads' names begin.

    Raises:
        MophClaimError: The operating system gives not a single thread.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._work: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._results: SimpleQueue[T] = SimpleQueue()
        self._threads = [start_thread(self._run, f"{name}_0")]
        with suppress(MophClaimError):
            for number in range(1, threads):
                self._threads.append(start_thread(self._run, f"{name}_{number}"))

    def submit(self, work: Callable[[], T], failed: Callable[[BaseException], T]) -> None:
        """Do some work in a thread, and put its result into the queue.

        Args:
            work: The work.
            failed: The result where the work raises: nothing that others have found may be lost by it.
        """
        self._work.put(partial(_done, work, failed))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self._results.put(work())

    def put(self, item: T) -> None:
        """Put an item into the queue, from any thread."""
        self._results.put(item)

    def gather(self, most: int, seconds: float) -> list[T]:
        """Wait for the next item, then gather what follows.

        Args:
            most: How many items at most.
            seconds: How long to wait for more after the first, at most.
        """
        gathered = [self._results.get()]
        deadline = time.monotonic() + seconds
        with suppress(Empty):
            while len(gathered) < most:
                gathered.append(self._results.get(timeout=max(0.0, deadline - time.monotonic())))
        return gathered

    def close(self, seconds: float | None = None) -> bool:
        """Wait until all work submitted is done, and end the threads.

        Args:
            seconds: How long to wait at most; None: however long.

        Returns:
            Whether all have ended.
        """
        for _ in self._threads:
            self._work.put(None)
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def left(self) -> list[T]:
        """The items that are in the queue now."""
        left: list[T] = []
        with suppress(Empty):
            while True:
                left.append(self._results.get_nowait())
        return left


def _done(work: Callable[[], T], failed: Callable[[BaseException], T]) -> T:
    try:
        return work()
    except BaseException as error:
        return failed(error)

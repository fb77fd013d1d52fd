"""Child processes of `moph-claim up`: how they start, and how each ends within seconds with all that it started."""

import ctypes
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

STOP_SECONDS = 20
ASK_AGAIN_SECONDS = 10
"""A run may miss a SIGTERM: Prefect's handler raises an exception, which Python drops in a weakref callback or `__del__`.
A run that has not missed it needs less than this to report its end to the server."""
# linux/prctl.h: orphaned descendants are re-parented to this process, so that they are still found.
_SET_CHILD_SUBREAPER = 36


@contextmanager
def running(command: list[str], log: Path, sockets: Collection[int] = ()) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program while the block lasts; then end it and every process that was started in the meantime.

    Args:
        command: The program and its arguments.
        log: File its output is appended to.
        sockets: File descriptors that it inherits.

    Yields:
        The process. It has a session of its own: Ctrl-C in the terminal does not reach it, we end it in our own order.
    """
    earlier = descendants()
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=sockets
        )
    try:
        yield process
    finally:
        _end(process, earlier)


def run_to_completion(command: list[str], log: Path, seconds: float) -> bool:
    """Run a program to its end; whether its exit code was 0.

    Args:
        command: The program and its arguments.
        log: File its output is appended to.
        seconds: How long it may take; then it is ended, and has not gone well.
    """
    with running(command, log) as process, suppress(subprocess.TimeoutExpired):
        return process.wait(seconds) == 0
    return False


def end_tree(process: psutil.Process) -> None:
    """End a process and all that it has started: asked to, and killed where they have not after STOP_SECONDS."""
    tree: set[psutil.Process] = {process}

    def find() -> set[psutil.Process]:
        for each in [*tree]:
            with suppress(psutil.NoSuchProcess):
                tree.update(each.children(recursive=True))  # also what was started since
        return {each for each in tree if each.is_running() and _is_alive(each)}

    _terminate(find)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM (sent by systemd) and a closed terminal interrupt the block, once; and adopt orphaned processes.

    Raises:
        KeyboardInterrupt: One of these signals arrived.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # A second Ctrl-C must not interrupt the clean-up.
    with interrupted_by(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, once=True):
        yield


@contextmanager
def interrupted_by(*signals: signal.Signals, once: bool = False) -> Iterator[None]:
    """Let these signals interrupt the block as Ctrl-C does.

    Args:
        signals: The signals.
        once: After the first of them all are ignored.

    Raises:
        KeyboardInterrupt: One of them arrived.
    """

    def interrupt(_signal: int, _frame: object) -> None:
        for each in signals if once else ():
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _end(process: "subprocess.Popen[bytes]", earlier: set[psutil.Process]) -> None:
    # A suspended worker starts no further run while its runs end and report to the server.
    process.send_signal(signal.SIGSTOP)
    _terminate(lambda: {each for each in descendants() - earlier if each.pid != process.pid})
    process.send_signal(signal.SIGCONT)
    _terminate(lambda: descendants() - earlier)
    process.wait()


def _terminate(find: Callable[[], set[psutil.Process]]) -> None:
    """Ask the processes to end, and kill those that have not after STOP_SECONDS.

    A killed run leaves claims in doubt; the next run asks MOPH Claim about them.

    Args:
        find: The processes that are still alive.
    """
    # `psutil.wait_procs` would wait for zombies too, and a suspended worker does not collect its children.
    deadline = time.monotonic() + STOP_SECONDS
    asked: dict[psutil.Process, float] = {}
    while (alive := find()) and (now := time.monotonic()) < deadline:
        due = {process for process in alive if now >= asked.get(process, -ASK_AGAIN_SECONDS) + ASK_AGAIN_SECONDS}
        _send(due, signal.SIGTERM)
        asked |= dict.fromkeys(due, now)
        time.sleep(0.1)
    _send(alive, signal.SIGKILL)


def _send(processes: set[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(what)


def descendants() -> set[psutil.Process]:
    """All living descendants of this process. Every run has a session of its own, so process groups do not find them."""
    return {process for process in psutil.Process().children(recursive=True) if _is_alive(process)}


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

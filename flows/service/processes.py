"""Programs that `moph-claim up` starts, and their end: with all that they started themselves, and within seconds."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import ConfigurationError
from core.messages import Message

STOP_SECONDS = 20
# linux/prctl.h: what a child leaves behind when it dies becomes ours, and can be found.
_SET_CHILD_SUBREAPER = 36


@contextmanager
def running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program while the block lasts; then it is ended with everything that was started since.

    Args:
        command: The program and its arguments.
        log: File its output is added to.

    Yields:
        The process. It has a session of its own, so that a Ctrl-C in the terminal is ours to pass on, in order.
    """
    others = _descendants()
    with log.open("ab") as out:
        part = subprocess.Popen(  # noqa: S603 - our own interpreter
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield part
    finally:
        _end(part, others)


def run_to_completion(command: list[str], log: Path) -> bool:
    """Run a program to its end; says whether it went well.

    Args:
        command: The program and its arguments.
        log: File its output is added to.
    """
    with log.open("ab") as out:
        done = subprocess.run(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
    return done.returncode == 0


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM (as systemd sends it) and a closed terminal end the block alike, and only once.

    Raises:
        KeyboardInterrupt: One of them came.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_signal: int, _frame: object) -> None:
        # A second Ctrl-C must not leave the stopping half done.
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _end(part: "subprocess.Popen[bytes]", others: set[int]) -> None:
    def itself() -> set[int]:
        return {part.pid} if part.poll() is None else set()

    # A worker that stands still begins no further run, while those it has end and tell the server.
    _send(itself(), signal.SIGSTOP)
    _terminate(lambda: _descendants() - others - {part.pid})
    _send(itself(), signal.SIGCONT)
    _terminate(lambda: _descendants() - others | itself())
    part.wait()


def _terminate(left: Callable[[], set[int]]) -> None:
    """Ask them to end; a run that does not listen leaves claims in doubt, and the next run asks about those."""
    deadline = time.monotonic() + STOP_SECONDS
    _send(left(), signal.SIGTERM)
    while left() and time.monotonic() < deadline:
        time.sleep(0.1)
    _send(left(), signal.SIGKILL)


def _send(pids: set[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def _descendants() -> set[int]:
    """All living processes below this one (Linux; elsewhere none are found): every run has a session of its own."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # proc(5): pid (name) state parent ...; the name may hold anything.
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found: set[int] = set()
    generation = {os.getpid()}
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation}
        found |= generation
    return found


def cannot_listen(host: str, port: int, error: OSError) -> ConfigurationError:
    """The sentence for an address that is taken or not ours."""
    return ConfigurationError(
        Message(
            f"เปิดที่ {host}:{port} ไม่ได้ ({error.strerror}) ลอง --port อื่น",
            f"{host}:{port} cannot be opened ({error.strerror}): try another --port.",
        )
    )

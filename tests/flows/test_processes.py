"""How the programs of `moph-claim up` end: with all that they started, in order, and within seconds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.service import processes
from flows.service.processes import end_tree, run_to_completion, running

PATIENCE = 60
# It ends on SIGTERM and says in which state its parent is then: T is suspended.
RUN = """
trap 'echo "the run ends, its worker is $(cut -d" " -f3 /proc/$PPID/stat)" >> order; exit' TERM
echo > begun
while :; do sleep 0.05; done
"""
WORKER = """
trap 'echo "the worker ends" >> order; exit' TERM
while :; do rm -f begun; sh -c "$RUN" & wait $!; echo "the worker goes on" >> order; sleep 30 & wait $!; done
"""
MISSES_THE_FIRST = "trap 'trap \"exit 7\" TERM' TERM; echo > begun; while :; do sleep 0.05; done"
DEAF = "trap '' TERM; echo > begun; while :; do sleep 0.05; done"
# A program whose grandchild has a session of its own; and one whose grandchild is an orphan as well.
SESSION = "setsid sh -c 'echo $$ > begun; exec sleep 600' & wait"
ORPHAN = "sh -c 'setsid sleep 600 & echo $! > begun'; exec sleep 600"
SERVICE = """
import sys, time
from pathlib import Path
from flows.service.processes import interrupted_by_signals, running
with interrupted_by_signals(), running(["sh", "-c", sys.argv[1]], Path("log")):
    while not (Path("begun").exists() and Path("begun").read_text()):
        time.sleep(0.05)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in which the programs of a test run; what a failed test leaves behind is killed."""
    monkeypatch.chdir(tmp_path)
    others = psutil.Process().children(recursive=True)
    yield tmp_path
    for process in psutil.Process().children(recursive=True):
        if process not in others:
            process.kill()


def shell(program: str) -> list[str]:
    return ["sh", "-c", program]


def written(path: Path) -> str:
    """What a program writes to a file, once it is there."""
    deadline = time.monotonic() + PATIENCE
    while not (path.exists() and (text := path.read_text())):
        assert time.monotonic() < deadline, f"{path.name} was never written"
        time.sleep(0.02)
    return text


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that has ended and that nobody has collected is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_a_program_started_in_a_session_of_its_own_ends_with_it(folder: Path) -> None:
    with running(shell(SESSION), folder / "log") as process:
        grandchild = int(written(folder / "begun"))
        assert is_alive(grandchild)
        assert os.getsid(grandchild) != os.getsid(process.pid)
    assert not is_alive(grandchild)


def test_an_orphan_of_a_program_ends_with_it(folder: Path) -> None:
    project = str(Path(processes.__file__).parents[2])
    subprocess.run([sys.executable, "-c", SERVICE, ORPHAN], env={**os.environ, "PYTHONPATH": project}, check=True)
    assert not is_alive(int(written(folder / "begun")))


def test_a_worker_is_suspended_while_its_run_ends_and_ends_after_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN", RUN)
    with running(shell(WORKER), folder / "log"):
        written(folder / "begun")
    order = (folder / "order").read_text().splitlines()
    assert (order[0], order[-1]) == ("the run ends, its worker is T", "the worker ends")


def test_a_program_that_ignores_sigterm_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    with running(shell(DEAF), folder / "log") as process:
        written(folder / "begun")
    assert process.returncode == -signal.SIGKILL


def test_a_program_that_missed_sigterm_is_asked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ASK_AGAIN_SECONDS", 0.3)
    with running(shell(MISSES_THE_FIRST), folder / "log") as process:
        written(folder / "begun")
    assert process.returncode == 7


def test_a_suspended_program_with_a_dead_child_ends_at_once(folder: Path) -> None:
    with running(shell("sleep 600 & echo $! > begun; wait; sleep 600"), folder / "log"):
        written(folder / "begun")
        begun = time.monotonic()
    assert time.monotonic() - begun < processes.STOP_SECONDS


def test_a_program_that_was_running_before_goes_on(folder: Path) -> None:
    with running(shell("exec sleep 600"), folder / "log") as first:
        with running(shell("exec sleep 600"), folder / "log") as second:
            pass
        assert (first.poll(), second.returncode) == (None, -signal.SIGTERM)


def test_a_program_that_has_ended_by_itself_is_no_error(folder: Path) -> None:
    with running(shell("exit 3"), folder / "log") as process:
        process.wait(PATIENCE)
    assert process.returncode == 3


@pytest.mark.parametrize(("program", "went_well"), [("echo done", True), ("echo done; exit 1", False)])
def test_a_program_that_runs_to_its_end_says_whether_it_went_well(folder: Path, program: str, went_well: bool) -> None:
    assert run_to_completion(shell(program), folder / "log", PATIENCE) is went_well
    assert (folder / "log").read_text() == "done\n"


def test_a_program_that_does_not_end_in_time_is_ended(folder: Path) -> None:
    assert run_to_completion(shell("exec sleep 600"), folder / "log", 0.1) is False


def test_a_process_is_ended_with_all_that_it_started(folder: Path) -> None:
    with running(shell(SESSION), folder / "log") as process:
        grandchild = int(written(folder / "begun"))
        end_tree(psutil.Process(process.pid))
        assert not is_alive(process.pid)
        assert not is_alive(grandchild)

"""Runs of the real flow, each in a process of its own that may be killed at any instant.

Importing Prefect and pandas takes seconds, so one process imports them once and is forked for every run; the runs
report to one Prefect server, as those of a service do.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from multiprocessing import connection, forkserver, get_context
from pathlib import Path

from prefect_service import prefect_server

from flows.settings.read import read_settings, use_only

# What a run imports, the things its libraries import late among it.
_IMPORTED_ONCE = [
    "flows.submit_claims",
    "alembic.command",
    "pandera.backends.pandas.register",
    "pandera.strategies.pandas_strategies",
    "prefect.flow_engine",
    "prefect.task_engine",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
]
_forks = get_context("forkserver")
# multiprocessing's own bookkeeping of children is not made for several threads.
_bookkeeping = threading.Lock()


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Args:
        code: Exit code of the process, negative for a signal.
        failure: The sentence it failed with, if it told one.
        report: The report as the officer reads it, if the run came that far.
        said: All it wrote on the terminal.
        seconds: How long the process lived.
        megabytes: Most memory it had resident; 0 where it did not come to tell.
    """

    code: int
    failure: str | None
    report: str | None = field(repr=False)
    said: str = field(repr=False)
    seconds: float
    megabytes: int = 0


class RunProcess:
    """A run under way.

    Args:
        config: The settings file.
        first: First service day.
        last: Last service day.
        parameters: Further parameters of the flow.
    """

    _numbers = count(1)

    def __init__(self, config: Path, first: date, last: date, **parameters: object) -> None:
        number = next(self._numbers)
        self._log = config.parent / f"run-{number}.log"
        self._told = config.parent / f"run-{number}.json"
        parameters = {"date_from": first, "date_to": last, **parameters}
        self._process = _forks.Process(target=_run, args=(config, parameters, self._log, self._told), daemon=True)
        self._is_over = False
        self._started = time.monotonic()
        with _bookkeeping:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return not self._is_over and not connection.wait([self._process.sentinel], timeout=0)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """`kill -9`, or another signal."""
        if self.is_alive():
            with suppress(ProcessLookupError):  # it has ended by itself just now
                os.kill(self.pid, how)

    def wait(self, seconds: float) -> Ended:
        """Wait for its end.

        Raises:
            TimeoutError: It is still running; it was killed, so that nothing is left behind.
        """
        in_time = bool(connection.wait([self._process.sentinel], timeout=seconds))
        if not in_time:
            self.kill()
        with _bookkeeping:
            self._process.join()
            code = self._process.exitcode
        self._is_over = True
        said = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        if not in_time:
            raise TimeoutError(f"the run did not end within {seconds:.0f} s; it had said:\n{said[-4000:]}")
        told = json.loads(self._told.read_text(encoding="utf-8")) if self._told.exists() else {}
        lived = time.monotonic() - self._started
        return Ended(code or 0, told.get("failure"), told.get("report"), said, lived, told.get("kilobytes", 0) // 1024)


def _run(config: Path, parameters: dict[str, object], log: Path, told: Path) -> None:
    """The process: what `moph-claim run` does, its terminal a file."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    use_only(config)
    from flows.cli.console import STOPPED, Exit
    from flows.service.processes import interrupted_by
    from flows.submit_claims import submit_in_process

    code, report = 0, None
    try:
        with interrupted_by(signal.SIGTERM, signal.SIGHUP):
            result = submit_in_process(**parameters)
        failure, report = result.failure and result.failure.message, result.report
    except KeyboardInterrupt:
        code, failure = Exit.STOPPED, STOPPED
    ended = {
        "failure": failure and failure.say(read_settings().language),
        "report": report and report.markdown(),
        "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    whole = told.with_suffix(".part")
    whole.write_text(json.dumps(ended))
    whole.rename(told)
    sys.exit(code)


@contextmanager
def run_service(folder: Path) -> Iterator[None]:
    """The Prefect server and the process the runs are forked from, while the block lasts.

    Args:
        folder: Prefect's files go there.
    """
    with prefect_server(folder, "--no-services") as server:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MOPH_CLAIM", "PREFECT"))}
        with _environment(clean | server | {"PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false"}):
            _forks.set_forkserver_preload(_IMPORTED_ONCE)
            forkserver.ensure_running()
        try:
            yield
        finally:
            forkserver._forkserver._stop()


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """This process's environment while the block lasts: what is forked inherits it, and Prefect reads it on import."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

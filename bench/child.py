"""One run of the real flow in a process of its own; prints what it took as a line of JSON.

Timed from the call of the flow to its end, Prefect already running: the audit may be one that does not outlive the run.

`python -m bench.child CONFIG FIRST LAST CONNECTIONS`
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from flows.service.prefect_config import configure_prefect
from flows.settings.read import read_settings, use_only

if TYPE_CHECKING:
    from flows.tasks import RunResult


def ready_flow(config: Path) -> "Callable[..., RunResult]":
    """The flow of these settings, Prefect already running; to be called with its parameters."""
    use_only(config)
    configure_prefect(read_settings().data_folder)
    from prefect import flow

    from flows.submit_claims import submit_in_process

    @flow(name="warm up", persist_result=False)
    def warm_up() -> None:
        """Start what Prefect starts with the first flow."""

    warm_up()
    return submit_in_process


def peak_mb() -> float:
    """The most memory this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(config: str, first: str, last: str, connections: str) -> None:
    """Run the flow; print its seconds, its failure if any, and the peak memory."""
    run_flow = ready_flow(Path(config))
    parameters = {
        "date_from": date.fromisoformat(first),
        "date_to": date.fromisoformat(last),
        "concurrency": int(connections),
    }
    started = time.perf_counter()
    failure = run_flow(**parameters).failure
    figures = {"failure": failure and str(failure), "seconds": time.perf_counter() - started, "memory_mb": peak_mb()}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

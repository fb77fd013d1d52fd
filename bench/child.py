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
from typing import Any

from flows.service.prefect_config import configure_prefect
from flows.settings.settings import read_settings, use_only


def ready_flow(config: Path) -> Callable[[dict[str, Any]], tuple[Any, str | None]]:
    """The flow of these settings, Prefect already running; called with parameters, it gives report and failure."""
    use_only(config)
    configure_prefect(read_settings().data_folder)
    from prefect import flow

    from flows.submit_claims import run_and_report

    @flow(name="warm up", persist_result=False)
    def warm_up() -> None:
        """Start what Prefect starts with the first flow."""

    warm_up()
    return run_and_report


def peak_mb() -> float:
    """The most memory this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(config: str, first: str, last: str, connections: str) -> None:
    """Run the flow, then tell its seconds, its failure if any, and peak memory."""
    run_and_report = ready_flow(Path(config))
    parameters = {
        "date_from": date.fromisoformat(first),
        "date_to": date.fromisoformat(last),
        "concurrency": int(connections),
    }
    started = time.perf_counter()
    _, failure = run_and_report(parameters)
    told = {"failure": failure, "seconds": time.perf_counter() - started, "memory_mb": peak_mb()}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

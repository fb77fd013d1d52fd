"""A dry run over many days in a process of its own; prints what each day took, and peak memory by then, as JSON.

A day is from the beginning of its extract to the beginning of the next day's: all that the run does for it.

`python -m bench.year_child CONFIG FIRST LAST`
"""

import json
import sys
import time
from datetime import date
from itertools import pairwise
from pathlib import Path

from bench.child import peak_mb, ready_flow
from flows.runs.submit import SubmitRun


def main(config: str, first: str, last: str) -> None:
    """Run the flow, then tell its failure if any, its claims, each day's seconds (by the clock, of this process) and the peak before it."""
    run_flow = ready_flow(Path(config))
    runs: list[SubmitRun] = []
    began: list[tuple[float, float, float]] = []
    extract_day = SubmitRun.extract_day

    def noted(run: SubmitRun, day: date) -> int:
        runs[:] = [run]
        began.append((time.perf_counter(), time.process_time(), peak_mb()))
        return extract_day(run, day)

    SubmitRun.extract_day = noted  # type: ignore[assignment, method-assign]
    parameters = {"date_from": date.fromisoformat(first), "date_to": date.fromisoformat(last), "dry_run": True}
    failure = run_flow(**parameters).failure
    figures = {
        "failure": failure and str(failure),
        "claims": runs[0].registrar.counts.would_send,
        "seconds": [after[0] - before[0] for before, after in pairwise(began)],
        "cpu_seconds": [after[1] - before[1] for before, after in pairwise(began)],
        "memory_mb": [peak for *_, peak in began],
        "end_mb": peak_mb(),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

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
from flows.runs.submit import Night


def main(config: str, first: str, last: str) -> None:
    """Run the flow, then tell its failure if any, its claims, each day's seconds (by the clock, of this process) and the peak before it."""
    run_and_report = ready_flow(Path(config))
    nights: list[Night] = []
    began: list[tuple[float, float, float]] = []
    extract_day = Night.extract_day

    def noted(night: Night, day: date) -> int:
        nights[:] = [night]
        began.append((time.perf_counter(), time.process_time(), peak_mb()))
        return extract_day(night, day)

    Night.extract_day = noted  # type: ignore[assignment, method-assign]
    parameters = {"date_from": date.fromisoformat(first), "date_to": date.fromisoformat(last), "dry_run": True}
    _, failure = run_and_report(parameters)
    told = {
        "failure": failure,
        "claims": nights[0].run_counts.would_send,
        "seconds": [after[0] - before[0] for before, after in pairwise(began)],
        "cpu_seconds": [after[1] - before[1] for before, after in pairwise(began)],
        "memory_mb": [peak for *_, peak in began],
        "end_mb": peak_mb(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

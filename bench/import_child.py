"""Imports a workbook (dry run), or reads it with pandas, in a process of its own; prints time and memory as JSON.

`python -m bench.import_child CONFIG WORKBOOK RESULT`, or for pandas `python -m bench.import_child WORKBOOK`.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from flows.parameters import ImportParameters
from flows.reports.import_result import write_row_outcomes
from flows.reports.row_outcomes import row_outcomes
from flows.runs.import_workbook import open_import_run
from flows.settings.read import read_settings, use_only


class Clocked:
    """Measures how long the methods of an object take.

    Attributes:
        seconds: Their total so far.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def timed(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*args, **named)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


def import_dry(config: Path, workbook: Path, result: Path) -> dict[str, float]:
    """Import a workbook as a dry run; returns the number of claims, and the seconds in total and of each step."""
    use_only(config)
    parameters = ImportParameters(dry_run=True)
    started = time.perf_counter()
    with open_import_run(read_settings(), workbook, workbook.name, parameters, lambda _: None) as run:
        ledger: Any = run.ledger
        ledger.intake, ledger.queue = intake, queue = Clocked(ledger.intake), Clocked(ledger.queue)
        read = time.perf_counter()
        run.make_claims()
        made, asked_ledger = time.perf_counter(), intake.seconds + queue.seconds
        write_row_outcomes(result, run=run, outcomes=row_outcomes(run), failure=None, source=workbook)
    done = time.perf_counter()
    return {
        "claims": run.registrar.counts.would_send,
        "seconds": done - started,
        "reading": read - started,
        "making": made - read - asked_ledger,
        "ledger": asked_ledger,
        "writing": done - made,
    }


def read_with_pandas(workbook: Path) -> dict[str, float]:
    """Read every cell of a workbook with pandas and openpyxl; returns the seconds."""
    started = time.perf_counter()
    pd.read_excel(workbook, sheet_name=None, engine="openpyxl", dtype=str)
    return {"seconds": time.perf_counter() - started}


def main(first: str, *rest: str) -> None:
    """Print the measurements, with the peak memory of this process and of the largest of its children."""
    took = import_dry(Path(first), *map(Path, rest)) if rest else read_with_pandas(Path(first))
    memory = {
        name: resource.getrusage(whose).ru_maxrss / 1024
        for name, whose in (("memory_mb", resource.RUSAGE_SELF), ("child_mb", resource.RUSAGE_CHILDREN))
    }
    sys.stdout.write(json.dumps(took | memory) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

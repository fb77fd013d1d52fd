"""One run of the real flow in a process of its own; prints what it took as a line of JSON.

`python -m bench.child CONFIG FIRST LAST CONNECTIONS`
"""

import json
import resource
import sys
from datetime import date
from pathlib import Path

from sqlalchemy import select

from flows.prefect_home import settle_prefect
from flows.settings import read_settings, use_only
from load.database import open_audit
from load.tables import run


def main(config: str, first: str, last: str, connections: str) -> None:
    """Run the flow, then tell its seconds (as the audit has them), claims by state and peak memory."""
    use_only(Path(config))
    settings = read_settings()
    settle_prefect(settings.data_folder)
    from flows.submit_claims import run_and_report

    parameters = {
        "date_from": date.fromisoformat(first),
        "date_to": date.fromisoformat(last),
        "concurrency": int(connections),
    }
    _, failure = run_and_report(parameters)
    engine = open_audit(settings.audit_url())
    with engine.connect() as connection:
        row = connection.execute(select(run).order_by(run.c.started_at.desc())).first()
    assert row is not None
    told = {
        "failure": failure,
        "seconds": (row.ended_at - row.started_at).total_seconds(),
        "sent": json.loads(row.counts)["sent"],
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

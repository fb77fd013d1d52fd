"""`python -m sandbox.his URL --first-day 2026-10-01`: build a synthetic hospital database by hand."""

import argparse
import sys
from datetime import date

from sandbox.his import DENSE, HisExistsError, VisitMix, build_hosxp, build_jhcis

BUILDERS = {"hosxp": build_hosxp, "jhcis": build_jhcis}


def main(arguments: list[str] | None = None) -> int:
    """Build a hospital; returns 0, or 2 if the database is not empty or a number is out of its bounds."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.his", description=__doc__)
    parser.add_argument("url", help="SQLAlchemy URL of a SQLite file, or of an empty MariaDB or PostgreSQL database")
    parser.add_argument("--his", choices=BUILDERS, default="hosxp", help="whose tables (default hosxp)")
    parser.add_argument("--first-day", type=date.fromisoformat, required=True, help="first day, YYYY-MM-DD")
    parser.add_argument("--days", type=int, default=7, help="days in the window (default 7)")
    parser.add_argument("--visits", type=int, default=200, help="ordinary visits a day (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same hospital (default 1)")
    parser.add_argument("--hcode", default="10953", help="the hospital's five digits (default 10953)")
    parser.add_argument("--dense", action="store_true", help="nearly every visit is a claim")
    parser.add_argument("--no-traps", action="store_true", help="leave the difficulties out")
    options = parser.parse_args(arguments)
    try:
        summary = BUILDERS[options.his](
            options.url,
            first_day=options.first_day,
            days=options.days,
            visits_a_day=options.visits,
            seed=options.seed,
            hcode=options.hcode,
            traps=not options.no_traps,
            mix=DENSE if options.dense else VisitMix(),
        )
    except (HisExistsError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    claims = ", ".join(f"{count} {kind}" for kind, count in summary.claims.items())
    traps = sum(len(visits) for visits in summary.traps.values())
    sys.stdout.write(
        f"{summary.visits} visits of {summary.people} people; claims: {claims}; visits with traps: {traps}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The visits of a facility that wait for something: of claims that are not decided, and of records that are no claims yet."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, or_, select

from load.claim_rows import claims_of
from load.issues import resolved_by_dry_run
from load.runs import Run
from load.states import ACCEPTED_STATES, State
from load.tables import claim, issue
from load.transactions import within
from transform.claim import Kind

Visits = Mapping[date, Collection[str]]
"""Visit numbers by the service day under which the audit has them."""


def visits_of_claims(
    engine: Engine, run: Run, states: Collection[State], kinds: Collection[Kind], since: date
) -> Visits:
    """The visits of the HIS's claims in these states, of services since a day.

    Args:
        engine: The audit database.
        run: The run that holds the facility.
        states: States.
        kinds: Kinds.
        since: The first service day.
    """
    c = claim.c
    mine = and_(claims_of(run), c.kind.in_(kinds), c.state.in_(states), c.service_date >= since)
    query = select(c.service_date, c.vn).where(mine, c.origin == "his", c.erased_by.is_(None)).distinct()
    return _by_day(within(engine, lambda connection: connection.execute(query).all(), reading=True))


def visits_of_issues(
    engine: Engine,
    run: Run,
    kinds: Collection[Kind],
    since: date,
    *,
    rules: Collection[str],
    history_rules: Collection[str],
    most: int,
) -> Visits:
    """The visits of the HIS's open issues that may come to an end, of services since a day; those not seen for longest first.

    An issue that only a dry run has resolved counts as open: what it is about has not been registered.

    Args:
        engine: The audit database.
        run: The run that holds the facility.
        kinds: Kinds.
        since: The first service day.
        rules: Rules that somebody can do something about.
        history_rules: Rules by which another claim of the person is in the way: their issues count unless all that the patient
            has of the kind is accepted.
        most: How many visits at most.
    """
    i, c = issue.c, claim.c
    mine = and_(i.environment == run.environment, i.hcode == run.hcode, i.kind.in_(kinds), i.service_date >= since)
    waits = or_(i.resolved_at.is_(None), resolved_by_dry_run())
    query = select(i.service_date, i.vn, i.kind, i.hn, i.rule).where(mine, i.rule.in_({*rules, *history_rules}))
    query = query.where(waits, i.severity == "error", i.origin == "his").order_by(i.seen_at, i.vn)
    # A patient without a claim is not among these: the one that is in the way is under the person's other number.
    undecided = func.max(case((c.state.in_(ACCEPTED_STATES), 0), else_=1))
    all_accepted = select(c.kind, c.hn).where(claims_of(run), c.kind.in_(kinds)).group_by(c.kind, c.hn)

    def read(connection: Connection) -> list[Any]:
        rows = connection.execute(query).all()
        # Looked through once: no index leads from a patient's number to the claims.
        patients = {(r.kind, r.hn) for r in rows if r.rule in history_rules}
        found = connection.execute(all_accepted.having(undecided == 0)) if patients else ()
        decided = {(kind, hn) for kind, hn in found if (kind, hn) in patients}
        return [r for r in rows if r.rule in rules or (r.kind, r.hn) not in decided]

    by_visit = {(r.service_date, r.vn): r for r in within(engine, read, reading=True)}
    return _by_day(list(by_visit.values())[:most])


def _by_day(rows: Collection[Any]) -> Visits:
    found: dict[date, set[str]] = defaultdict(set)
    for row in rows:
        found[row.service_date].add(row.vn)
    return found

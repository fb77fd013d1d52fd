"""The visits of a facility that wait for something: of claims that are not decided, and of records that are no claims yet."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, and_, func, or_, select, tuple_

from load.claim_rows import claims_of
from load.runs import Run
from load.states import ACCEPTED_STATES, State
from load.tables import claim, issue
from load.transactions import within
from transform.claim import Kind

Visits = Mapping[date, Collection[str]]
"""Visit numbers by the service day under which the audit has them."""

_UNDECIDED = [state for state in State if state not in ACCEPTED_STATES]


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

    Args:
        engine: The audit database.
        run: The run that holds the facility.
        kinds: Kinds.
        since: The first service day.
        rules: Rules that somebody can do something about.
        history_rules: Rules by which another claim of the person is in the way: their issues count while the patient has one
            of the kind that is not accepted.
        most: How many visits at most.
    """
    i, c = issue.c, claim.c
    # Looked up once, not for every issue: no index leads from a patient's number to the claims.
    undecided = select(c.kind, c.hn).where(claims_of(run), c.kind.in_(kinds), c.state.in_(_UNDECIDED))
    may_end = or_(i.rule.in_(rules), and_(i.rule.in_(history_rules), tuple_(i.kind, i.hn).in_(undecided)))
    mine = and_(i.environment == run.environment, i.hcode == run.hcode, i.kind.in_(kinds), i.service_date >= since)
    query = select(i.service_date, i.vn).where(mine, i.resolved_at.is_(None), i.severity == "error", i.origin == "his")
    query = query.where(may_end).group_by(i.service_date, i.vn).order_by(func.min(i.seen_at), i.vn).limit(most)

    def read(connection: Connection) -> list[Any]:
        return list(connection.execute(query))

    return _by_day(within(engine, read, reading=True))


def _by_day(rows: Collection[Any]) -> Visits:
    found: dict[date, set[str]] = defaultdict(set)
    for row in rows:
        found[row.service_date].add(row.vn)
    return found

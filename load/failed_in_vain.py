"""The claims that MOPH Claim fails on night after night, while it answers others."""

import json
from collections import defaultdict
from collections.abc import Collection
from datetime import date

from sqlalchemy import Connection, Engine, select

from core.clock import BANGKOK
from load.states import UNANSWERED_STATES, Cause
from load.tables import claim, claim_history, run
from load.transactions import batches, transaction


def failed_in_vain(
    engine: Engine, environment: str, nights: int, *, hcode: str = "", answered: Collection[str] = ()
) -> set[int]:
    """The claims that MOPH Claim failed on for so many nights in a row on which it answered others.

    Args:
        engine: The audit database.
        environment: sandbox, uat or prd.
        nights: How many nights.
        hcode: Of one facility; empty: of all.
        answered: Runs that had answers, besides those that have ended.

    Returns:
        Their rows.
    """
    h, c = claim_history.c, claim.c
    mine = [c.environment == environment, *([c.hcode == hcode] if hcode else [])]
    still = select(c.id).where(*mine, c.state.in_(UNANSWERED_STATES), c.tries >= nights)
    sent = h.cause.in_([Cause.ANSWERED, Cause.RUN_DIED])
    query = select(h.claim_id, h.after, h.at, h.run_id).where(h.claim_id.in_(still), sent).order_by(h.id.desc())
    failures: dict[int, list[tuple[date, str]]] = defaultdict(list)
    over: set[int] = set()
    with transaction(engine, reading=True) as connection:
        for row in connection.execute(query):
            if row.after not in UNANSWERED_STATES:
                over.add(row.claim_id)
            elif row.claim_id not in over:
                failures[row.claim_id].append((row.at.astimezone(BANGKOK).date(), row.run_id))
        others = _runs_with_answers(connection, {run_id for some in failures.values() for _, run_id in some})
        others |= set(answered)
    return {
        claim_id
        for claim_id, some in failures.items()
        if len({day for day, run_id in some if run_id in others}) >= nights
    }


def _runs_with_answers(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Of these runs, those that had an answer to a claim."""
    found = set()
    for some in batches(sorted(run_ids)):
        for row in connection.execute(select(run.c.id, run.c.counts).where(run.c.id.in_(some))):
            sent = json.loads(row.counts or "{}").get("sent", {})
            if any(n for state, n in sent.items() if state not in UNANSWERED_STATES):
                found.add(row.id)
    return found

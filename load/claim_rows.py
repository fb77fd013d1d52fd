"""The table `claim` as the parts of the ledger use it: a run's own claims, claims by their keys, a change of state."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, select

from core.clock import now
from load.gaps import Gap
from load.runs import Run
from load.states import Cause, State, check_transition
from load.tables import claim
from load.transactions import batches
from transform.claim import Claim

Key = tuple[str, str, str, str]
"""What identifies a claim within an environment: hcode, kind, vn, item."""


def claims_of(run: Run) -> ColumnElement[bool]:
    """The condition that a claim is of the run's facility and environment."""
    return and_(claim.c.environment == run.environment, claim.c.hcode == run.hcode)


def gives_way(row: Any, state: str, cause: str) -> bool:
    """Whether a claim in this state waits for its closing code, so that one that has its code may take its place.

    One that was found again after it had made way, and has not been sent since, still waits. One of a workbook does not give
    way: nobody would give it again.

    Args:
        row: Its origin, its possibly_accepted and its tries.
        state: Its state.
        cause: How it came into that state.
    """
    found_again = state == State.READY and cause == Cause.FOUND and row.tries > 0
    return row.origin == "his" and (state == State.HELD or found_again) and not row.possibly_accepted


def rows_by_key(connection: Connection, run: Run, keys: Collection[Key], *columns: Column[Any]) -> dict[Key, Any]:
    """The rows of the run's facility that have these keys, and others of the same visits.

    Args:
        connection: To the audit database.
        run: The run that holds the facility.
        keys: The claims looked for; those that are not in the table are left out.
        columns: Columns to read besides the four of the key.
    """
    c = claim.c
    query = select(c.hcode, c.kind, c.vn, c.item, *columns)
    # The index on the key begins with environment, hcode and kind; without the kinds it could not be used for the vn.
    query = query.where(claims_of(run), c.kind.in_({kind for _, kind, _, _ in keys}))
    rows: list[Any] = []
    for vns in batches(sorted({vn for _, _, vn, _ in keys})):
        rows += connection.execute(query.where(c.vn.in_(vns))).all()
    return {(r.hcode, r.kind, r.vn, r.item): r for r in rows}


def change_of_state(run: Run, state: State, cause: Cause, *before: State) -> dict[str, Any]:
    """The columns that record a change of state made by this run.

    Args:
        run: The run that makes it.
        state: The new state.
        cause: Why.
        before: States from which the change is made; each is checked.

    Raises:
        IllegalTransition: The state machine does not allow one of these changes.
    """
    for b in before:
        check_transition(cause, b, state)
    return {"state": state, "cause": cause, "changed_by": run.id, "written_by": run.id, "updated_at": now()}


def content(c: Claim) -> dict[str, Any]:
    """The columns of what the source says in a claim, apart from its key."""
    return {
        "hn": c.hn,
        "pid": c.pid,
        "service_date": c.service_date,
        "baht": c.baht,
        "payload": c.payload.decode(),
        "payload_hash": c.payload_hash,
    }


def new_row(c: Claim, environment: str, gap: Gap | None) -> dict[str, Any]:
    """The columns of a claim that is registered for the first time, but for its state and its origin.

    Args:
        c: The claim.
        environment: sandbox, uat or prd.
        gap: The time that the facility's audit knows nothing of, if there is one.
    """
    return {
        "environment": environment,
        "hcode": c.hcode,
        "kind": c.kind,
        "vn": c.vn,
        "item": c.item,
        "service": c.service,
        # The audit was restored: this claim may have been sent in the time that it knows nothing of.
        "possibly_accepted": bool(gap and gap.may_hold(c.service_date)),
        "tries": 0,
        "created_at": now(),
    } | content(c)

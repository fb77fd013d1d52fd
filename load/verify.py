"""Verification of the audit, up to the first mismatch: every run's chain of exchanges, every facility's chain of seals and
what they cover, every claim and issue against its evidence, the record of accesses, and the database's own rules.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select, bindparam, case, select

from core.errors import ConfigurationError
from core.messages import Message
from load.chain import ChainEnd, beginning, link, text_hash
from load.mismatch import ADDED, CHANGED, CLAIM_GONE, END, MISSING, OUT_OF_ORDER, Mismatch
from load.tables import claim, facility_lock, former_payload, run, submission
from load.transactions import transaction
from load.verify_claims import mismatches_of_claims
from load.verify_schema import mismatches_of_schema
from load.verify_seals import mismatches_of_seals

_NO_RUN = Message(
    "ไม่พบ run {run} ในสภาพแวดล้อม {environment}",
    "There is no run {run} in the environment {environment}.",
)
# The rows hold request and answer bodies: so many rows are in memory at once.
_ROWS_AT_ONCE = 200
# Rows of before migration 0004 are hashed with their request, which may be kept with the claim alone now.
_REQUEST = case((claim.c.payload_hash == submission.c.payload_hash, claim.c.payload), else_=former_payload.c.payload)
_EXCHANGES: Select[Any] = (
    select(submission, claim.c.id.label("claim_there"), claim.c.kind, claim.c.vn, claim.c.item)
    .add_columns(case((submission.c.text_hash.is_(None) & submission.c.request.is_(None), _REQUEST)).label("kept"))
    .outerjoin(claim, claim.c.id == submission.c.claim_id)
    .outerjoin(
        former_payload,
        (former_payload.c.claim_id == submission.c.claim_id)
        & (former_payload.c.payload_hash == submission.c.payload_hash),
    )
    .where(submission.c.run_id == bindparam("of_run"))
    .order_by(submission.c.number, submission.c.id)
    .execution_options(yield_per=_ROWS_AT_ONCE)
)


@dataclass(slots=True)
class VerificationResult:
    """What was verified, up to the first mismatch.

    Args:
        runs: Runs whose chain is right.
        exchanges: Exchanges that are right.
        seals: Seals that are right, with all that they cover; 0 when only some runs were verified.
        claims: Claims that fit their evidence; 0 as above.
        issues: Issues that are as they were written; 0 as above.
        under_way: Runs that have not ended, or died and were not closed by another yet: they have no seal.
        mismatch: The first thing that is wrong; None when all is right.
    """

    runs: int = 0
    exchanges: int = 0
    seals: int = 0
    claims: int = 0
    issues: int = 0
    under_way: int = 0
    mismatch: Mismatch | None = None


def verify(engine: Engine, environment: str, run_id: str = "") -> VerificationResult:
    """Verify the audit of an environment, with all its facilities; reads in portions of bounded size.

    Args:
        engine: The audit database, migrated.
        environment: sandbox, uat or prd.
        run_id: Only the chains of runs whose id begins with this; empty: all runs, and all claims.

    Raises:
        ConfigurationError: No run's id begins with it.
        AuditError: The audit cannot be read.
    """
    result = VerificationResult()
    with _snapshot(engine) as connection:
        result.mismatch = next(_mismatches(connection, environment, run_id, result), None)
    return result


def _snapshot(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that sees all tables at one moment, whatever a run writes meanwhile."""
    if engine.dialect.name != "sqlite":  # its transactions do that anyway
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    return transaction(engine, reading=True)


def _mismatches(
    connection: Connection, environment: str, run_id: str, result: VerificationResult
) -> Iterator[Mismatch]:
    query = select(run.c.id, run.c.exchanges, run.c.chain_hash).where(run.c.environment == environment)
    runs = [r for r in connection.execute(query.order_by(run.c.started_at, run.c.id)) if r.id.startswith(run_id)]
    if run_id and not runs:
        raise ConfigurationError(_NO_RUN.fill(run=run_id, environment=environment))
    under_way = _under_way(connection, environment)
    result.under_way = len(under_way & {of_run.id for of_run in runs})
    for of_run in runs:
        yield from _mismatches_of_run(connection, of_run, of_run.id in under_way, result)
        result.runs += 1
    if not run_id:
        yield from mismatches_of_claims(connection, environment, result)
        yield from mismatches_of_seals(connection, environment, under_way, result)
        yield from mismatches_of_schema(connection)


def _under_way(connection: Connection, environment: str) -> set[str]:
    """The runs that hold their own facility; a lock that names anything else excuses nothing."""
    lock = facility_lock.c
    own = (run.c.id == lock.run_id) & (run.c.environment == lock.environment) & (run.c.hcode == lock.hcode)
    holding = select(run.c.id).join(facility_lock, own).where(run.c.environment == environment)
    return set(connection.scalars(holding.where(run.c.state == "running")))


def _mismatches_of_run(
    connection: Connection, of_run: Any, under_way: bool, result: VerificationResult
) -> Iterator[Mismatch]:
    end = None if of_run.exchanges is None else ChainEnd(of_run.exchanges, of_run.chain_hash)
    last = beginning(of_run.id)
    row = None
    with connection.execute(_EXCHANGES, {"of_run": of_run.id}) as rows:
        for row in rows:
            if what := ADDED if last == end else _fault_of(row, last):
                yield _mismatch_at(what, row)
            last = ChainEnd(row.number, row.hash)
            result.exchanges += 1
    # A run that is under way, or died and was not closed by another yet, has not recorded the end of its chain.
    if last != (end or (last if under_way else beginning(of_run.id))):
        what = END.fill(said=of_run.exchanges or 0, found=last.number)
        yield _mismatch_at(what, row) if row else Mismatch(what, of_run.id)


def _fault_of(row: Any, last: ChainEnd) -> Message | None:
    """What is wrong with an exchange that follows this end of the chain; None if nothing is."""
    if row.number > last.number + 1:
        return MISSING
    if row.number <= last.number or row.previous_hash != last.hash:
        return OUT_OF_ORDER
    return (None if _content_fits(row) else CHANGED) or (None if row.claim_there else CLAIM_GONE)


def _content_fits(row: Any) -> bool:
    if row.text_hash:
        there = row.erased_by or text_hash(row.request, row.response, row.message) == row.text_hash
        return bool(there and link(row._mapping) == row.hash)
    # One of before migration 0004: once its texts are erased, the seal of the run that erased it covers the rest of it.
    return bool(
        row.erased_by or link({**row._mapping, "request": row.request if row.kept is None else row.kept}) == row.hash
    )


def _mismatch_at(what: Message, row: Any) -> Mismatch:
    return Mismatch(what, row.run_id, row.number, row.kind, row.vn, row.item, row.sent_at)

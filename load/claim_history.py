"""The whole history of a claim, as the audit has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, Table, case, func, or_, select

from load.tables import claim, claim_history, former_payload, run, submission, workbook_row
from load.transactions import within


@dataclass(frozen=True, slots=True)
class ClaimHistory:
    """A claim and its history. The rows carry the `flow` and `started_at` of their run as well (None: the run is unknown).

    Args:
        claim: The row of the table `claim`.
        changes: The rows of `claim_history`, one for each change of state.
        exchanges: The rows of `submission`, each with the `payload` that it sent; their bodies are personal data.
        workbook_rows: The rows of `workbook_row` that the claim came from.
    """

    claim: Row[Any]
    changes: Sequence[Row[Any]]
    exchanges: Sequence[Row[Any]]
    workbook_rows: Sequence[Row[Any]]


def claim_histories(engine: Engine, environment: str, number: str, hcode: str = "") -> list[ClaimHistory]:
    """The histories of the claims with a visit number or a transaction number, of one facility or of any; ordered by day.

    Raises:
        AuditError: The audit cannot be read.
    """
    c = claim.c
    claims = select(claim).where(c.environment == environment, or_(c.vn == number, c.transaction_uid == number))
    if hcode:
        claims = claims.where(c.hcode == hcode)

    def read(connection: Connection) -> list[ClaimHistory]:
        return [
            ClaimHistory(
                row,
                connection.execute(_with_run(claim_history, row.id)).all(),
                connection.execute(_with_payload(_with_run(submission, row.id))).all(),
                connection.execute(_with_run(workbook_row, row.id)).all(),
            )
            for row in connection.execute(claims.order_by(c.service_date, c.hcode, c.kind, c.item)).all()
        ]

    return within(engine, read, reading=True)


def _with_run(table: Table, claim_id: int) -> Select[Any]:
    query = select(table, run.c.flow, run.c.started_at).outerjoin(run, run.c.id == table.c.run_id)
    return query.where(table.c.claim_id == claim_id).order_by(table.c.id)


def _with_payload(exchanges: Select[Any]) -> Select[Any]:
    """A request that is a payload of the claim is kept once: with the claim, or with its former payloads."""
    s, f = submission.c, former_payload.c
    former = select(f.payload).where(f.claim_id == s.claim_id, f.payload_hash == s.payload_hash).scalar_subquery()
    present = select(claim.c.payload).where(claim.c.id == s.claim_id, claim.c.payload_hash == s.payload_hash)
    kept = func.coalesce(present.scalar_subquery(), former)
    # Null also where there was no body, as in the question for a transaction's status.
    return exchanges.add_columns(case((s.request.is_(None), kept)).label("payload"))

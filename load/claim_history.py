"""One claim's whole life, as the audit holds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, Table, or_, select

from load.database import within
from load.tables import claim, claim_history, run, submission, workbook_row


@dataclass(frozen=True, slots=True)
class ClaimHistory:
    """A claim and what it went through.

    Args:
        claim: Its row.
        steps: Its history, each row with the `flow` and `started_at` of its run (None: no run).
        exchanges: Its submissions, likewise; their bodies are personal data.
        rows: The rows of workbooks it came from (`file_name`, `sheet`, `row_number`), likewise.
    """

    claim: Row[Any]
    steps: Sequence[Row[Any]]
    exchanges: Sequence[Row[Any]]
    rows: Sequence[Row[Any]]


def claim_histories(engine: Engine, environment: str, number: str, hcode: str = "") -> list[ClaimHistory]:
    """The lives of the claims of a visit number, or under a transaction number, of one facility or of any; ordered.

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
                connection.execute(_with_run(submission, row.id)).all(),
                connection.execute(_with_run(workbook_row, row.id)).all(),
            )
            for row in connection.execute(claims.order_by(c.service_date, c.hcode, c.kind, c.item)).all()
        ]

    return within(engine, read, reading=True)


def _with_run(table: Table, claim_id: int) -> Select[Any]:
    query = select(table, run.c.flow, run.c.started_at).outerjoin(run, run.c.id == table.c.run_id)
    return query.where(table.c.claim_id == claim_id).order_by(table.c.id)

"""The rows of imported workbooks, kept for good: which claim each is part of, or why it is of none."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, and_, select

from core.messages import Message
from load.claim_rows import Key, rows_by_key
from load.queries import RunRow, run_row
from load.runs import Run
from load.tables import claim, run, workbook_row
from load.transactions import batches, within

FLOW = "import-workbook"
"""The name of the flow that imports workbooks, as the audit has it."""


@dataclass(frozen=True, slots=True)
class WorkbookRow:
    """A row of a workbook and its claim.

    Args:
        sheet: The sheet's name in the file.
        number: The row's number in the spreadsheet program, from 1.
        kind: dm, ht, epi or dt; empty if unknown.
        vn: The visit number; empty if unknown.
        item: The vaccine code; empty if unknown, and for dm and ht.
        key: The claim it is part of; None if it is of none.
        refusal: Why it is of none.
    """

    sheet: str
    number: int
    kind: str
    vn: str
    item: str
    key: Key | None
    refusal: Message | None = field(repr=False, default=None)


def record_rows(engine: Engine, run: Run, file_hash: str, file_name: str, rows: Sequence[WorkbookRow]) -> None:
    """Record all rows of a workbook, once its claims are registered; a second call for the same run and file does nothing.

    Args:
        engine: The audit database.
        run: The run that imports it.
        file_hash: SHA-256 of the file, 64 hex digits.
        file_name: Its name, without folders.
        rows: All its rows.
    """
    within(engine, lambda connection: _insert(connection, run, file_hash, file_name, rows))


def _insert(connection: Connection, run: Run, file_hash: str, file_name: str, rows: Sequence[WorkbookRow]) -> None:
    r = workbook_row.c
    recorded = select(r.id).where(r.run_id == run.id, r.file_hash == file_hash).limit(1)
    if connection.scalar(recorded) is not None:  # the first commit's answer was lost
        return
    claims = rows_by_key(connection, run, {row.key for row in rows if row.key}, claim.c.id)
    ids = {key: found.id for key, found in claims.items()}
    for some in batches(rows):
        connection.execute(
            workbook_row.insert(),
            [
                {
                    "run_id": run.id,
                    "file_hash": file_hash,
                    # Too long a text is cut off rather than the row lost.
                    "file_name": file_name[:255],
                    "sheet": row.sheet[:64],
                    "row_number": row.number,
                    "kind": row.kind,
                    "vn": row.vn[:32],
                    "item": row.item[:32],
                    "claim_id": row.key and ids.get(row.key),
                    "refusal_th": row.refusal and row.refusal.th,
                    "refusal_en": row.refusal and row.refusal.en,
                }
                for row in some
            ],
        )


def imported_before(engine: Engine, environment: str, hcode: str, file_hash: str) -> RunRow | None:
    """The last completed run that imported the file with this hash (a dry run imports nothing); None if there is none."""
    held = select(workbook_row.c.run_id).where(workbook_row.c.file_hash == file_hash)
    mine = and_(run.c.environment == environment, run.c.hcode == hcode, run.c.flow == FLOW)
    query = select(run).where(mine, run.c.state == "completed", run.c.id.in_(held))
    query = query.order_by(run.c.started_at.desc()).limit(1)
    row = within(engine, lambda connection: connection.execute(query).one_or_none(), reading=True)
    return run_row(row) if row else None

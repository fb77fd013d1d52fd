"""Where claims of workbooks come from: every row of an imported file, kept for good."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, and_, select

from core.messages import Message
from load.database import batches, within
from load.intake import Key
from load.queries import RunRow, run_row
from load.runs import Run
from load.tables import claim, run, workbook_row

FLOW = "import-workbook"
"""The flow that imports workbooks, as its runs stand in the audit."""


@dataclass(frozen=True, slots=True)
class WorkbookRow:
    """A row of a workbook, and what became of it.

    Args:
        sheet: The sheet's name in the file.
        number: The row as the spreadsheet program numbers it, from 1.
        kind: dm, ht, epi or dt; empty where the row does not say it, as the two that follow.
        vn: The visit number.
        item: The vaccine code; empty for dm and ht as well.
        key: The claim it is part of; None where it is of none.
        refusal: Why no claim came of it.
    """

    sheet: str
    number: int
    kind: str
    vn: str
    item: str
    key: Key | None
    refusal: Message | None = field(repr=False, default=None)


def note_rows(engine: Engine, run: Run, file_hash: str, file_name: str, rows: Sequence[WorkbookRow]) -> None:
    """Write down all rows of a workbook, once its claims are registered; a run notes a file once.

    Args:
        engine: The audit database.
        run: The run that imports it.
        file_hash: SHA-256 of the file, 64 hex digits.
        file_name: Its name, without folders.
        rows: All of them.
    """
    within(engine, lambda connection: _note(connection, run, file_hash, file_name, rows))


def _note(connection: Connection, run: Run, file_hash: str, file_name: str, rows: Sequence[WorkbookRow]) -> None:
    r = workbook_row.c
    noted = select(r.id).where(r.run_id == run.id, r.file_hash == file_hash).limit(1)
    if connection.scalar(noted) is not None:  # a commit whose answer was lost
        return
    ids = _ids(connection, run, {row.key for row in rows if row.key})
    for some in batches(rows):
        connection.execute(
            workbook_row.insert(),
            [
                {
                    "run_id": run.id,
                    "file_hash": file_hash,
                    # Whatever a person has written there, the row is kept.
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


def _ids(connection: Connection, run: Run, keys: set[Key]) -> dict[Key, int]:
    c = claim.c
    query = select(c.id, c.hcode, c.kind, c.vn, c.item).where(c.environment == run.environment, c.hcode == run.hcode)
    query = query.where(c.kind.in_({kind for _, kind, _, _ in keys}))
    found: list[Any] = []
    for vns in batches(sorted({vn for _, _, vn, _ in keys})):
        found += connection.execute(query.where(c.vn.in_(vns)))
    return {(r.hcode, r.kind, r.vn, r.item): r.id for r in found}


def imported_before(engine: Engine, environment: str, hcode: str, file_hash: str) -> RunRow | None:
    """The last run that imported the file of that hash to its end; None when none has. A dry run imports nothing."""
    held = select(workbook_row.c.run_id).where(workbook_row.c.file_hash == file_hash)
    mine = and_(run.c.environment == environment, run.c.hcode == hcode, run.c.flow == FLOW)
    query = select(run).where(mine, run.c.state == "completed", run.c.id.in_(held))
    query = query.order_by(run.c.started_at.desc()).limit(1)
    row = within(engine, lambda connection: connection.execute(query).one_or_none(), reading=True)
    return run_row(row) if row else None

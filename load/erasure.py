"""Erasing personal data that is older than it may be kept: what proves the claims stays, as tombstones.

Of a claim its payload, its person and its texts are taken out; what was paid, when, in which states, and every hash stay.
The hash of each text that is taken out stays beside its row, so that the chain still proves the row; and the seal of the
run that erased covers every row that it erased.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, bindparam, func, or_, select, update

from core.clock import BANGKOK
from core.messages import Message
from load.chain import text_hash
from load.claim_rows import claims_of
from load.errors import AuditError
from load.runs import Run
from load.states import OPEN_STATES
from load.tables import claim, issue, metadata, submission, workbook_row
from load.tables import run as run_table
from load.transactions import within
from load.triggers import ERASABLE

# Claims, issues and rows of workbooks erased in one transaction.
_AT_ONCE = 200
_NOT_COMPACTED = Message(
    "ลบข้อมูลแล้ว แต่ยังบีบไฟล์ฐานข้อมูลตรวจสอบไม่ได้เพราะโปรแกรมอื่นใช้อยู่ หรือดิสก์เต็ม กรุณาสั่งอีกครั้งเมื่อว่าง",
    "The data was erased, but the audit's file could not be made anew: another program uses it, or the disk is full. Give "
    "the command again when nothing runs; until then remains of it may lie in the file.",
)


def facilities(engine: Engine, environment: str, hcode: str = "") -> list[str]:
    """The facilities whose claims or issues the audit has in an environment; only this one, if one is given.

    Raises:
        AuditError: The audit cannot be read.
    """

    def read(connection: Connection) -> set[str]:
        found: set[str] = set()
        for table in (claim, issue):
            found |= set(connection.scalars(select(table.c.hcode).where(table.c.environment == environment).distinct()))
        return found

    return sorted(f for f in within(engine, read, reading=True) if hcode in ("", f))


def count_erasable(engine: Engine, environment: str, hcode: str, before: date) -> int:
    """How many claims and issues of a facility `erase` would take the personal data out of.

    Raises:
        AuditError: The audit cannot be read.
    """
    conditions = {t: _old(t, before) & (t.c.environment == environment) & (t.c.hcode == hcode) for t in (claim, issue)}

    def read(connection: Connection) -> int:
        counts = (select(func.count()).select_from(t).where(which) for t, which in conditions.items())
        return sum(connection.scalar(count) or 0 for count in counts)

    return within(engine, read, reading=True)


def erase(engine: Engine, run: Run, before: date) -> Counter[str]:
    """Take the personal data out of what is older than a day: claims, their exchanges and history, issues, sheet rows.

    Claims that are still open keep theirs, whatever their age. Stops and goes on at any place without harm.

    Args:
        engine: The audit database, migrated.
        run: The run that holds the facility, of flow `load.seals.ERASE_FLOW`.
        before: The first service day that is kept; what was changed since is kept as well.

    Returns:
        Counts of claims, issues and workbook_rows.

    Raises:
        StopRun: The run has lost its facility.
        AuditError: The audit cannot be written.
    """
    counts: Counter[str] = Counter()
    mine = claims_of(run) & _old(claim, before)
    of_issues = (issue.c.environment == run.environment) & (issue.c.hcode == run.hcode) & _old(issue, before)
    rows_of_none = and_(
        workbook_row.c.claim_id.is_(None),
        workbook_row.c.erased_by.is_(None),
        workbook_row.c.run_id.in_(_runs(run, before)),
    )
    for ids in _portions(engine, claim, mine):
        within(engine, lambda connection, ids=ids: _erase_claims(connection, run, ids))  # type: ignore[misc]
        counts["claims"] += len(ids)
    for ids in _portions(engine, issue, of_issues):
        within(engine, lambda connection, ids=ids: _erase_issues(connection, run, ids))  # type: ignore[misc]
        counts["issues"] += len(ids)
    for ids in _portions(engine, workbook_row, rows_of_none):
        which = workbook_row.c.id.in_(ids)
        within(engine, lambda connection, which=which: _erase_rows(connection, run, workbook_row, which))  # type: ignore[misc]
        counts["workbook_rows"] += len(ids)
    return counts


def compact(engine: Engine) -> None:
    """Make SQLite's file anew, so that nothing of what was erased is left in it; the servers are their administrator's.

    Raises:
        AuditError: Another program is using the file.
    """
    if engine.dialect.name != "sqlite":
        return
    raw = engine.raw_connection()
    try:
        for statement in ("vacuum", "pragma wal_checkpoint(truncate)"):
            raw.driver_connection.execute(statement)  # type: ignore[union-attr]
    except sqlite3.Error:
        raise AuditError(_NOT_COMPACTED) from None
    finally:
        raw.close()


def _old(table: Table, before: date) -> ColumnElement[bool]:
    since = datetime.combine(before, time(), BANGKOK)
    old = and_(table.c.erased_by.is_(None), table.c.service_date < before)
    if table is claim:
        return and_(old, claim.c.state.not_in(OPEN_STATES), claim.c.updated_at < since)
    return and_(old, issue.c.seen_at < since)


def _runs(run: Run, before: date) -> Select[Any]:
    r = run_table.c
    since = datetime.combine(before, time(), BANGKOK)
    return select(r.id).where(r.environment == run.environment, r.hcode == run.hcode, r.started_at < since)


def _portions(engine: Engine, table: Table, which: ColumnElement[bool]) -> Iterator[Sequence[int]]:
    """The ids of the rows, in portions; whoever takes a portion erases it before the next is read."""
    query = select(table.c.id).where(which).order_by(table.c.id).limit(_AT_ONCE)
    while ids := within(engine, lambda connection: connection.scalars(query).all(), reading=True):
        yield ids


def _erase_claims(connection: Connection, run: Run, ids: Sequence[int]) -> None:
    for name in ERASABLE:
        table = metadata.tables[name]
        _erase_rows(connection, run, table, table.c.claim_id.in_(ids) & table.c.erased_by.is_(None))
    gone = {"payload": "", "pid": "", "hn": "", "message": None, "record": None}
    these = update(claim).where(claim.c.id.in_(ids), claim.c.state.not_in(OPEN_STATES))
    connection.execute(these.values(**gone, erased_by=run.id, written_by=run.id))
    run.fence(connection)


def _erase_issues(connection: Connection, run: Run, ids: Sequence[int]) -> None:
    gone = {"hn": "", "message_th": "", "message_en": "", "record": None}
    connection.execute(update(issue).where(issue.c.id.in_(ids)).values(**gone, erased_by=run.id, written_by=run.id))
    run.fence(connection)


def _erase_rows(connection: Connection, run: Run, table: Table, which: ColumnElement[bool]) -> None:
    """Empty the texts of rows that never change otherwise; their hash takes their place."""
    texts = [table.c[name] for name in ERASABLE[table.name]]
    emptied: dict[str, Any] = {c.name: None if c.nullable else "" for c in texts} | {"erased_by": run.id}
    filled = or_(*(c.is_not(None) for c in texts))
    if "text_hash" not in table.c or table is submission:  # their hash stands there already
        connection.execute(update(table).where(which & filled).values(emptied))
        return
    rows = connection.execute(select(table.c.id, *texts).where(which & filled)).all()
    if rows:
        one = update(table).where(table.c.id == bindparam("row_id")).values(**emptied, text_hash=bindparam("new_hash"))
        connection.execute(one, [{"row_id": row.id, "new_hash": text_hash(*row[1:])} for row in rows])

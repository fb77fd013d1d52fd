"""Seals: at the end of each run, hashes of everything that the run has written, in the same transaction.

A facility's seals are a chain, for its runs never overlap: each holds the hash of the one before it. So whoever changes,
removes or inserts a row afterwards would have to write every later seal of the facility anew.

Claims and issues change from run to run: their rows as a run left them are hashed one by one (`sealed_row`), and the last
such hash of a row is the one that must fit. Whatever else a run writes stays as it was written, and is hashed as a whole.
A run whose late answers come after the next run has closed it gets another seal, which takes the place of its first.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, select
from sqlalchemy.exc import IntegrityError

from core.clock import now
from load.chain import ChainEnd, beginning, text_hash
from load.tables import access, claim, claim_history, issue, run, seal, sealed_row, workbook_row
from load.triggers import ERASABLE

ERASE_FLOW = "erase"
"""The flow of the runs that take personal data out of the audit (`load.erasure`)."""

SEALED_ROW_BY_ROW: dict[str, Table] = {"claim": claim, "issue": issue}
Columns = Callable[[Table], list[Column[Any]]]
"""The columns of a table; a migration knows fewer than the program."""
# Of a claim its payload is left out: `payload_hash` stands for it.
_LEFT_OUT = frozenset({(claim.name, "payload")})
# A part of what the hashes are: changed, they would be others.
_ROWS_AT_ONCE = 500
# Two processes may seal one facility at once: a run's end, and the late answers of the run before it.
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Written:
    """What a run has written, apart from its own row and its exchanges.

    Args:
        history: Count and hash of its changes of state.
        workbook_rows: Count and hash of the rows of its workbook.
        rows: The hash of each claim and issue that no later run has written to: table, row, hash.
    """

    history: ChainEnd
    workbook_rows: ChainEnd
    rows: list[tuple[str, int, bytes]]


def all_columns(table: Table) -> list[Column[Any]]:
    """The columns of a table as the program knows them."""
    return list(table.c)


def row_hashes(
    connection: Connection, table: Table, which: ColumnElement[bool], columns: Columns = all_columns
) -> Iterator[tuple[int, bytes]]:
    """The SHA-256 of rows of `claim` or `issue`, each with its id, in the order of their ids.

    Columns that are null count for nothing, so a column that is added later changes no hash.
    """
    mine = sorted((c for c in columns(table) if (table.name, c.name) not in _LEFT_OUT), key=lambda c: c.name)
    names = [c.name for c in mine]
    place = names.index("id")
    for row in _stream(connection, table, mine, which):
        yield (
            row[place],
            hashlib.sha256(_json([pair for pair in zip(names, row, strict=True) if pair[1] is not None])).digest(),
        )


def rows_digest(
    connection: Connection, table: Table, which: ColumnElement[bool], columns: Columns = all_columns
) -> ChainEnd:
    """The count and the hash of rows of a table that never change; texts that may be erased count by their hash."""
    erasable = ERASABLE.get(table.name, ())
    kept = sorted(
        (c for c in columns(table) if c.name not in (*erasable, "text_hash", "erased_by")), key=lambda c: c.name
    )
    texts = [table.c[name] for name in erasable]
    tombstone = [table.c.text_hash] if erasable else []
    nothing = text_hash(*(None for _ in texts))
    digest, count = hashlib.sha256(), 0
    rows: list[list[Any]] = []  # encoded together: one by one takes twice as long
    for row in _stream(connection, table, [*kept, *texts, *tombstone], which):
        values: list[Any] = list(row[: len(kept)])
        if erasable:
            said = row[len(kept) : -1]
            values.append(row[-1] or (nothing if said.count(None) == len(said) else text_hash(*said)))
        rows.append(values)
        count += 1
        if len(rows) == _ROWS_AT_ONCE:
            digest.update(_json(rows))
            rows = []
    digest.update(_json(rows))
    return ChainEnd(count, digest.hexdigest())


def what_run_wrote(connection: Connection, run_id: str, columns: Columns = all_columns) -> Written:
    """Read what a run has written; takes about 40 µs a claim."""
    return Written(
        rows_digest(connection, claim_history, claim_history.c.run_id == run_id, columns),
        rows_digest(connection, workbook_row, workbook_row.c.run_id == run_id, columns),
        [
            (name, row_id, row_hash)
            for name, table in SEALED_ROW_BY_ROW.items()
            for row_id, row_hash in row_hashes(connection, table, table.c.written_by == run_id, columns)
        ],
    )


def found_history(environment: str, hcode: str) -> ColumnElement[bool]:
    """The condition for a facility's changes of state that no run is known to have made: before migration 0002."""
    mine = select(claim.c.id).where(claim.c.environment == environment, claim.c.hcode == hcode)
    return claim_history.c.run_id.is_(None) & claim_history.c.claim_id.in_(mine)


def run_hash(row: Any) -> str:
    """The SHA-256 of a run's own row, with the end of its chain of exchanges."""
    values = sorted((name, value) for name, value in row._asdict().items() if value is not None)
    return hashlib.sha256(_json(values)).hexdigest()


def seal_run(
    connection: Connection, run_id: str, written: Written | None = None, columns: Columns = all_columns
) -> None:
    """Seal what a run has written, once its own row is as it stays.

    Args:
        connection: In the transaction that ends the run, or that commits late answers of one that has ended.
        run_id: The run.
        written: What it has written, if it has been read already.
        columns: The columns of the tables.
    """
    of_run = connection.execute(select(*columns(run)).where(run.c.id == run_id)).one_or_none()
    if of_run is None:  # the run's row could not be written: the run has written nothing else
        return
    written = written or what_run_wrote(connection, run_id, columns)
    content: dict[str, Any] = {
        "run": run_hash(of_run),
        "history": _pair(written.history),
        "workbook_rows": _pair(written.workbook_rows),
        "access": _pair(last_access(connection, of_run.environment)),
    }
    if of_run.flow == ERASE_FLOW:
        content["erased"] = _pair(erased_digest(connection, run_id))
    known = _known_rows(connection, run_id)
    rows = [(name, row_id, digest.hex()) for name, row_id, digest in written.rows]
    rows = [row for row in rows if known.get(row[:2]) != row[2]]
    append_seal(connection, of_run.environment, of_run.hcode, run_id, content, rows)


def append_seal(
    connection: Connection,
    environment: str,
    hcode: str,
    run_id: str | None,
    content: dict[str, Any],
    rows: list[tuple[str, int, str]],
) -> None:
    """Append a seal to the facility's chain, and the hashes of its rows."""
    content |= {"rows": _pair(digest_of_rows(rows))}
    text = json.dumps(content, sort_keys=True)
    new: dict[str, Any] = {"environment": environment, "hcode": hcode, "run_id": run_id, "at": now(), "content": text}
    latest = (
        select(seal.c.run_id, seal.c.content).where(_of(environment, hcode)).order_by(seal.c.number.desc()).limit(1)
    )
    if connection.execute(latest).first() == (run_id, text) and not rows:  # the answer to the commit was lost
        return
    for attempt in range(1, _TRIES + 1):
        end = last_seal(connection, environment, hcode)
        row = new | {"number": end.number + 1, "previous_hash": end.hash}
        row["hash"] = seal_hash(row)
        try:
            with connection.begin_nested():
                connection.execute(seal.insert(), row)
            break
        except IntegrityError:  # another process was faster
            if attempt == _TRIES:
                raise
    if rows:
        mine = _of(environment, hcode) & (seal.c.number == row["number"])
        seal_id = connection.scalar(select(seal.c.id).where(mine))
        connection.execute(
            sealed_row.insert(),
            [{"seal_id": seal_id, "of_table": t, "row_id": row_id, "row_hash": h} for t, row_id, h in rows],
        )


def last_seal(connection: Connection, environment: str, hcode: str) -> ChainEnd:
    """The end of a facility's chain of seals."""
    query = select(seal.c.number, seal.c.hash).where(_of(environment, hcode)).order_by(seal.c.number.desc()).limit(1)
    last = connection.execute(query).first()
    return ChainEnd(last.number, last.hash) if last else beginning(f"{environment}/{hcode}")


def seal_hash(row: Any) -> str:
    """The hash of a seal: SHA-256 over all its columns but the id and the hash itself."""
    names = ("environment", "hcode", "number", "previous_hash", "run_id", "at", "content")
    return hashlib.sha256(_json([row[name] for name in names])).hexdigest()


def last_access(connection: Connection, environment: str) -> ChainEnd:
    """The end of an environment's chain of looks and exports (`load.accesses`)."""
    query = select(access.c.number, access.c.hash).where(access.c.environment == environment)
    last = connection.execute(query.order_by(access.c.number.desc()).limit(1)).first()
    return ChainEnd(last.number, last.hash) if last else beginning(f"access/{environment}")


def erased_digest(connection: Connection, run_id: str) -> ChainEnd:
    """The count and the hash of the rows that a run has erased, in the tables whose rows never change otherwise."""
    digest, count = hashlib.sha256(), 0
    for name in sorted(ERASABLE):
        table = claim.metadata.tables[name]
        columns = sorted(table.c, key=lambda c: c.name)
        order = [c for c in columns if c.primary_key]
        query = select(*columns).where(table.c.erased_by == run_id).order_by(*order)
        for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            digest.update(_json([name, *row]))
            count += 1
    return ChainEnd(count, digest.hexdigest())


def digest_of_rows(rows: list[tuple[str, int, str]]) -> ChainEnd:
    """The count and the hash of the rows of `sealed_row` of one seal, in their order."""
    return ChainEnd(len(rows), hashlib.sha256(_json(rows)).hexdigest())


def _known_rows(connection: Connection, run_id: str) -> dict[tuple[str, int], str]:
    """The last hash of each row in the run's earlier seals; empty for nearly every run."""
    s = sealed_row.c
    query = select(s.of_table, s.row_id, s.row_hash).join(seal, seal.c.id == s.seal_id)
    return {
        (r.of_table, r.row_id): r.row_hash
        for r in connection.execute(query.where(seal.c.run_id == run_id).order_by(s.id))
    }


def _stream(
    connection: Connection, table: Table, columns: list[Column[Any]], which: ColumnElement[bool]
) -> Iterator[Row[Any]]:
    query = select(*columns).where(which).order_by(table.c.id).execution_options(yield_per=_ROWS_AT_ONCE)
    with connection.execute(query) as rows:
        yield from rows


def _of(environment: str, hcode: str) -> ColumnElement[bool]:
    return (seal.c.environment == environment) & (seal.c.hcode == hcode)


def _pair(end: ChainEnd) -> list[Any]:
    return [end.number, end.hash]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode("utf-8", "surrogatepass")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)

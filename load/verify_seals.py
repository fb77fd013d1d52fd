"""Verification of the seals, of everything that they cover (`load.seals`), and of the record of accesses."""

import json
from collections.abc import Collection, Iterator
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table, select

from load.accesses import access_hash
from load.chain import ChainEnd, beginning
from load.mismatch import (
    ACCESS,
    HISTORY,
    ISSUE_ROW,
    NO_SEAL,
    NOT_ERASED,
    ROW,
    ROW_GONE,
    RUN_CHANGED,
    RUN_GONE,
    SEAL_CHANGED,
    SEAL_MISSING,
    WORKBOOK_ROWS,
    Mismatch,
)
from load.seals import (
    ERASE_FLOW,
    SEALED_ROW_BY_ROW,
    digest_of_rows,
    erased_digest,
    found_history,
    row_hashes,
    rows_digest,
    run_hash,
    seal_hash,
)
from load.tables import access, claim, claim_history, issue, run, seal, sealed_row, workbook_row
from load.transactions import BATCH
from load.triggers import ERASABLE


class Counts(Protocol):
    """What counts that which fits."""

    seals: int
    issues: int


def mismatches_of_seals(
    connection: Connection, environment: str, under_way: Collection[str], counts: Counts
) -> Iterator[Mismatch]:
    """Verify the seals of an environment and what they cover.

    Args:
        connection: A transaction that sees all tables at one moment.
        environment: sandbox, uat or prd.
        under_way: The runs that hold a facility: they have no seal yet.
        counts: Its `seals` and `issues` are raised for each that fits.
    """
    accesses = {0: beginning(f"access/{environment}").hash}
    yield from _of_accesses(connection, environment, accesses)
    latest: dict[str, Any] = {}
    found: set[str] = set()
    of_env = select(seal).where(seal.c.environment == environment).order_by(seal.c.hcode, seal.c.number)
    hcode, last = None, ChainEnd(0, "")
    for row in connection.execute(of_env).all():
        if row.hcode != hcode:
            hcode, last = row.hcode, beginning(f"{environment}/{row.hcode}")
        yield from _of_seal(connection, row, last, accesses)
        last = ChainEnd(row.number, row.hash)
        if row.run_id is None:
            found.add(row.hcode)
            yield from _compare(
                connection, row, "history", claim_history, found_history(environment, row.hcode), HISTORY
            )
        else:
            latest[row.run_id] = row
        counts.seals += 1
    yield from _of_runs(connection, environment, latest, under_way)
    yield from _of_rows(connection, environment, under_way, counts)
    yield from _of_history_of_none(connection, environment, found)
    yield from _of_erased(connection, latest)


def _place(row: Any) -> dict[str, Any]:
    return {"seal": f"{row.hcode}/{row.number}", "run_id": row.run_id, "at": row.at}


def _of_seal(connection: Connection, row: Any, last: ChainEnd, accesses: dict[int, str]) -> Iterator[Mismatch]:
    if row.number != last.number + 1 or row.previous_hash != last.hash:
        yield Mismatch(SEAL_MISSING, **_place(row))
    s = sealed_row.c
    rows = connection.execute(select(s.of_table, s.row_id, s.row_hash).where(s.seal_id == row.id).order_by(s.id)).all()
    if seal_hash(row._asdict()) != row.hash or _part(row, "rows") != digest_of_rows([tuple(r) for r in rows]):
        yield Mismatch(SEAL_CHANGED, **_place(row))
    looked = _part(row, "access")
    if looked and accesses.get(looked.number) != looked.hash:
        yield Mismatch(ACCESS.fill(number=looked.number), **_place(row))


def _part(row: Any, name: str) -> ChainEnd | None:
    """What a seal says of a part."""
    try:
        pair = json.loads(row.content).get(name)
    except ValueError:
        return None
    return ChainEnd(*pair) if pair else None


def _compare(
    connection: Connection, row: Any, name: str, table: Table, which: ColumnElement[bool], what: Any
) -> Iterator[Mismatch]:
    if rows_digest(connection, table, which) != _part(row, name):
        yield Mismatch(what, **_place(row))


def _of_runs(
    connection: Connection, environment: str, latest: dict[str, Any], under_way: Collection[str]
) -> Iterator[Mismatch]:
    """Each run that is over has a seal, and is as it was sealed."""
    runs = {r.id: r for r in connection.execute(select(run).where(run.c.environment == environment))}
    for run_id, row in latest.items():
        if run_id not in runs:
            yield Mismatch(RUN_GONE, **_place(row))
            continue
        if run_hash(runs[run_id]) != json.loads(row.content).get("run"):
            yield Mismatch(RUN_CHANGED, **_place(row))
        yield from _compare(connection, row, "history", claim_history, claim_history.c.run_id == run_id, HISTORY)
        yield from _compare(
            connection, row, "workbook_rows", workbook_row, workbook_row.c.run_id == run_id, WORKBOOK_ROWS
        )
    for run_id, r in runs.items():
        if run_id not in latest and run_id not in under_way:
            yield Mismatch(NO_SEAL, run_id, at=r.started_at)


def _of_history_of_none(connection: Connection, environment: str, found: Collection[str]) -> Iterator[Mismatch]:
    """No change of state is of a run that is not there; or of none, unless it was found by a migration.

    Args:
        found: The facilities whose history of before 0002 is sealed.
    """
    h = claim_history.c
    unknown = h.run_id.is_not(None) & h.run_id.not_in(select(run.c.id))
    of_none = h.run_id.is_(None) & claim.c.hcode.not_in(found)
    steps = select(h.run_id, h.at).join(claim, claim.c.id == h.claim_id)
    steps = steps.where(claim.c.environment == environment, unknown | of_none)
    for step in connection.execute(steps.limit(1)):
        yield Mismatch(HISTORY, step.run_id, at=step.at)


def _of_rows(
    connection: Connection, environment: str, under_way: Collection[str], counts: Counts
) -> Iterator[Mismatch]:
    """Each claim and issue is as the run left it that wrote it last, and none is missing."""
    for name, table in SEALED_ROW_BY_ROW.items():
        c, s = table.c, sealed_row.c
        columns = [c.id, c.kind, c.vn, c.item, c.written_by]
        query = select(*columns).where(c.environment == environment).order_by(c.id).limit(BATCH)
        sealed = select(s.row_id, s.row_hash, seal.c.run_id).join(seal, seal.c.id == s.seal_id).order_by(s.id)
        after = 0
        while some := connection.execute(query.where(c.id > after)).all():
            first, after = some[0].id, some[-1].id
            between = c.id.between(first, after) & (c.environment == environment)
            hashes = dict(row_hashes(connection, table, between))
            said = sealed.where(s.of_table == name, s.row_id.between(first, after))
            known = {r.row_id: (r.row_hash, r.run_id) for r in connection.execute(said)}
            for row in some:
                if row.written_by in under_way:
                    continue
                if known.get(row.id) != (hashes[row.id].hex(), row.written_by):
                    what = ROW if table is claim else ISSUE_ROW
                    yield Mismatch(what, row.written_by, kind=row.kind, vn=row.vn, item=row.item)
                counts.issues += table is issue
        gone = (
            select(s.row_id, seal.c.run_id)
            .join(seal, seal.c.id == s.seal_id)
            .outerjoin(table, (c.id == s.row_id) & (c.environment == seal.c.environment))
        )
        gone = gone.where(seal.c.environment == environment, s.of_table == name, c.id.is_(None)).order_by(s.id)
        for row in connection.execute(gone.limit(1)):
            yield Mismatch(ROW_GONE.fill(row=row.row_id, table=name), row.run_id)


def _of_erased(connection: Connection, latest: dict[str, Any]) -> Iterator[Mismatch]:
    """What is erased was erased by a run that says so, row by row."""
    for name in ERASABLE:
        erased = claim.metadata.tables[name].c.erased_by
        for run_id in connection.scalars(select(erased).where(erased.is_not(None)).distinct()):
            flow = connection.scalar(select(run.c.flow).where(run.c.id == run_id))
            if flow != ERASE_FLOW:
                yield Mismatch(NOT_ERASED, run_id)
    for run_id, row in latest.items():
        if (said := _part(row, "erased")) and said != erased_digest(connection, run_id):
            yield Mismatch(NOT_ERASED, **_place(row))


def _of_accesses(connection: Connection, environment: str, hashes: dict[int, str]) -> Iterator[Mismatch]:
    query = select(access).where(access.c.environment == environment).order_by(access.c.number)
    last = ChainEnd(0, hashes[0])
    for row in connection.execute(query):
        if (row.number, row.previous_hash) != (last.number + 1, last.hash) or access_hash(row._asdict()) != row.hash:
            yield Mismatch(ACCESS.fill(number=row.number), row.run_id, at=row.at)
        last = ChainEnd(row.number, row.hash)
        hashes[row.number] = row.hash

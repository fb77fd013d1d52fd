"""The audit's list of records that did not become claims, or need a look: noted, seen again, resolved."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, bindparam, select, update

from core.clock import now
from load.database import batches, within
from load.runs import Run
from load.tables import Origin, issue
from transform.after_acceptance import CHANGED, CODES, VANISHED
from transform.claim import Claim, Issue, Kind

# What makes an issue one, within a facility: kind, vn, item, rule, field. The first three say what it is about.
_Key = tuple[str, str, str, str, str]
_About = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read, by whom, and what it says: see `note_issues`."""

    run: Run
    day: date
    kinds: Collection[Kind]
    origin: Origin
    visits: Collection[str] | None
    here: Collection[_About]
    records: Mapping[_About, str]

    def resolves(self, row: Any) -> bool:
        """Whether an open issue of which nothing was said this time is no more."""
        if (row.kind, row.vn, row.item) in self.here:
            # That what was taken has become otherwise in the HIS, only the HIS can undo.
            return self.origin == "his" or row.rule not in CODES
        in_hand = row.service_date == self.day if self.visits is None else row.vn in self.visits
        return in_hand and row.origin == self.origin

    def stands(self, row: Any) -> bool:
        """Whether a known issue is a workbook's that the HIS has as well: a person's own record is kept."""
        return self.origin == "his" and row.origin == "workbook" and row.resolved_at is None


def note_issues(
    engine: Engine,
    run: Run,
    day: date,
    kinds: Collection[Kind],
    issues: Iterable[Issue],
    claims: Collection[Claim] = (),
    *,
    origin: Origin = "his",
    visits: Collection[str] | None = None,
    records: Mapping[_About, str] = {},
) -> None:
    """Write down why records did not become claims; what is no longer wrong is resolved.

    A visit may have been moved from one day to another since it was read, and the two days may be read in any order:
    what was said of it on the day it has left is resolved. What a workbook has said is resolved by a workbook that holds
    the visit, or by a claim of it wherever that comes from; so is what was said of the HIS by the HIS, or such a claim.

    Args:
        engine: The audit database.
        run: The run that read the day.
        day: The service day that was read.
        kinds: The kinds that were looked for.
        issues: All issues of that day and those kinds.
        claims: All claims of that day and those kinds.
        origin: Whose records they are.
        visits: The visits that were read, where these are not all of the day.
        records: The sheet rows that hold a record, JSON, by its kind, vn and item.
    """
    seen: dict[_Key, Issue] = {(i.kind, i.vn, i.item, i.rule, i.column): i for i in issues}
    here = {(c.kind, c.vn, c.item) for c in claims}
    read = _Read(run, day, kinds, origin, visits, here, records)
    within(engine, lambda connection: _note(connection, read, seen))


def _note(connection: Connection, read: _Read, seen: Mapping[_Key, Issue]) -> None:
    moment = now()
    known = {(r.kind, r.vn, r.item, r.rule, r.field): r for r in _found(connection, read, seen)}
    is_open = {key: r for key, r in known.items() if r.resolved_at is None}
    # What was taken and has moved has changed, which is said on its new day: it has not vanished.
    moved = {key[:3] for key, r in is_open.items() if r.rule == CHANGED.code and r.service_date != read.day}
    seen = {key: i for key, i in seen.items() if i.rule != VANISHED.code or key[:3] not in moved}
    new = [_issue_row(i, read, moment) for key, i in seen.items() if key not in known]
    again = [
        _issue_seen(known[key].id, i, read, moment)
        for key, i in seen.items()
        if key in known and not read.stands(known[key])
    ]
    gone = [r.id for key, r in is_open.items() if key not in seen and read.resolves(r)]
    for rows in batches(new):
        connection.execute(issue.insert(), rows)
    if again:
        connection.execute(_ISSUE_SEEN, again)
    for ids in batches(gone):
        connection.execute(update(issue).where(issue.c.id.in_(ids)).values(resolved_at=moment))


def _found(connection: Connection, read: _Read, seen: Collection[_Key]) -> list[Any]:
    """What is known of the day, and of all visits that are spoken of."""
    columns = [issue.c.id, issue.c.kind, issue.c.vn, issue.c.item, issue.c.rule, issue.c.field]
    columns += [issue.c.service_date, issue.c.resolved_at, issue.c.origin]
    mine = and_(issue.c.environment == read.run.environment, issue.c.hcode == read.run.hcode)
    query = select(*columns).where(mine, issue.c.kind.in_(read.kinds))
    found = list(connection.execute(query.where(issue.c.service_date == read.day)))
    for some in batches(sorted({vn for _, vn, *_ in (*seen, *read.here)}.union(read.visits or ()))):
        found += connection.execute(query.where(issue.c.vn.in_(some), issue.c.service_date != read.day))
    return found


_ISSUE_SEEN = (
    update(issue)
    .where(issue.c.id == bindparam("row_id"))
    .values(
        severity=bindparam("new_severity"),
        service_date=bindparam("day"),
        message_th=bindparam("th"),
        message_en=bindparam("en"),
        run_id=bindparam("run"),
        seen_at=bindparam("at"),
        resolved_at=None,
        origin=bindparam("new_origin"),
        record=bindparam("new_record"),
    )
)


def _issue_row(i: Issue, read: _Read, moment: datetime) -> dict[str, Any]:
    return {
        "environment": read.run.environment,
        "hcode": read.run.hcode,
        "kind": i.kind,
        "vn": i.vn,
        "item": i.item,
        "rule": i.rule,
        "severity": i.severity,
        "hn": i.hn,
        "service_date": read.day,
        "field": i.column,
        "message_th": i.message.th,
        "message_en": i.message.en,
        "first_run_id": read.run.id,
        "run_id": read.run.id,
        "first_seen_at": moment,
        "seen_at": moment,
        "origin": read.origin,
        "record": read.records.get((i.kind, i.vn, i.item)),
    }


def _issue_seen(row_id: int, i: Issue, read: _Read, moment: datetime) -> dict[str, Any]:
    return {
        "row_id": row_id,
        "day": read.day,
        "new_severity": i.severity,
        "th": i.message.th,
        "en": i.message.en,
        "run": read.run.id,
        "at": moment,
        "new_origin": read.origin,
        "new_record": read.records.get((i.kind, i.vn, i.item)),
    }

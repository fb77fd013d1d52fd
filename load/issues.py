"""The audit's issues: why a record is not a claim, or needs a look; recorded, seen again, resolved."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, bindparam, select, update

from core.clock import now
from core.messages import Message
from load.runs import Run
from load.tables import Origin, issue, run
from load.transactions import batches, within
from transform.after_acceptance import CHANGED, CODES, VANISHED
from transform.claim import Claim, Issue, Kind

# What identifies an issue within a facility: kind, vn, item, rule, field; and the record it is about: the first three.
_IssueKey = tuple[str, str, str, str, str]
_RecordKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read, and by which run: the arguments of `record_issues`."""

    run: Run
    day: date
    kinds: Collection[Kind]
    origin: Origin
    visits: Collection[str] | None
    claims: Collection[_RecordKey]
    records: Mapping[_RecordKey, str]

    def resolves(self, row: Any) -> bool:
        """Whether an open issue that was not found again is resolved."""
        if (row.kind, row.vn, row.item) in self.claims:
            # An issue about an accepted claim that was changed in the HIS is resolved by the HIS only.
            return self.origin == "his" or row.rule not in CODES
        # A workbook holds visits of many days; of the HIS, one day is read at a time, all of it or some visits.
        of_day = row.service_date == self.day or self.origin == "workbook"
        was_read = of_day and (self.visits is None or row.vn in self.visits)
        return was_read and row.origin == self.origin

    def must_keep(self, row: Any) -> bool:
        """Whether a known issue stays as it is: an open one of a workbook is not overwritten by the HIS."""
        return self.origin == "his" and row.origin == "workbook" and row.resolved_at is None


def record_issues(
    engine: Engine,
    run: Run,
    day: date,
    kinds: Collection[Kind],
    issues: Iterable[Issue],
    claims: Collection[Claim] = (),
    *,
    origin: Origin = "his",
    visits: Collection[str] | None = None,
    records: Mapping[_RecordKey, str] = {},
) -> None:
    """Record why records are not claims; resolve issues that were not found again.

    A visit may have been moved from one day to another since it was read, and the two days may be read in any order:
    issues of the day that it has left are resolved. Issues of a workbook are resolved by a workbook that holds the visit,
    or by a claim of it from anywhere; issues of the HIS by the HIS, or by such a claim.

    Args:
        engine: The audit database.
        run: The run that read the day.
        day: The service day that was read.
        kinds: The kinds that were read.
        issues: All issues of that day and those kinds.
        claims: All claims of that day and those kinds.
        origin: Where the records come from.
        visits: The visits that were read, where these are not all of the day.
        records: The sheet rows of each record as JSON, by its kind, vn and item.
    """
    seen: dict[_IssueKey, Issue] = {(i.kind, i.vn, i.item, i.rule, i.column): i for i in issues}
    of_claims = {(c.kind, c.vn, c.item) for c in claims}
    reading = _Reading(run, day, kinds, origin, visits, of_claims, records)
    within(engine, lambda connection: _record(connection, reading, seen))


def _record(connection: Connection, reading: _Reading, seen: Mapping[_IssueKey, Issue]) -> None:
    moment = now()
    known = {(r.kind, r.vn, r.item, r.rule, r.field): r for r in _known_issues(connection, reading, seen)}
    is_open = {key: r for key, r in known.items() if r.resolved_at is None}
    # Of an issue that a dry run has resolved, no run that sends has read yet what it was about.
    waiting = is_open | {key: r for key, r in known.items() if r.by_dry_run}
    # An accepted claim whose visit has moved has an issue on its new day (it has changed); it has not vanished.
    moved = {key[:3] for key, r in is_open.items() if r.rule == CHANGED.code and r.service_date != reading.day}
    seen = {key: i for key, i in seen.items() if i.rule != VANISHED.code or key[:3] not in moved}
    new = [_issue_row(i, reading, moment) for key, i in seen.items() if key not in known]
    again = [
        _issue_seen(known[key].id, i, reading, moment)
        for key, i in seen.items()
        if key in known and not reading.must_keep(known[key])
    ]
    gone = [r.id for key, r in waiting.items() if key not in seen and reading.resolves(r)]
    for rows in batches(new):
        connection.execute(issue.insert(), rows)
    if again:
        connection.execute(_ISSUE_SEEN, again)
    for ids in batches(gone):
        connection.execute(
            update(issue).where(issue.c.id.in_(ids)).values(resolved_at=moment, written_by=reading.run.id)
        )


def _known_issues(connection: Connection, reading: _Reading, seen: Collection[_IssueKey]) -> list[Any]:
    """The known issues of the day, and those of all visits concerned."""
    columns: list[ColumnElement[Any]] = [
        issue.c.id,
        issue.c.kind,
        issue.c.vn,
        issue.c.item,
        issue.c.rule,
        issue.c.field,
    ]
    columns += [issue.c.service_date, issue.c.resolved_at, issue.c.origin, resolved_by_dry_run().label("by_dry_run")]
    mine = and_(issue.c.environment == reading.run.environment, issue.c.hcode == reading.run.hcode)
    query = select(*columns).where(mine, issue.c.kind.in_(reading.kinds))
    found = list(connection.execute(query.where(issue.c.service_date == reading.day)))
    for some in batches(sorted({vn for _, vn, *_ in (*seen, *reading.claims)}.union(reading.visits or ()))):
        found += connection.execute(query.where(issue.c.vn.in_(some), issue.c.service_date != reading.day))
    return found


def resolved_by_dry_run() -> ColumnElement[bool]:
    """Whether a dry run has resolved the issue: what it was about could go, and did not."""
    dry_run = select(run.c.id).where(run.c.parameters.contains('"dry_run": true'))
    return and_(issue.c.resolved_at.is_not(None), issue.c.written_by.in_(dry_run))


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
        written_by=bindparam("run"),
    )
)


def _issue_row(i: Issue, reading: _Reading, moment: datetime) -> dict[str, Any]:
    return {
        "environment": reading.run.environment,
        "hcode": reading.run.hcode,
        "kind": i.kind,
        "vn": i.vn,
        "item": i.item,
        "rule": i.rule,
        "severity": i.severity,
        "hn": i.hn,
        "service_date": reading.day,
        "field": i.column,
        "message_th": i.message.th,
        "message_en": i.message.en,
        "first_run_id": reading.run.id,
        "run_id": reading.run.id,
        "written_by": reading.run.id,
        "first_seen_at": moment,
        "seen_at": moment,
        "origin": reading.origin,
        "record": reading.records.get((i.kind, i.vn, i.item)),
    }


def _issue_seen(row_id: int, i: Issue, reading: _Reading, moment: datetime) -> dict[str, Any]:
    return {
        "row_id": row_id,
        "day": reading.day,
        "new_severity": i.severity,
        "th": i.message.th,
        "en": i.message.en,
        "run": reading.run.id,
        "at": moment,
        "new_origin": reading.origin,
        "new_record": reading.records.get((i.kind, i.vn, i.item)),
    }


def open_errors_of_his(engine: Engine, run: Run, visits: Collection[str], rules: Collection[str]) -> list[Issue]:
    """The open errors of these rules that the run's facility has in its HIS at these visits.

    Args:
        engine: The audit database.
        run: The run that asks.
        visits: The visit numbers.
        rules: The codes of the rules.
    """
    c = issue.c
    mine = and_(c.environment == run.environment, c.hcode == run.hcode, c.origin == "his", c.severity == "error")
    query = select(issue).where(mine, c.resolved_at.is_(None), c.rule.in_(rules)).order_by(c.vn, c.kind, c.item, c.id)
    queries = [query.where(c.vn.in_(some)) for some in batches(sorted(visits))]
    rows = within(engine, lambda connection: [r for q in queries for r in connection.execute(q)], reading=True)
    return [
        Issue(
            r.hcode, r.kind, r.vn, r.hn, r.item, r.service_date, r.rule, r.severity,
            Message(r.message_th, r.message_en), r.field,
        )
        for r in rows
    ]  # fmt: skip

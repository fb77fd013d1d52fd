"""The audit's list of records that did not become claims, or need a look: noted, seen again, resolved."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, bindparam, select, update

from extract.clock import now
from load.database import batches, within
from load.runs import Run
from load.tables import issue
from transform.after_acceptance import CHANGED, VANISHED
from transform.claim import Claim, Issue, Kind

# What makes an issue one, within a facility: kind, vn, item, rule, field.
_Key = tuple[str, str, str, str, str]


def note_issues(
    engine: Engine,
    run: Run,
    day: date,
    kinds: Collection[Kind],
    issues: Iterable[Issue],
    claims: Collection[Claim] = (),
) -> None:
    """Write down why records did not become claims; what is no longer wrong is resolved.

    A visit may have been moved from one day to another since it was read, and the two days may be read in any order:
    what was said of it on the day it has left is resolved.

    Args:
        engine: The audit database.
        run: The run that read the day.
        day: The service day that was read.
        kinds: The kinds that were looked for.
        issues: All issues of that day and those kinds.
        claims: All claims of that day and those kinds.
    """
    seen: dict[_Key, Issue] = {(i.kind, i.vn, i.item, i.rule, i.column): i for i in issues}
    here = {(c.kind, c.vn, c.item) for c in claims}
    within(engine, lambda connection: _note(connection, run, day, kinds, seen, here))


def _note(
    connection: Connection,
    run: Run,
    day: date,
    kinds: Collection[Kind],
    seen: Mapping[_Key, Issue],
    here: Collection[tuple[str, str, str]],
) -> None:
    moment = now()
    columns = [issue.c.id, issue.c.kind, issue.c.vn, issue.c.item, issue.c.rule, issue.c.field]
    columns += [issue.c.service_date, issue.c.resolved_at]
    mine = and_(issue.c.environment == run.environment, issue.c.hcode == run.hcode)
    query = select(*columns).where(mine, issue.c.kind.in_(kinds))
    found = list(connection.execute(query.where(issue.c.service_date == day)))
    for some in batches(sorted({vn for _, vn, *_ in (*seen, *here)})):
        found += connection.execute(query.where(issue.c.vn.in_(some), issue.c.service_date != day))
    known = {(r.kind, r.vn, r.item, r.rule, r.field): r for r in found}
    is_open = {key: r for key, r in known.items() if r.resolved_at is None}
    # What was taken and has moved has changed, which is said on its new day: it has not vanished.
    moved = {key[:3] for key, r in is_open.items() if r.rule == CHANGED.code and r.service_date != day}
    seen = {key: i for key, i in seen.items() if i.rule != VANISHED.code or key[:3] not in moved}
    new = [_issue_row(i, day, run, moment) for key, i in seen.items() if key not in known]
    again = [_issue_seen(known[key].id, i, day, run, moment) for key, i in seen.items() if key in known]
    gone = [r.id for key, r in is_open.items() if key not in seen and (r.service_date == day or key[:3] in here)]
    for rows in batches(new):
        connection.execute(issue.insert(), rows)
    if again:
        connection.execute(_ISSUE_SEEN, again)
    for ids in batches(gone):
        connection.execute(update(issue).where(issue.c.id.in_(ids)).values(resolved_at=moment))


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
    )
)


def _issue_row(i: Issue, day: date, run: Run, moment: datetime) -> dict[str, Any]:
    return {
        "environment": run.environment,
        "hcode": run.hcode,
        "kind": i.kind,
        "vn": i.vn,
        "item": i.item,
        "rule": i.rule,
        "severity": i.severity,
        "hn": i.hn,
        "service_date": day,
        "field": i.column,
        "message_th": i.message.th,
        "message_en": i.message.en,
        "first_run_id": run.id,
        "run_id": run.id,
        "first_seen_at": moment,
        "seen_at": moment,
    }


def _issue_seen(row_id: int, i: Issue, day: date, run: Run, moment: datetime) -> dict[str, Any]:
    return {
        "row_id": row_id,
        "day": day,
        "new_severity": i.severity,
        "th": i.message.th,
        "en": i.message.en,
        "run": run.id,
        "at": moment,
    }

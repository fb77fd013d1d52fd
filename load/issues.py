"""The audit's list of records that did not become claims, or need a look: noted, seen again, resolved."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, and_, bindparam, select, update

from extract.clock import now
from load.database import batches, transaction
from load.runs import Run
from load.tables import issue
from transform.claim import Issue, Kind


def note_issues(engine: Engine, run: Run, day: date, kinds: Collection[Kind], issues: Iterable[Issue]) -> None:
    """Write down why records did not become claims; what is no longer wrong is resolved.

    Args:
        engine: The audit database.
        run: The run that read the day.
        day: The service day that was read.
        kinds: The kinds that were looked for.
        issues: All issues of that day and those kinds.
    """
    moment = now()
    mine = and_(issue.c.environment == run.environment, issue.c.hcode == run.hcode)
    seen = {(i.kind, i.vn, i.item, i.rule, i.column): i for i in issues}
    with transaction(engine) as connection:
        columns = [issue.c.id, issue.c.kind, issue.c.vn, issue.c.item, issue.c.rule, issue.c.field]
        columns += [issue.c.service_date, issue.c.resolved_at]
        query = select(*columns).where(mine, issue.c.kind.in_(kinds))
        found = list(connection.execute(query.where(issue.c.service_date == day)))
        # A visit may have been moved from another day since.
        for some in batches(sorted({i.vn for i in seen.values()})):
            found += connection.execute(query.where(issue.c.vn.in_(some), issue.c.service_date != day))
        known = {(r.kind, r.vn, r.item, r.rule, r.field): r for r in found}
        new = [_issue_row(i, day, run, moment) for key, i in seen.items() if key not in known]
        again = [_issue_seen(known[key].id, i, day, run, moment) for key, i in seen.items() if key in known]
        gone = [r.id for key, r in known.items() if key not in seen and r.service_date == day and r.resolved_at is None]
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

"""Queries of the audit for reports, the commands `status` and `issues`, and Prefect artifacts."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Engine, Row, and_, exists, func, or_, select

from load.failed_in_vain import failed_in_vain
from load.runs import Run
from load.states import ACCEPTED_STATES, DUE, FOR_A_PERSON, State
from load.tables import claim, claim_history, issue, run, submission
from load.transactions import transaction
from transform.after_acceptance import CODES as AFTER_ACCEPTANCE
from transform.claims import RATE_UNKNOWN


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, as the audit has it."""

    id: str
    hcode: str
    environment: str
    flow: str
    state: str
    parameters: dict[str, Any]
    counts: dict[str, Any]
    log_ins: int
    message_th: str | None = field(repr=False)
    message_en: str | None = field(repr=False)
    started_at: datetime


def last_run(engine: Engine, environment: str, hcode: str = "") -> RunRow | None:
    """The run that started last, of one facility or of any; None if there is none."""
    query = select(run).where(run.c.environment == environment).order_by(run.c.started_at.desc()).limit(1)
    if hcode:
        query = query.where(run.c.hcode == hcode)
    with transaction(engine, reading=True) as connection:
        row = connection.execute(query).one_or_none()
    return run_row(row) if row else None


def run_row(row: Row[Any]) -> RunRow:
    """Turn a row of the table `run` into a `RunRow`."""
    return RunRow(
        row.id,
        row.hcode,
        row.environment,
        row.flow,
        row.state,
        json.loads(row.parameters),
        json.loads(row.counts or "{}"),
        row.log_ins,
        row.message_th,
        row.message_en,
        row.started_at,
    )


def claims_by_day(
    engine: Engine, environment: str, *, first: date | None = None, last: date | None = None, hcode: str = ""
) -> pd.DataFrame:
    """Counts and baht of the claims in the ledger.

    Returns:
        Columns hcode, service_date, kind, state, claims (count), baht; ordered.
    """
    columns = [claim.c.hcode, claim.c.service_date, claim.c.kind, claim.c.state]
    query = (
        select(*columns, func.count().label("claims"), func.sum(claim.c.baht).label("baht"))
        .where(_within(claim, environment, first, last, hcode))
        .group_by(*columns)
        .order_by(*columns)
    )
    frame = _frame(engine, query)
    return frame.astype({"claims": "int64", "baht": "int64"})


def claims_not_accepted(
    engine: Engine,
    environment: str,
    *,
    first: date | None = None,
    last: date | None = None,
    hcode: str = "",
    failed_nights: int = 0,
) -> pd.DataFrame:
    """Claims that are not accepted, or only presumed so: refused, held, given up, in doubt, to be sent again.

    Args:
        engine: The audit database.
        environment: sandbox, uat or prd.
        first: First service day.
        last: Last service day.
        hcode: Of one facility; empty: of all.
        failed_nights: As `failed_in_vain`; 0: it is not asked for.

    Returns:
        Columns id, hcode, service_date, kind, vn, hn, item, state, meaning_th, meaning_en, message, record (JSON text),
        transaction_uid, origin, baht, nights_in_vain (`failed_nights`, or 0); ordered by day.
    """
    c = claim.c
    columns = [c.id, c.hcode, c.service_date, c.kind, c.vn, c.hn, c.item, c.state, c.meaning_th, c.meaning_en]
    columns += [c.message, c.record, c.transaction_uid, c.origin, c.baht]
    states = [*FOR_A_PERSON, State.IN_DOUBT, State.RETRY, State.SENDING]
    query = select(*columns).where(_within(claim, environment, first, last, hcode), c.state.in_(states))
    frame = _frame(engine, query.order_by(c.service_date, c.kind, c.vn, c.item))
    in_vain = failed_in_vain(engine, environment, failed_nights, hcode=hcode) if failed_nights else set()
    return frame.assign(nights_in_vain=[failed_nights if id in in_vain else 0 for id in frame["id"]])


def refusals(
    engine: Engine, environment: str, hcode: str, first: date, last: date, kinds: Collection[str]
) -> pd.DataFrame:
    """Why claims are not accepted: counts without anything personal.

    Returns:
        Columns state, meaning_th, meaning_en, claims (count); most frequent first.
    """
    c = claim.c
    columns = [c.state, c.meaning_th, c.meaning_en]
    states = [*FOR_A_PERSON, State.IN_DOUBT, State.RETRY]
    query = (
        select(*columns, func.count().label("claims"))
        .where(_within(claim, environment, first, last, hcode), c.state.in_(states), c.kind.in_(kinds))
        .group_by(*columns)
        .order_by(func.count().desc(), c.state)
    )
    return _frame(engine, query)


def open_issues(
    engine: Engine, environment: str, *, first: date | None = None, last: date | None = None, hcode: str = ""
) -> pd.DataFrame:
    """Open issues: records that are not claims, or need a look.

    Returns:
        Columns hcode, service_date, kind, vn, hn, item, rule, severity, field, message_th, message_en, record (JSON
        text), origin; ordered by day.
    """
    i = issue.c
    columns = [i.hcode, i.service_date, i.kind, i.vn, i.hn, i.item, i.rule, i.severity, i.field]
    query = select(*columns, i.message_th, i.message_en, i.record, i.origin).where(
        _within(issue, environment, first, last, hcode), _needs_attention()
    )
    return _frame(engine, query.order_by(i.service_date, i.kind, i.vn, i.item, i.rule))


def issue_counts(
    engine: Engine, environment: str, hcode: str, first: date, last: date, kinds: Collection[str]
) -> pd.DataFrame:
    """How many records broke which rule.

    Returns:
        Columns rule, severity, kind, records (count); errors first, most frequent first.
    """
    i = issue.c
    # A record may break a rule in several of its fields.
    record = func.distinct(i.vn + "|" + i.item)
    query = (
        select(i.rule, i.severity, i.kind, func.count(record).label("records"))
        .where(_within(issue, environment, first, last, hcode), _needs_attention(), i.kind.in_(kinds))
        .group_by(i.rule, i.severity, i.kind)
        .order_by(i.severity, func.count(record).desc(), i.rule, i.kind)
    )
    return _frame(engine, query)


def issue_counts_by_message(
    engine: Engine,
    environment: str,
    hcode: str,
    first: date,
    last: date,
    kinds: Collection[str],
    rules: Collection[str],
) -> pd.DataFrame:
    """How many open issues of some rules have the same message.

    Returns:
        Columns message_th, message_en, records (count); most frequent first.
    """
    i = issue.c
    query = (
        select(i.message_th, i.message_en, func.count().label("records"))
        .where(
            _within(issue, environment, first, last, hcode), _needs_attention(), i.kind.in_(kinds), i.rule.in_(rules)
        )
        .group_by(i.message_th, i.message_en)
        .order_by(func.count().desc(), i.message_en)
    )
    return _frame(engine, query)


def _needs_attention() -> Any:
    """The condition that an issue is open, and that no accepted claim has made it pointless.

    Pointless are: a warning about a claim that was accepted all the same (unless the warning is about the accepted claim
    or its amount);
    and an error of a record of the HIS whose claim was accepted from a workbook.
    """
    same = [getattr(claim.c, key) == getattr(issue.c, key) for key in ("environment", "hcode", "kind", "vn", "item")]
    accepted = exists().where(*same, claim.c.state.in_(ACCEPTED_STATES))
    of_workbook = exists().where(*same, claim.c.state.in_(ACCEPTED_STATES), claim.c.origin == "workbook")
    about_accepted = issue.c.rule.in_([*AFTER_ACCEPTANCE, RATE_UNKNOWN.code])
    error = and_(issue.c.severity == "error", or_(issue.c.origin == "workbook", ~of_workbook))
    return and_(issue.c.resolved_at.is_(None), or_(error, about_accepted, ~accepted))


def _within(table: Any, environment: str, first: date | None, last: date | None, hcode: str) -> Any:
    conditions = [table.c.environment == environment]
    if first:
        conditions.append(table.c.service_date >= first)
    if last:
        conditions.append(table.c.service_date <= last)
    if hcode:
        conditions.append(table.c.hcode == hcode)
    return and_(*conditions)


def _frame(engine: Engine, query: Any) -> pd.DataFrame:
    with transaction(engine, reading=True) as connection:
        result = connection.execute(query)
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def transaction_statuses(
    engine: Engine, environment: str, *, first: date | None = None, last: date | None = None, hcode: str = ""
) -> pd.DataFrame:
    """The transaction statuses of accepted claims, as MOPH Claim gave them.

    Returns:
        Columns status, status_th (unchanged; empty while unknown), claims (count), baht; most frequent first.
    """
    c = claim.c
    columns = [func.coalesce(c.transaction_status, "").label("status")]
    columns.append(func.coalesce(c.transaction_status_th, "").label("status_th"))
    query = (
        select(*columns, func.count().label("claims"), func.sum(c.baht).label("baht"))
        .where(
            _within(claim, environment, first, last, hcode),
            c.state.in_(ACCEPTED_STATES),
            c.transaction_uid.is_not(None),
        )
        .group_by(*columns)
        .order_by(func.count().desc(), *columns)
    )
    return _frame(engine, query).astype({"claims": "int64", "baht": "int64"})


def affected_days(engine: Engine, run: Run) -> tuple[date, date] | None:
    """The first and last service day of the claims that a run changed or asked about, and of those still due or to check."""
    c = claim.c
    asked = c.id.in_(select(submission.c.claim_id).where(submission.c.run_id == run.id))
    open_ = c.state.in_([*DUE, State.PRESUMED_ACCEPTED])
    query = select(func.min(c.service_date), func.max(c.service_date)).where(
        _within(claim, run.environment, None, None, run.hcode), or_(c.changed_by == run.id, asked, open_)
    )
    with transaction(engine, reading=True) as connection:
        first, last = connection.execute(query).one()
    return (first, last) if first else None


def sent_by(engine: Engine, run: Run) -> pd.DataFrame:
    """What the run sent: the claims' states before, and now.

    Returns:
        Columns before, state, claims (count).
    """
    h, c = claim_history.c, claim.c
    query = (
        select(h.before, c.state, func.count().label("claims"))
        .join_from(claim_history, claim, c.id == h.claim_id)
        .where(c.run_id == run.id, h.run_id == run.id, h.after == State.SENDING)
        .group_by(h.before, c.state)
    )
    return _frame(engine, query).astype({"claims": "int64"})

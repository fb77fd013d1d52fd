"""The claims and records that were not accepted, as a workbook: a list of all, and sheets in which they can be mended."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from core.clock import now, today
from core.errors import ConfigurationError
from core.messages import Language, Message
from extract.workbook.layout import SheetLayout, layouts, outcome_columns
from extract.workbook.records import from_json
from flows.reports.reasons import reason_of
from flows.reports.row_outcomes import CATEGORIES, NOTHING_TO_CLAIM, REFUSED
from flows.reports.tables import HEADINGS, issue_frame, write_csv
from flows.runs.import_workbook import dropdown_choices
from flows.settings.model import Settings
from load.accesses import record_access
from load.database import audit_engine
from load.display_names import KIND_NAMES, STATE_NAMES
from load.queries import claims_by_day, claims_not_accepted, open_issues
from load.states import State
from load.workbook.listing import Listing
from load.workbook.result import write_result
from load.workbook.result_content import Count, Mark, Mendable, RowOutcome, Summary
from load.workbook.style import OutcomeCategory
from transform.claim import SERVICES
from transform.rules import registry

OUTCOMES: dict[bool, tuple[Message, OutcomeCategory]] = {True: (REFUSED, "refused"), False: (NOTHING_TO_CLAIM, "aside")}
"""The outcome of a record that is no claim, by whether it can be mended."""
WIDTHS = {"service_date": 13, "kind": 24, "vn": 17, "hn": 13, "item": 11, "status": 20, "reason": 110}
HEADLINE = Message(
    "รายการที่ยังไม่ได้เบิก: แก้ใน HIS แล้วระบบจะส่งเอง หรือแก้ในแผ่นงานสำหรับแก้ไข แล้วนำเข้าไฟล์นี้",
    "What did not go: mend it in the HIS and it goes by itself, or in the sheets for mending, and import this file.",
)


def write_issues(settings: Settings, rows: pd.DataFrame, out: Path, first: date | None, last: date | None) -> None:
    """Write what was not accepted and why: a list as .csv, or a workbook in which it can be mended.

    Args:
        settings: The settings in force.
        rows: The list, of `issue_rows`.
        out: The file.
        first: First service day; None: from the first one on.
        last: Last service day; None: to the last one.

    Raises:
        MophClaimError: Another ending, the audit cannot be read, or the file cannot be written.
    """
    if out.suffix == ".csv":
        with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:
            _record_export(settings, engine, out, first, last, settings.facility.hcode, None)
        write_csv(rows, out, settings.language)
    elif out.suffix == ".xlsx":
        with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:
            write_issue_workbook(settings, engine, out, first, last, hcode=settings.facility.hcode)
    else:
        raise ConfigurationError(
            Message(f"ไฟล์ {out} ต้องลงท้ายด้วย .csv หรือ .xlsx", f"The file {out} must end in .csv or .xlsx.")
        )


def write_issue_workbook(
    settings: Settings,
    engine: Engine,
    out: Path,
    first: date | None,
    last: date | None,
    *,
    hcode: str = "",
    run_id: str | None = None,
) -> None:
    """Write what was not accepted and why, of some days.

    Args:
        settings: The settings in force.
        engine: The audit database.
        out: The .xlsx file.
        first: First service day; None: from the first one on.
        last: Last service day; None: to the last one.
        hcode: Of one facility; empty: of all.
        run_id: The run that writes it, if one does.

    Raises:
        MophClaimError: The audit cannot be used, or the file cannot be written.
    """
    _record_export(settings, engine, out, first, last, hcode, run_id)
    of: dict[str, Any] = {"first": first, "last": last, "hcode": hcode}
    environment = settings.api.environment
    claims = claims_not_accepted(engine, environment, **of, failed_nights=settings.api.failed_nights)
    issues = open_issues(engine, environment, **of)
    ledger = claims_by_day(engine, environment, **of)
    records = list(_records(issues))
    mendable = [*_of_claims(claims), *_of_issues(records)]
    facts = (
        (Message("วันที่รับบริการ", "Service days"), f"{first or '…'} – {last or '…'}"),
        (Message("สภาพแวดล้อม", "Environment"), environment),
        (Message("เขียนเมื่อ", "Written"), f"{now():%Y-%m-%d %H:%M}"),
    )
    kinds = list(KIND_NAMES.values())
    counts = sorted([*_counts(ledger), *_refused(records)], key=lambda count: kinds.index(count.kind))
    summary = Summary(HEADLINE, counts, facts)
    offered, language = dropdown_choices(settings, today()), settings.language
    listing = _listing(issue_frame(claims, issues, language), language)
    write_result(out, summary, mendable, offered, language, listing=listing)


def _record_export(
    settings: Settings, engine: Engine, out: Path, first: date | None, last: date | None, hcode: str, run_id: str | None
) -> None:
    subject = f"{first or '…'} – {last or '…'}, {out.name}"
    record_access(engine, settings.api.environment, "issues to a file", subject, hcode=hcode, run_id=run_id)


def _listing(rows: pd.DataFrame, language: Language) -> Listing:
    # By this heading a sheet is known as an answer, which is not read when the workbook is imported.
    heads = HEADINGS | {"status": next(c.heading for c in outcome_columns() if c.name == "outcome")}
    headings = [(head.say(language), WIDTHS[name]) for name, head in heads.items()]
    kinds = {kind: name.say(language) for kind, name in KIND_NAMES.items()}
    texts = rows[list(HEADINGS)].astype(str).assign(kind=[kinds[str(kind)] for kind in rows["kind"]])
    return Listing(headings, texts.to_numpy().tolist())


def _of_claims(claims: pd.DataFrame) -> Iterator[Mendable]:
    """The claims that MOPH Claim has refused for their data."""
    for r in claims[claims["state"] == State.CORRECTABLE].to_dict("records"):
        reason = reason_of(State.CORRECTABLE, r["meaning_th"], r["meaning_en"], r["message"])
        yield from _rows(str(r["kind"]), r["record"], STATE_NAMES[State.CORRECTABLE], [reason], ())


@dataclass(frozen=True, slots=True, repr=False)
class _Record:
    """A record that is no claim: its kind, its issues, and whether a person can mend it."""

    kind: str
    issues: Sequence[Mapping[Hashable, Any]]
    mendable: bool


def _records(issues: pd.DataFrame) -> Iterator[_Record]:
    """The records that are no claims."""
    rules = registry()
    blocking = issues[issues["severity"] == "error"].to_dict("records")
    for (kind, _, _), some in groupby(blocking, key=lambda r: (str(r["kind"]), r["vn"], r["item"])):
        of_record = list(some)
        # What can be mended is nothing where something else keeps the record from ever being a claim.
        mendable = all(r["rule"] not in rules or rules[r["rule"]].calls_for_a_person for r in of_record)
        yield _Record(kind, of_record, mendable)


def _of_issues(records: Iterable[_Record]) -> Iterator[Mendable]:
    """Those of the records that a person can mend."""
    for record in records:
        if record.mendable:
            said = [(r["field"], Message(r["message_th"], r["message_en"])) for r in record.issues]
            yield from _rows(record.kind, record.issues[0]["record"], REFUSED, [message for _, message in said], said)


def _rows(
    kind: str,
    record: object,
    outcome: Message,
    reasons: Sequence[Message],
    said: Iterable[tuple[str, Message]],
) -> Iterator[Mendable]:
    if not isinstance(record, str):  # noted before records were kept
        return
    layout = layouts()[SERVICES[kind]]  # type: ignore[index]
    reason = Message(" ".join(m.th for m in reasons), " ".join(m.en for m in reasons))
    answer = RowOutcome("", 0, "refused", outcome, None, reason, tuple(_marks(layout, said)), mendable=True)
    for values in from_json(record):
        yield Mendable(layout.name, values, {}, answer)


def _marks(layout: SheetLayout, said: Iterable[tuple[str, Message]]) -> Iterator[Mark]:
    for field, message in said:
        if column := layout.column_of(field):
            yield Mark(column.name, message)


def _counts(ledger: pd.DataFrame) -> Iterator[Count]:
    for kind, name in KIND_NAMES.items():
        for state, words in STATE_NAMES.items():
            some = ledger[(ledger["kind"] == kind) & (ledger["state"] == state)]
            if len(some):
                category = CATEGORIES.get(state, "waiting")
                yield Count(name, words, category, int(some["claims"].sum()), int(some["baht"].sum()))


def _refused(records: Iterable[_Record]) -> Iterator[Count]:
    counts = Counter((record.kind, record.mendable) for record in records)
    for (kind, mendable), n in counts.items():
        outcome, category = OUTCOMES[mendable]
        yield Count(KIND_NAMES[kind], outcome, category, n, 0)

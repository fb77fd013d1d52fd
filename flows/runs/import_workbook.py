"""A run that sends the claims of a workbook, as the rooms see it: what `import-workbook` calls.

The rows go through the same rules, the same ledger and the same audit as the nightly run. What a person has put into a
row is meant to be claimed: of each it is said what became of it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.errors import ConfigurationError
from core.messages import Message
from extract.contract import DayTables
from extract.source import Facility, open_source
from extract.workbook.layout import Choices
from extract.workbook.reader import read_workbook
from extract.workbook.rows import Reading, Row
from extract.workbook.tables import service_days
from flows.parameters import Wish
from flows.runs.claim_run import audit_engine, facility_code, open_run
from flows.runs.making import Making
from flows.settings.settings import Settings
from load.issues import note_issues
from load.ledger import DueClaim, Standing
from load.runs import Run
from load.states import ACCEPTED_STATES
from load.workbook_rows import WorkbookRow, imported_before, note_rows
from transform.choices import choices
from transform.claim import Claim, Issue
from transform.codes import read_codes
from transform.workbook_rows import Part, hold_back_faulty, parts_of

NO_FACILITY = Message(
    "ยังไม่ได้ตั้งหน่วยบริการ กรุณาตั้ง facility.hcode และ facility.name (หรือ his.url) แล้วสั่งใหม่",
    "The facility is not known: set facility.hcode and facility.name (or his.url), and start again.",
)

MOST_SENTENCES = 6


class Import(Making):
    """A run with a workbook in its hands. Made by `open_import`.

    Attributes:
        reading: The workbook.
        parts: Its rows by the claim they are part of.
        before: The run that imported the same file before; then nothing is registered or sent.
        issues: Why parts are no claims, or should be looked at.
        claims: The claims that go, or of a dry run would go.
        would_go: The keys of those that a dry run would send.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        run: The run that holds the facility.
        reading: The workbook.
        facility: Whose claims these are.
    """

    def __init__(
        self, settings: Settings, wish: Wish, engine: Engine, run: Run, reading: Reading, facility: Facility
    ) -> None:
        self.before = imported_before(engine, run.environment, run.hcode, reading.file_hash)
        super().__init__(settings, replace(wish, dry_run=wish.dry_run or self.before is not None), engine, run)
        self.reading = reading
        self.parts = parts_of(reading.rows, read_codes(settings.transform.codes_folder))
        self.issues: dict[Part, list[Issue]] = defaultdict(list)
        self.claims: dict[Part, Claim] = {}
        self.would_go: set[tuple[str, str, str, str]] = set()
        self._facility = facility
        self._taken: set[Part] = set()

    def counts(self) -> dict[str, Any]:
        """What is left with the run when it ends."""
        return super().counts() | {"rows": len(self.reading.rows), "claims": len(self.claims)}

    def make_claims(self) -> None:
        """Turn the rows into claims and issues, day by day, and write both down, and every row's origin."""
        self._taken = {part for part, s in self.standing().items() if s.state in ACCEPTED_STATES}
        for tables in service_days(self.reading.rows, hcode=self.run.hcode, hospital_name=self._facility.name):
            self._make_day(tables)
        if not self.wish.dry_run:
            rows = [self._origin(row) for row in self.reading.rows]
            note_rows(self.engine, self.run, self.reading.file_hash, self.reading.file_name, rows)

    def _make_day(self, tables: DayTables) -> None:
        made = self.make(tables, explicit_request=True)
        numbers = self.ledger.other_visits(made.claims)
        taken = [c for c in made.claims if c.key in numbers]
        made = hold_back_faulty(made, self.parts, tables.day, self.run.hcode, taken)
        # What was taken is not to be mended any more, whatever a row says of it now.
        made = replace(made, issues=tuple(i for i in made.issues if (i.kind, i.vn, i.item) not in self._taken))
        for issue in made.issues:
            self.issues[issue.kind, issue.vn, issue.item].append(issue)
        self.claims |= {(c.kind, c.vn, c.item): c for c in made.claims}
        if self.wish.dry_run:
            counts, going = self.plan(made, "workbook")
            self.would_go.update(c.key for c in going)
            self.note(made, counts)
            return
        records = self.records(tables, made)
        day, kinds, visits = tables.day, self.wish.kinds, set(tables.visits["vn"])
        note_issues(
            self.engine,
            self.run,
            day,
            kinds,
            made.issues,
            made.claims,
            origin="workbook",
            visits=visits,
            records=records,
        )
        of_claims = {c.key: records[part] for c in made.claims if (part := (c.kind, c.vn, c.item)) in records}
        self.note(made, self.ledger.register(day, kinds, made.claims, records=of_claims, origin="workbook"))

    def _origin(self, row: Row) -> WorkbookRow:
        part = self.parts.of.get((row.sheet, row.number))
        kind, vn, item = part or ("", str(row.values.get("vn", "")), "")
        errors = [i.message for i in self.issues.get(part, ()) if i.severity == "error"] if part else []
        refusal = together([f.message for f in row.faults] or errors)
        key = self.claims[part].key if part in self.claims else None
        return WorkbookRow(row.sheet, row.number, kind, vn, item, key, refusal)

    def count_due(self) -> int:
        """How many claims of the workbook should go now."""
        wish = self.wish
        return self.ledger.count_due(wish.states, wish.kinds, wish.first, wish.last, of_workbook=True)

    def next_chunk(self) -> list[DueClaim]:
        """The next claims of the workbook to send; empty when all have been."""
        wish = self.wish
        return self.ledger.due(wish.states, wish.kinds, wish.first, wish.last, wish.chunk_size, of_workbook=True)

    def standing(self) -> dict[Part, Standing]:
        """Where the claims that the rows are of stand in the ledger now, those of other visits of the same number left out."""
        keys = {part: (self.run.hcode, *part) for part in self.parts.rows}
        found = self.ledger.standing(list(keys.values()))
        return {part: s for part, key in keys.items() if (s := found.get(key)) and self._is_of_visit(part, s)}

    def _is_of_visit(self, part: Part, s: Standing) -> bool:
        person, day = (self.parts.said(part, column) for column in ("cid", "visit_date"))
        return part in self.claims or (person, day) == (s.pid, s.service_date)


def together(messages: Sequence[Message]) -> Message | None:
    """Several sentences as one text, each once; of many, as where hundreds of rows bear one number, the first few."""
    said = [m for m in dict.fromkeys(messages) if m.en]
    if (more := len(said) - MOST_SENTENCES) > 0:
        said[MOST_SENTENCES:] = [Message(f"และอีก {more} ข้อ", f"And {more} more.")]
    return Message(" ".join(m.th for m in said), " ".join(m.en for m in said)) if said else None


def drop_downs(settings: Settings, day: date | None = None) -> Choices:
    """The drop-downs of a workbook: as they are read, or as one written on a day offers them."""
    return choices(read_codes(settings.transform.codes_folder), day)


@contextmanager
def open_import(
    settings: Settings, path: Path, name: str, asked: Wish, flow: str, on_wait: Callable[[str], None]
) -> Iterator[Import]:
    """Read the workbook, open the audit, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        path: Where the workbook lies.
        name: What it is called.
        asked: What the run is for; its days become the workbook's.
        flow: The flow's name, for the audit.
        on_wait: Told the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: The workbook, configuration or audit cannot be used; nothing was sent.
    """
    reading = read_workbook(path, settings.workbook, drop_downs(settings))
    reading = replace(reading, file_name=name)
    days = [day for row in reading.rows if isinstance(day := row.values.get("visit_date"), date)]
    wish = replace(asked, first=min(days, default=asked.first), last=max(days, default=asked.last))
    with audit_engine(settings) as engine:
        facility = facility_of(settings)

        def begin(run: Run) -> Import:
            return Import(settings, wish, engine, run, reading, facility)

        with open_run(begin, settings, wish, engine, hcode=facility.hcode, flow=flow, on_wait=on_wait) as shift:
            yield shift


def facility_of(settings: Settings) -> Facility:
    """Whose claims a workbook's are: as configured, else as the HIS says.

    Raises:
        ConfigurationError: Neither says it.
        SourceError: The HIS had to be asked, and does not answer.
    """
    if settings.facility.hcode and settings.facility.name:
        return Facility(settings.facility.hcode, settings.facility.name)
    if not settings.his.url.get_secret_value():
        raise ConfigurationError(NO_FACILITY)
    with open_source(settings.his) as source:
        return Facility(facility_code(settings, source), settings.facility.name or source.facility().name)

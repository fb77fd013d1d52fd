"""Import run without Prefect: it sends the claims of a workbook.

The rows go through the same rules, the same ledger and the same audit as the nightly run. Each row that a person has filled
in is an explicit request: the result says what became of it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.clock import today
from core.errors import ConfigurationError
from core.messages import Message
from extract.contract import DayTables
from extract.hcode import check_hcode
from extract.source import Facility, open_source
from extract.workbook.layout import Choices
from extract.workbook.reader import read_workbook
from extract.workbook.rows import Reading, Row
from extract.workbook.tables import service_days
from flows.parameters import ImportParameters
from flows.runs.claim_run import ClaimRun, Selection, open_run
from flows.runs.days import DayRegistrar
from flows.settings.model import Settings
from load.database import audit_engine
from load.queue import RegisteredClaim
from load.runs import Run
from load.states import ACCEPTED_STATES, DUE
from load.workbook_rows import FLOW, WorkbookRow, imported_before, record_rows
from transform.claim import KINDS, Claim, Issue
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.workbook_rows import ItemKey, group_by_claim, hold_back_faulty, records_of_rows

NO_FACILITY = Message(
    "ยังไม่ได้ตั้งหน่วยบริการ กรุณาตั้ง facility.hcode และ facility.name (หรือ his.url) แล้วสั่งใหม่",
    "The facility is not known: set facility.hcode and facility.name (or his.url), and start again.",
)

MOST_SENTENCES = 6


class ImportRun(ClaimRun):
    """A run over a workbook. Made by `open_import_run`.

    Attributes:
        reading: The workbook.
        rows_by_claim: Its rows by the claim they belong to.
        imported_before: The run that imported the same file before; then nothing is registered or sent.
        issues: Why parts are no claims, or should be looked at.
        claims: The claims that go, or of a dry run would go.
        would_send: The keys of those that would be sent, where they were not registered.

    Args:
        settings: The settings in force.
        parameters: Those of the flow.
        engine: The audit database.
        audit_run: The run as the audit has it; it holds the facility.
        reading: The workbook.
        facility: Whose claims these are.
    """

    def __init__(
        self,
        settings: Settings,
        parameters: ImportParameters,
        engine: Engine,
        audit_run: Run,
        reading: Reading,
        facility: Facility,
    ) -> None:
        super().__init__(settings, parameters, engine, audit_run, _selection(reading, settings))
        self.imported_before = imported_before(engine, audit_run.environment, audit_run.hcode, reading.file_hash)
        self.registrar = DayRegistrar(self, "workbook")
        self.reading = reading
        self.rows_by_claim = group_by_claim(reading.rows, read_codes(settings.transform.codes_folder))
        self.issues: dict[ItemKey, list[Issue]] = defaultdict(list)
        self.claims: dict[ItemKey, Claim] = {}
        self.would_send: set[tuple[str, str, str, str]] = set()
        self._facility = facility
        self._accepted: set[ItemKey] = set()

    @property
    def sends(self) -> bool:
        """Whether it registers and sends claims: not those of a file that was imported before."""
        return super().sends and self.imported_before is None

    def counts(self) -> dict[str, Any]:
        """What the audit keeps with the run when it ends."""
        made = {"rows": len(self.reading.rows), "claims": len(self.claims)}
        return super().counts() | vars(self.registrar.counts) | made

    def make_claims(self) -> None:
        """Turn the rows into claims and issues, day by day, and write both down, and every row's origin."""
        self._accepted = {key for key, s in self.standing().items() if s.state in ACCEPTED_STATES}
        for tables in service_days(self.reading.rows, hcode=self.audit_run.hcode, hospital_name=self._facility.name):
            self._register_day(tables)
        if self.sends:
            rows = [self._origin(row) for row in self.reading.rows]
            record_rows(self.engine, self.audit_run, self.reading.file_hash, self.reading.file_name, rows)

    def _register_day(self, tables: DayTables) -> None:
        made = self.registrar.make(tables)
        of_others = self.registrar.of_other_visits(made)
        made = hold_back_faulty(made, self.rows_by_claim, tables.day, self.audit_run.hcode, of_others)
        # What was accepted is not to be mended any more, whatever a row says now.
        made = replace(made, issues=tuple(i for i in made.issues if (i.kind, i.vn, i.item) not in self._accepted))
        for issue in made.issues:
            self.issues[issue.kind, issue.vn, issue.item].append(issue)
        self.claims |= {(c.kind, c.vn, c.item): c for c in made.claims}
        keys = [(x.kind, x.vn, x.item) for some in (made.claims, made.issues) for x in some]
        records = records_of_rows(self.rows_by_claim, keys) if self.sends else {}
        result = self.registrar.register(tables, made, records)
        self.would_send.update(c.key for c in result.would_send)

    def _origin(self, row: Row) -> WorkbookRow:
        key = self.rows_by_claim.key_of_row.get((row.sheet, row.number))
        kind, vn, item = key or ("", str(row.values.get("vn", "")), "")
        errors = [i.message for i in self.issues.get(key, ()) if i.severity == "error"] if key else []
        refusal = join_sentences([f.message for f in row.faults] or errors)
        claim_key = self.claims[key].key if key in self.claims else None
        return WorkbookRow(row.sheet, row.number, kind, vn, item, claim_key, refusal)

    def standing(self) -> dict[ItemKey, RegisteredClaim]:
        """The ledger's claims of the rows as they are now, without those of other visits of the same number."""
        claim_keys = {key: (self.audit_run.hcode, *key) for key in self.rows_by_claim.rows}
        found = self.ledger.queue.find(list(claim_keys.values()))
        return {key: s for key, c in claim_keys.items() if (s := found.get(c)) and self._is_of_visit(key, s)}

    def _is_of_visit(self, key: ItemKey, s: RegisteredClaim) -> bool:
        person, day = (self.rows_by_claim.value(key, column) for column in ("cid", "visit_date"))
        return key in self.claims or (person, day) == (s.pid, s.service_date)


def _selection(reading: Reading, settings: Settings) -> Selection:
    days = [day for row in reading.rows if isinstance(day := row.values.get("visit_date"), date)]
    first, last = min(days, default=today()), max(days, default=today())
    return Selection(DUE, KINDS, first, last, of_workbook=True, read=settings.has_his)


def join_sentences(messages: Sequence[Message]) -> Message | None:
    """Several sentences as one text, each once; of many, as where hundreds of rows bear one number, the first few."""
    sentences = [m for m in dict.fromkeys(messages) if m.en]
    if (more := len(sentences) - MOST_SENTENCES) > 0:
        sentences[MOST_SENTENCES:] = [Message(f"และอีก {more} ข้อ", f"And {more} more.")]
    return Message(" ".join(m.th for m in sentences), " ".join(m.en for m in sentences)) if sentences else None


def dropdown_choices(settings: Settings, day: date | None = None) -> Choices:
    """The drop-downs of a workbook: as they are read, or as one written on a day offers them."""
    return choices(read_codes(settings.transform.codes_folder), day)


@contextmanager
def open_import_run(
    settings: Settings, path: Path, name: str, parameters: ImportParameters, on_wait: Callable[[str], None]
) -> Iterator[ImportRun]:
    """Read the workbook, open the audit, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        path: Where the workbook lies.
        name: What it is called.
        parameters: Those of the flow.
        on_wait: Called with the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: The workbook, configuration or audit cannot be used; nothing was sent.
    """
    reading = replace(read_workbook(path, settings.workbook, dropdown_choices(settings)), file_name=name)
    with audit_engine(settings.audit_url(), patience_seconds=settings.audit.outage_seconds) as engine:
        facility = facility_of(settings)

        def make_run(audit_run: Run) -> ImportRun:
            return ImportRun(settings, parameters, engine, audit_run, reading, facility)

        hcode = facility.hcode
        with open_run(make_run, settings, parameters, engine, hcode=hcode, flow=FLOW, on_wait=on_wait) as run:
            yield run


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
        hcode = check_hcode(source, settings.facility.hcode)
        return Facility(hcode, settings.facility.name or source.facility().name)

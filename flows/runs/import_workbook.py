"""Import run without Prefect: it sends the claims of a workbook.

The rows go through the same rules, the same ledger and the same audit as the nightly run. Each row that a person has filled
in is an explicit request: the result says what became of it. Where there is a HIS, it is asked what it knows of the persons
and visits, before anything is sent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from core.clock import today
from core.errors import ConfigurationError
from core.messages import Message
from extract import person_history
from extract.contract import DayTables
from extract.errors import SourceError
from extract.hcode import check_hcode
from extract.source import Facility, HisSource, open_source
from extract.workbook.layout import Choices
from extract.workbook.reader import read_workbook
from extract.workbook.rows import Reading, Row
from extract.workbook.tables import service_days
from flows.parameters import ImportParameters
from flows.runs.claim_run import ClaimRun, Selection, open_run
from flows.runs.days import DayRegistrar
from flows.settings.model import Settings
from load.database import audit_engine
from load.issues import open_errors_of_his
from load.queue import RegisteredClaim
from load.runs import Run
from load.states import ACCEPTED_STATES, DUE
from load.workbook_rows import FLOW, WorkbookRow, imported_before, record_rows
from transform.claim import KINDS, Claim, Issue, Kind, Transformed
from transform.claims import wanted
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.known_to_his import persons_to_ask_for, with_earlier_diagnoses, with_own_claims
from transform.rules import registry
from transform.workbook_rows import ItemKey, group_by_claim, hold_back_faulty, records_of_rows

NO_FACILITY = Message(
    "ยังไม่ได้ตั้งหน่วยบริการ กรุณาตั้ง facility.hcode และ facility.name (หรือ his.url) แล้วสั่งใหม่",
    "The facility is not known: set facility.hcode and facility.name (or his.url), and start again.",
)
# Paid only for persons who are newly diagnosed.
_FIRST_TIME: tuple[Kind, ...] = ("ht",)
HIS_NOT_ASKED = Message(
    "ยังไม่ได้ส่งอะไร เพราะต้องตรวจกับ HIS ก่อน แต่ทำไม่ได้: {why}",
    "Nothing was sent, for the HIS is asked first and could not be: {why}",
)
READ_FROM_HIS = Message("จากการอ่าน HIS: {reason}", "As read from the HIS: {reason}")

MOST_SENTENCES = 6


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """What a workbook says, and what the HIS adds to it.

    Args:
        reading: The workbook.
        days: Its contract tables, the oldest day first, with what the HIS knows.
        not_asked: What could not be asked in the HIS, and what to do about it; None if nothing.
    """

    reading: Reading
    days: Sequence[DayTables]
    not_asked: Message | None = None


class ImportRun(ClaimRun):
    """A run over a workbook. Made by `open_import_run`.

    Attributes:
        reading: The workbook.
        not_asked: What could not be asked in the HIS; None if nothing.
        rows_by_claim: Its rows by the claim they belong to.
        imported_before: The run that imported the same file before; then nothing is registered or sent.
        issues: Why parts are no claims, or should be looked at.
        claims: The claims that go, or of a dry run would go.

    Args:
        settings: The settings in force.
        parameters: Those of the flow.
        engine: The audit database.
        audit_run: The run as the audit has it; it holds the facility.
        content: The workbook, with what the HIS knows.
    """

    def __init__(
        self,
        settings: Settings,
        parameters: ImportParameters,
        engine: Engine,
        audit_run: Run,
        content: Content,
    ) -> None:
        reading = content.reading
        super().__init__(settings, parameters, engine, audit_run, _selection(reading, settings))
        self.imported_before = imported_before(engine, audit_run.environment, audit_run.hcode, reading.file_hash)
        self.registrar = DayRegistrar(self, "workbook")
        self.reading = reading
        self.not_asked = content.not_asked
        self.rows_by_claim = group_by_claim(reading.rows, read_codes(settings.transform.codes_folder))
        self.issues: dict[ItemKey, list[Issue]] = defaultdict(list)
        self.claims: dict[ItemKey, Claim] = {}
        self._days = content.days
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
        for tables in self._days:
            self._register_day(tables)
        if self.sends:
            rows = [self._origin(row) for row in self.reading.rows]
            record_rows(self.engine, self.audit_run, self.reading.file_hash, self.reading.file_name, rows)

    def _register_day(self, tables: DayTables) -> None:
        made = self.registrar.make(tables)
        of_others = self.registrar.of_other_visits(made)
        made = hold_back_faulty(made, self.rows_by_claim, tables.day, self.audit_run.hcode, of_others)
        # What was accepted is not to be mended any more, whatever a row says now.
        made = replace(made, issues=tuple(i for i in made.issues if _key(i) not in self._accepted))
        verdicts = self._verdicts(made)
        decided, known = {_key(v) for v in verdicts}, {(_key(v), v.rule) for v in verdicts}
        made = replace(
            made,
            claims=tuple(c for c in made.claims if _key(c) not in decided),
            issues=tuple(i for i in made.issues if (_key(i), i.rule) not in known),
        )
        # The verdicts stand in the audit already, as the HIS's.
        for issue in (*made.issues, *verdicts):
            self.issues[_key(issue)].append(issue)
        self.claims |= {_key(c): c for c in made.claims}
        records = records_of_rows(self.rows_by_claim, _keys(made)) if self.sends else {}
        self.registrar.register(tables, made, records)

    def _verdicts(self, made: Transformed) -> list[Issue]:
        """What was found in the HIS of these records that nobody can mend, and a workbook neither."""
        final = [rule.code for rule in registry().values() if rule.severity == "error" and not rule.calls_for_a_person]
        keys = _keys(made) - self._accepted
        found = open_errors_of_his(self.engine, self.audit_run, {vn for _, vn, _ in keys}, final)
        return [replace(i, message=_as_read(i.message)) for i in found if _key(i) in keys]

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


def _key(record: Claim | Issue) -> ItemKey:
    return record.kind, record.vn, record.item


def _keys(made: Transformed) -> set[ItemKey]:
    return {_key(c) for c in made.claims} | {_key(i) for i in made.issues}


def _selection(reading: Reading, settings: Settings) -> Selection:
    days = [day for row in reading.rows if isinstance(day := row.values.get("visit_date"), date)]
    first, last = min(days, default=today()), max(days, default=today())
    return Selection(DUE, KINDS, first, last, of_workbook=True, read=settings.has_his)


def _as_read(reason: Message) -> Message:
    return Message(READ_FROM_HIS.th.format(reason=reason.th), READ_FROM_HIS.en.format(reason=reason.en))


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
        content = _content(settings, reading, facility)

        def make_run(audit_run: Run) -> ImportRun:
            return ImportRun(settings, parameters, engine, audit_run, content)

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


def _content(settings: Settings, reading: Reading, facility: Facility) -> Content:
    """The workbook's tables, with what the HIS knows of them where there is one.

    Raises:
        SourceError: The HIS does not answer, or refuses.
        ConfigurationError: It is another facility's, or a setting is impossible.
        ContractError: Its SQL returns something else than agreed.
    """
    days = list(service_days(reading.rows, hcode=facility.hcode, hospital_name=facility.name))
    if not days or not settings.his.url.get_secret_value():
        return Content(reading, days)
    try:
        with open_source(settings.his) as source:
            check_hcode(source, facility.hcode)
            return _asked(source, Content(reading, days), settings)
    except SourceError as error:
        why = error.message
        sentence = Message(HIS_NOT_ASKED.th.format(why=why.th), HIS_NOT_ASKED.en.format(why=why.en))
        raise SourceError(sentence) from None


def _asked(source: HisSource, content: Content, settings: Settings) -> Content:
    """The tables with the HIS's earlier diagnoses of the persons and its own claims of the visits."""
    everything, first_time = (wanted(kinds, settings.transform) for kinds in (KINDS, _FIRST_TIME))
    days, not_asked = list(content.days), None
    persons = pd.concat([persons_to_ask_for(day, first_time) for day in days])
    if not persons.empty:
        not_asked = person_history.gap(source.reader)
    if not persons.empty and not_asked is not person_history.NO_FILE:
        first = source.first_diagnoses(days[-1].day, persons, first_time)
        days = [with_earlier_diagnoses(day, first, first_time) for day in days]
    for number, day in enumerate(days):
        needed = replace(everything, vaccines=not day.vaccinations.empty)
        days[number] = with_own_claims(day, source.own_claims(day.day, day.visits["vn"], needed))
    return Content(content.reading, days, not_asked)

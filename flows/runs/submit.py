"""Submit run without Prefect: it reads the hospital's days and sends their claims."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from extract.contract import DayTables
from extract.hcode import check_hcode
from extract.source import HisSource, open_source
from flows.parameters import SubmitParameters
from flows.runs.claim_run import ClaimRun, Selection, open_run
from flows.runs.days import DayRegistrar
from flows.settings.model import Settings
from load.database import audit_engine
from load.runs import Run
from load.states import DUE, FAILED
from transform.after_acceptance import after_acceptance
from transform.claims import wanted
from transform.codes import read_codes
from transform.workbook_rows import number_taken_issue, records_of

FLOW = "submit-claims"


class SubmitRun(ClaimRun):
    """A run over the days of a HIS. Made by `open_submit_run`.

    Args:
        settings: The settings in force.
        parameters: Those of the flow, completed.
        engine: The audit database.
        audit_run: The run as the audit has it; it holds the facility.
        source: The hospital database.
    """

    def __init__(
        self, settings: Settings, parameters: SubmitParameters, engine: Engine, audit_run: Run, source: HisSource
    ) -> None:
        super().__init__(settings, parameters, engine, audit_run, _selection(parameters))
        self.registrar = DayRegistrar(self, "his", send_everything=parameters.send == "everything again")
        self._source = source
        self._tables: DayTables | None = None

    @property
    def days(self) -> list[date]:
        """Every service day, oldest first."""
        first, last = self.selection.first, self.selection.last
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def counts(self) -> dict[str, Any]:
        """What the audit keeps with the run when it ends."""
        return super().counts() | vars(self.registrar.counts)

    def extract_day(self, day: date) -> int:
        """Read one service day; returns the number of visits that may become claims."""
        self._tables = None  # before the next day is read: memory is one day's
        self._tables = self._source.read_day(day, wanted(self.selection.kinds, self.settings.transform))
        return len(self._tables.visits)

    def transform_day(self) -> Counter[str]:
        """Turn the day that was read into claims and issues, and register both; returns what the ledger made of it."""
        assert self._tables is not None
        tables, self._tables = self._tables, None
        made = self.registrar.make(tables)
        parts = [(x.kind, x.vn, x.item) for some in (made.claims, made.issues) for x in some]
        records = records_of(tables, parts, read_codes(self.settings.transform.codes_folder))
        numbers_taken = (number_taken_issue(c) for c in self.registrar.of_other_visits(made))
        accepted = self.ledger.intake.accepted_on(tables.day, self.selection.kinds, made.claims)
        made = replace(made, issues=(*made.issues, *numbers_taken, *after_acceptance(accepted, tables.day)))
        return self.registrar.register(tables, made, records).registered


def _selection(parameters: SubmitParameters) -> Selection:
    first, last = parameters.date_from, parameters.date_to
    assert first is not None
    assert last is not None
    return Selection(FAILED if parameters.send == "only failed" else DUE, tuple(parameters.kinds), first, last)


@contextmanager
def open_submit_run(
    settings: Settings, parameters: SubmitParameters, on_wait: Callable[[str], None]
) -> Iterator[SubmitRun]:
    """Open the audit and the HIS, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        parameters: Those of the flow, completed.
        on_wait: Called with the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: Configuration, HIS or audit cannot be used; nothing was sent.
    """
    patience = settings.audit.outage_seconds
    with audit_engine(settings.audit_url(), patience_seconds=patience) as engine, open_source(settings.his) as source:

        def make_run(audit_run: Run) -> SubmitRun:
            return SubmitRun(settings, parameters, engine, audit_run, source)

        hcode = check_hcode(source, settings.facility.hcode)
        with open_run(make_run, settings, parameters, engine, hcode=hcode, flow=FLOW, on_wait=on_wait) as run:
            yield run

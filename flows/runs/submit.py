"""Submit run without Prefect: it reads the hospital's days and sends their claims."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from core.clock import today
from extract.hcode import check_hcode
from extract.source import HisSource, open_source
from flows.parameters import SubmitParameters
from flows.runs.claim_run import ClaimRun, Selection, open_run
from flows.runs.his_days import HisDays
from flows.settings.model import Settings
from load.database import audit_engine
from load.open_visits import Visits, visits_of_claims, visits_of_issues
from load.runs import Run
from load.states import DUE, FAILED, State
from transform.rules import OF_HISTORY, registry

FLOW = "submit-claims"


class SubmitRun(ClaimRun):
    """A run over the days of a HIS. Made by `open_submit_run`.

    Attributes:
        his_days: Reads and registers the days.

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
        self.his_days = HisDays(self, source, send_everything=parameters.send == "everything again")
        self.registrar = self.his_days.registrar
        self._is_nightly = parameters.is_nightly

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
        return self.his_days.extract_day(day)

    def transform_day(self) -> Counter[str]:
        """Turn the day that was read into claims and issues, and register both; returns what the ledger made of it."""
        return self.his_days.transform_day()

    def open_visits(self) -> Visits:
        """The visits of claims and records that wait for something: on the run's days, of a nightly run also on earlier ones.

        They are looked up before the days are read, which may find that a visit has left them.
        """
        nightly, kinds, since = self.settings.nightly, self.selection.kinds, self.selection.first
        if self._is_nightly:
            since = min(since, today() - timedelta(days=nightly.open_days))
        of_run = (self.engine, self.audit_run)
        rules = {code for code, rule in registry().items() if rule.severity == "error" and rule.calls_for_a_person}
        visits: dict[date, set[str]] = {}
        for some in (
            visits_of_claims(*of_run, (*DUE, State.CORRECTABLE), kinds, since),
            visits_of_issues(
                *of_run,
                kinds,
                since,
                rules=rules,
                history_rules={rule.code for rule in OF_HISTORY},
                most=nightly.open_visits,
            ),
        ):
            for day, numbers in some.items():
                if self._is_nightly or day <= self.selection.last:
                    visits.setdefault(day, set()).update(numbers)
        return visits

    def not_seen(self, visits: Visits) -> Visits:
        """Those of these visits that the run's days do not hold: they are of other days, or have left these."""
        rest = {day: set(numbers) - self.his_days.seen for day, numbers in visits.items()}
        return {day: numbers for day, numbers in rest.items() if numbers}

    def read_again(self, visits: Visits) -> Iterator[tuple[date, Counter[str]]]:
        """Read these visits as they are today, and register them; each service day, and what the ledger made of it."""
        return self.his_days.read_again(visits)


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

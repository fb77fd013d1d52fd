"""A run that reads the hospital's days and sends their claims, as the rooms see it: what `submit-claims` calls."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from sqlalchemy import Engine

from extract.contract import DayTables
from extract.source import HisSource, open_source
from flows.parameters import Wish
from flows.runs.claim_run import audit_engine, facility_code, open_run
from flows.runs.making import Making
from flows.settings.settings import Settings
from load.issues import note_issues
from load.runs import Run
from transform.after_acceptance import after_acceptance
from transform.claims import wanted
from transform.workbook_rows import number_taken


class Night(Making):
    """A run with its hands on the HIS as well. Made by `open_night`.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        source: The hospital database.
        run: The run that holds the facility.
    """

    def __init__(self, settings: Settings, wish: Wish, engine: Engine, source: HisSource, run: Run) -> None:
        super().__init__(settings, wish, engine, run)
        self._source = source
        self._tables: DayTables | None = None

    def extract_day(self, day: date) -> int:
        """Read one service day; returns the number of visits that may become claims."""
        self._tables = None  # before the next day is read: memory is one day's
        self._tables = self._source.read_day(day, wanted(self.wish.kinds, self.settings.transform))
        return len(self._tables.visits)

    def transform_day(self) -> Counter[str]:
        """Turn the day that was read into claims and issues, and register both; returns what the ledger made of it."""
        assert self._tables is not None
        tables, self._tables = self._tables, None
        made, day, kinds = self.make(tables), tables.day, self.wish.kinds
        records = self.records(tables, made)
        numbers = self.ledger.other_visits(made.claims, origin="workbook")
        issues = [*made.issues, *(number_taken(c) for c in made.claims if c.key in numbers)]
        issues += after_acceptance(self.ledger.accepted_on(day, kinds, made.claims), day)
        note_issues(self.engine, self.run, day, kinds, issues, made.claims, records=records)
        if self.wish.dry_run:
            counts, _ = self.plan(made)
        else:
            of_claims = {c.key: records[part] for c in made.claims if (part := (c.kind, c.vn, c.item)) in records}
            counts = self.ledger.register(day, kinds, made.claims, records=of_claims)
        self.note(made, counts)
        return counts


@contextmanager
def open_night(settings: Settings, wish: Wish, flow: str, on_wait: Callable[[str], None]) -> Iterator[Night]:
    """Open the audit and the HIS, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        flow: The flow's name, for the audit.
        on_wait: Told the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: Configuration, HIS or audit cannot be used; nothing was sent.
    """
    with audit_engine(settings) as engine, open_source(settings.his) as source:

        def begin(run: Run) -> Night:
            return Night(settings, wish, engine, source, run)

        hcode = facility_code(settings, source)
        with open_run(begin, settings, wish, engine, hcode=hcode, flow=flow, on_wait=on_wait) as night:
            yield night

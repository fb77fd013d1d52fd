"""A run that reads the hospital's days and sends their claims, as the rooms see it: what `submit-claims` calls."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from extract.contract import DayTables
from extract.source import HisSource, open_source
from flows.settings import Settings
from flows.shift import Shift, at_work, audit_of, facility_code
from flows.wish import Wish
from load.issues import note_issues
from load.runs import Run
from transform.after_acceptance import after_acceptance
from transform.claim import Transformed
from transform.claims import make_claims, wanted
from transform.person import identity_numbers

# Claims of these kinds depend on what the same person was claimed for before.
_WITH_HISTORY = ("dm", "ht")


@dataclass
class Tally:
    """What a run counts, for its report.

    Args:
        registered: new, changed, unchanged, settled, withdrawn; counts of claims.
        besides: What transform counted besides claims, such as "claimed by the HIS".
        planned: Claims a dry run would send, and their baht, by kind.
        days: Service days read.
    """

    registered: Counter[str] = field(default_factory=Counter)
    besides: Counter[str] = field(default_factory=Counter)
    planned: dict[str, tuple[int, int]] = field(default_factory=dict)
    days: int = 0

    @property
    def would_send(self) -> int:
        """Claims a dry run would send."""
        return sum(claims for claims, _ in self.planned.values())


class Night(Shift):
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
        self.tally = Tally()
        self._source = source
        self._tables: DayTables | None = None
        self._planned: list[tuple[str, str, str, pd.Timestamp]] = []

    def counts(self) -> dict[str, Any]:
        """What is left with the run when it ends."""
        return super().counts() | vars(self.tally)

    def extract_day(self, day: date) -> int:
        """Read one service day; returns the number of visits that may become claims."""
        self._tables = None  # before the next day is read: memory is one day's
        self._tables = self._source.read_day(day, wanted(self.wish.kinds, self.settings.transform))
        return len(self._tables.visits)

    def transform_day(self) -> Counter[str]:
        """Turn the day that was read into claims and issues, and register both; returns what the ledger made of it."""
        assert self._tables is not None
        tables, self._tables = self._tables, None
        made = make_claims(
            tables,
            kinds=self.wish.kinds,
            hcode=self.run.hcode,
            history=self._history(tables),
            settings=self.settings.transform,
        )
        taken = self.ledger.taken_on(tables.day, self.wish.kinds, made.claims)
        issues = [*made.issues, *after_acceptance(taken, tables.day)]
        note_issues(self.engine, self.run, tables.day, self.wish.kinds, issues, made.claims)
        counts = (
            self._plan(made) if self.wish.dry_run else self.ledger.register(tables.day, self.wish.kinds, made.claims)
        )
        self.tally.registered.update(counts)
        self.tally.besides.update(made.counts)
        self.tally.days += 1
        return counts

    def _history(self, tables: DayTables) -> pd.DataFrame:
        kinds = [k for k in self.wish.kinds if k in _WITH_HISTORY]
        known = self.ledger.history(set(identity_numbers(tables.visits).dropna()), kinds)
        if not self._planned:
            return known
        # A dry run registers nothing: what its earlier days would send counts as well.
        planned = pd.DataFrame(self._planned, columns=known.columns).astype(known.dtypes.to_dict())
        return pd.concat([known, planned], ignore_index=True)

    def _plan(self, made: Transformed) -> Counter[str]:
        compared = self.ledger.compare(made.claims)
        self._planned += [
            (c.kind, c.pid, c.vn, pd.Timestamp(c.service_date)) for c in made.claims if c.kind in _WITH_HISTORY
        ]
        for c, (verdict, state) in zip(made.claims, compared, strict=True):
            if self.wish.send == "everything again" or verdict in ("new", "changed") or state in self.wish.states:
                claims, baht = self.tally.planned.get(c.kind, (0, 0))
                self.tally.planned[c.kind] = (claims + 1, baht + c.baht)
        return Counter(verdict for verdict, _ in compared)


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
    with audit_of(settings) as engine, open_source(settings.his) as source:

        def begin(run: Run) -> Night:
            return Night(settings, wish, engine, source, run)

        hcode = facility_code(settings, source)
        with at_work(begin, settings, wish, engine, hcode=hcode, flow=flow, on_wait=on_wait) as night:
            yield night

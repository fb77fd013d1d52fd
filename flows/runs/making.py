"""A run that makes claims of service days, wherever their records come from: what `Night` and `Import` share."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from extract.contract import DayTables
from flows.parameters import Wish
from flows.runs.claim_run import Shift
from flows.settings.settings import Settings
from load.runs import Run
from load.tables import Origin
from transform.claim import Claim, Transformed
from transform.claims import make_claims
from transform.codes import read_codes
from transform.person import identity_numbers
from transform.workbook_rows import records_of

# Claims of these kinds depend on what the same person was claimed for before.
_WITH_HISTORY = ("dm", "ht")


@dataclass
class RunCounts:
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


class Making(Shift):
    """A run that makes claims.

    Attributes:
        tally: What it counts.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        run: The run that holds the facility.
    """

    def __init__(self, settings: Settings, wish: Wish, engine: Engine, run: Run) -> None:
        super().__init__(settings, wish, engine, run)
        self.run_counts = RunCounts()
        self._planned: dict[str, list[tuple[str, str, str, pd.Timestamp]]] = defaultdict(list)

    def counts(self) -> dict[str, Any]:
        """What is left with the run when it ends."""
        return super().counts() | vars(self.run_counts)

    def make(self, tables: DayTables, *, explicit_request: bool = False) -> Transformed:
        """The claims and issues of one service day; `explicit_request` as in `make_claims`."""
        return make_claims(
            tables,
            kinds=self.wish.kinds,
            hcode=self.run.hcode,
            history=self._history(tables),
            settings=self.settings.transform,
            explicit_request=explicit_request,
        )

    def records(self, tables: DayTables, made: Transformed) -> dict[tuple[str, str, str], str]:
        """What the rows of a workbook would say of the day's claims and issues: so they can be mended in one."""
        parts = [(x.kind, x.vn, x.item) for some in (made.claims, made.issues) for x in some]
        return records_of(tables, parts, read_codes(self.settings.transform.codes_folder))

    def note(self, made: Transformed, counts: Counter[str]) -> None:
        """Count a day and what the ledger made of its claims."""
        self.run_counts.registered.update(counts)
        self.run_counts.besides.update(made.counts)
        self.run_counts.days += 1

    def plan(self, made: Transformed, origin: Origin = "his") -> tuple[Counter[str], list[Claim]]:
        """What registering these claims would do, and those that would go; nothing is done, but later days know of them."""
        compared = self.ledger.compare(made.claims, origin=origin)
        moments = {day: pd.Timestamp(day) for day in {c.service_date for c in made.claims}}
        for c in made.claims:
            if c.kind in _WITH_HISTORY:
                self._planned[c.pid].append((c.kind, c.pid, c.vn, moments[c.service_date]))
        going = []
        for c, (verdict, state) in zip(made.claims, compared, strict=True):
            if self.wish.send == "everything again" or verdict in ("new", "changed") or state in self.wish.states:
                going.append(c)
                claims, baht = self.run_counts.planned.get(c.kind, (0, 0))
                self.run_counts.planned[c.kind] = (claims + 1, baht + c.baht)
        return Counter(verdict for verdict, _ in compared), going

    def _history(self, tables: DayTables) -> pd.DataFrame:
        kinds = [k for k in self.wish.kinds if k in _WITH_HISTORY]
        people = set(identity_numbers(tables.visits).dropna())
        known = self.ledger.history(people, kinds)
        # A dry run registers nothing: what its earlier days would send counts as well.
        planned = [claim for person in sorted(people & self._planned.keys()) for claim in self._planned[person]]
        if not planned:
            return known
        frame = pd.DataFrame(planned, columns=known.columns).astype(known.dtypes.to_dict())
        return pd.concat([known, frame], ignore_index=True)

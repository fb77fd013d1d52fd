"""Service days become claims and issues, and both are written down: the same for the HIS and for workbooks."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from extract.contract import DayTables
from flows.runs.claim_run import ClaimRun
from load.issues import record_issues
from load.tables import Origin
from transform.claim import Claim, Transformed
from transform.claims import make_claims
from transform.person import identity_numbers

# Claims of these kinds depend on what the same person was claimed for before.
_WITH_HISTORY = ("dm", "ht")


@dataclass
class RunCounts:
    """What a run counts, for its report and the audit.

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

    def count_day(self, made: Transformed, registered: Counter[str]) -> None:
        """Count a day and what the ledger made of its claims."""
        self.registered.update(registered)
        self.besides.update(made.counts)
        self.days += 1


class DayResult(NamedTuple):
    """What became of a day.

    Args:
        registered: new, changed, unchanged, settled, withdrawn; counts of claims.
        would_send: The claims that would be sent, where they were not registered.
    """

    registered: Counter[str]
    would_send: list[Claim]


class DayRegistrar:
    """Takes in one service day after another.

    Attributes:
        counts: What it counts.
        send_everything: As given.

    Args:
        run: The run it works for.
        origin: Who gives the days.
        send_everything: Of a dry run: count what was accepted as well.
    """

    def __init__(self, run: ClaimRun, origin: Origin, *, send_everything: bool = False) -> None:
        self.counts = RunCounts()
        self._run = run
        self._origin = origin
        self.send_everything = send_everything
        self._planned: dict[str, list[tuple[str, str, str, pd.Timestamp]]] = defaultdict(list)

    def make(self, tables: DayTables) -> Transformed:
        """The claims and issues of one service day. Every row of a workbook is an explicit request."""
        return make_claims(
            tables,
            kinds=self._run.selection.kinds,
            hcode=self._run.audit_run.hcode,
            history=self._history(tables),
            settings=self._run.settings.transform,
            explicit_request=self._origin == "workbook",
        )

    def of_other_visits(self, made: Transformed) -> list[Claim]:
        """The claims whose visit number is another visit's in the ledger; of the HIS, one that came of a workbook."""
        origin: Origin | None = "workbook" if self._origin == "his" else None
        numbers = self._run.ledger.intake.other_visits(made.claims, origin=origin)
        return [c for c in made.claims if c.key in numbers]

    def register(self, tables: DayTables, made: Transformed, records: Mapping[tuple[str, str, str], str]) -> DayResult:
        """Write a day's issues and claims down, or of a run that does not send, see what that would do.

        Args:
            tables: The service day.
            made: Its claims and issues.
            records: What a sheet's rows would say of them, so that they can be mended in one; JSON by claim.
        """
        run, day, kinds = self._run, tables.day, self._run.selection.kinds
        # A dry run over the HIS lists what is wrong there; one of a workbook leaves no trace.
        if run.sends or self._origin == "his":
            visits = set(tables.visits["vn"]) if self._origin == "workbook" else None
            record_issues(
                run.engine,
                run.audit_run,
                day,
                kinds,
                made.issues,
                made.claims,
                origin=self._origin,
                visits=visits,
                records=records,
            )
        if run.sends:
            by_claim = {c.key: records[key] for c in made.claims if (key := (c.kind, c.vn, c.item)) in records}
            registered = run.ledger.intake.register(day, kinds, made.claims, records=by_claim, origin=self._origin)
            result = DayResult(registered, [])
        else:
            result = self._plan(made)
        self.counts.count_day(made, result.registered)
        return result

    def _plan(self, made: Transformed) -> DayResult:
        """What registering these claims would do, and those that would be sent; later days take them into account."""
        compared = self._run.ledger.intake.compare(made.claims, origin=self._origin)
        moments = {day: pd.Timestamp(day) for day in {c.service_date for c in made.claims}}
        for c in made.claims:
            if c.kind in _WITH_HISTORY:
                self._planned[c.pid].append((c.kind, c.pid, c.vn, moments[c.service_date]))
        would_send = []
        for c, (verdict, state) in zip(made.claims, compared, strict=True):
            if self.send_everything or verdict in ("new", "changed") or state in self._run.selection.states:
                would_send.append(c)
                claims, baht = self.counts.planned.get(c.kind, (0, 0))
                self.counts.planned[c.kind] = (claims + 1, baht + c.baht)
        return DayResult(Counter(verdict for verdict, _ in compared), would_send)

    def _history(self, tables: DayTables) -> pd.DataFrame:
        kinds = [k for k in self._run.selection.kinds if k in _WITH_HISTORY]
        people = set(identity_numbers(tables.visits).dropna())
        known = self._run.ledger.queue.history(people, kinds)
        # A dry run registers nothing: what its earlier days would send counts as well.
        planned: list[Any] = [
            claim for person in sorted(people & self._planned.keys()) for claim in self._planned[person]
        ]
        if not planned:
            return known
        frame = pd.DataFrame(planned, columns=known.columns).astype(known.dtypes.to_dict())
        return pd.concat([known, frame], ignore_index=True)

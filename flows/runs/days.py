"""Service days become claims and issues, and both are written down: the same for the HIS and for workbooks."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from extract.contract import DayTables
from flows.runs.claim_run import ClaimRun
from load.claim_rows import Key
from load.issues import record_issues
from load.queue import RegisteredClaim
from load.states import HISTORY_STATES, State
from load.tables import Origin
from transform.claim import Claim, Issue, Kind, Transformed
from transform.claims import make_claims
from transform.person import identity_numbers
from transform.set_aside import set_aside_issue


@dataclass
class RunCounts:
    """What a run counts, for its report and the audit.

    Args:
        registered: new, changed, unchanged, settled, withdrawn; counts of claims.
        besides: What transform counted besides claims, such as "claimed by the HIS".
        planned: Claims a dry run would send, and their baht, by kind.
        planned_states: The same claims by the state in which they would be.
        days: Service days read.
    """

    registered: Counter[str] = field(default_factory=Counter)
    besides: Counter[str] = field(default_factory=Counter)
    planned: dict[str, tuple[int, int]] = field(default_factory=dict)
    planned_states: Counter[State] = field(default_factory=Counter)
    days: int = 0

    @property
    def would_send(self) -> int:
        """Claims a dry run would send."""
        return sum(claims for claims, _ in self.planned.values())

    def plan(self, kind: str, state: State, claims: int, baht: int) -> None:
        """Count claims that would be sent, in the state in which they would be."""
        before, worth = self.planned.get(kind, (0, 0))
        self.planned[kind] = (before + claims, worth + baht)
        self.planned_states[state] += claims

    def plan_due(self, due: Mapping[tuple[Kind, State], tuple[int, int]]) -> None:
        """Count claims that are due without having been read in this run: count and baht by kind and state."""
        for (kind, state), (claims, baht) in due.items():
            self.plan(kind, state, claims, baht)

    def count_day(self, made: Transformed, registered: Counter[str]) -> None:
        """Count a day and what the ledger made of its claims."""
        self.registered.update(registered)
        self.besides.update(made.counts)
        self.days += 1


class DayRegistrar:
    """Takes in one service day after another.

    Attributes:
        counts: What it counts.
        send_everything: As given.
        would_send: The claims of its days that a dry run would send, by key, each with the state in which it would be.

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
        self.would_send: dict[Key, tuple[Claim, State]] = {}
        # Of a dry run: what its earlier days have made of a claim; None: it would not count as a person's claim any more.
        self._planned: dict[Key, Claim | None] = {}
        self._waiting: set[Key] = set()  # those of them that would wait for their closing code

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

    def register(
        self,
        tables: DayTables,
        made: Transformed,
        records: Mapping[tuple[str, str, str], str],
        visits: Collection[str] | None = None,
    ) -> Counter[str]:
        """Write a day's issues and claims down, or of a run that does not send, see what that would do.

        Args:
            tables: The service day.
            made: Its claims and issues.
            records: What a sheet's rows would say of them, so that they can be mended in one; JSON by claim.
            visits: The visits that were read, where these are not all of the day.

        Returns:
            Counts of new, changed, unchanged, settled and withdrawn claims.
        """
        run, day, kinds = self._run, tables.day, self._run.selection.kinds
        if self._origin == "workbook":
            self._record_issues(day, made.issues, made.claims, set(tables.visits["vn"]), records)
        else:
            self._record_issues(day, made.issues, made.claims, visits, records)
        if run.sends:
            by_claim = {c.key: records[key] for c in made.claims if (key := (c.kind, c.vn, c.item)) in records}
            intake = run.ledger.intake
            registered = intake.register(day, kinds, made.claims, records=by_claim, origin=self._origin, visits=visits)
        else:
            registered = self._plan(day, made, visits)
        self._set_aside(made)
        self.counts.count_day(made, registered)
        return registered

    def register_gone(self, day: date, visits: Collection[str]) -> Counter[str]:
        """Take in that the HIS no longer has these visits on a day, or that nothing of them is to be claimed.

        Args:
            day: The service day under which the audit has them.
            visits: Their numbers.

        Returns:
            What the ledger made of their claims.
        """
        self._record_issues(day, (), (), visits, {})
        run, kinds = self._run, self._run.selection.kinds
        if run.sends:
            registered = run.ledger.intake.register(day, kinds, (), visits=visits)
        else:
            registered = self._plan(day, Transformed(), visits)
        self.counts.registered.update(registered)
        return registered

    def _record_issues(
        self,
        day: date,
        issues: Collection[Issue],
        claims: Collection[Claim],
        visits: Collection[str] | None,
        records: Mapping[tuple[str, str, str], str],
    ) -> None:
        # A dry run over the HIS lists what is wrong there; one of a workbook leaves no trace.
        if self._run.sends or self._origin == "his":
            run, kinds = self._run, self._run.selection.kinds
            origin = self._origin
            record_issues(
                run.engine, run.audit_run, day, kinds, issues, claims, origin=origin, visits=visits, records=records
            )

    def _set_aside(self, made: Transformed) -> None:
        """Withdraw held claims in whose place another of the person goes, and say so of each."""
        run, hcode = self._run, self._run.audit_run.hcode
        if not made.set_aside:  # the usual case
            return
        pairs = {(hcode, *held): (hcode, *claim) for held, claim in made.set_aside}
        found = run.ledger.queue.find({*pairs, *pairs.values()})
        # One that was refused is still given by its source, and does not go.
        instead = {held: claim for held, claim in pairs.items() if self._counts(claim, found)}
        known = {key: found[key] for key in instead if key in found}
        if run.sends:
            run.ledger.intake.set_aside(instead)
        else:
            for key in instead:
                self._planned[key] = None
                self._does_not_go(key)
        by_key = {c.key: c for c in made.claims}
        for key, held in known.items():
            issue = set_aside_issue(key, held.hn, held.service_date, by_key[instead[key]].service_date)
            self._record_issues(held.service_date, [issue], (), (), {})

    def _counts(self, key: Key, known: Mapping[Key, RegisteredClaim]) -> bool:
        """Whether a claim is a person's: accepted, or to go; of a dry run, as its days would leave it."""
        if key in self._planned:
            return self._planned[key] is not None
        return key in known and known[key].state in HISTORY_STATES

    def _plan(self, day: date, made: Transformed, visits: Collection[str] | None) -> Counter[str]:
        """What registering these claims would do, and those that would be sent; later days take them into account."""
        run, kinds = self._run, self._run.selection.kinds
        intake = run.ledger.intake
        plan = intake.plan(day, kinds, made.claims, origin=self._origin, visits=visits)
        for key in plan.withdrawn:
            planned = self._planned.get(key)
            if planned is None or planned.service_date == day:  # else its visit was moved, and has been read there
                self._planned[key] = None
                self._does_not_go(key)
        for c, verdict, state in zip(made.claims, plan.verdicts, plan.states, strict=True):
            if verdict in ("new", "changed"):
                self._planned[c.key] = c if state in HISTORY_STATES else None
                self._waiting.discard(c.key)
            goes = state in run.selection.states and c.key not in intake.otherwise and c.key not in plan.of_workbooks
            self._does_not_go(c.key)  # where a visit is read twice, it is the later reading that counts
            if goes or self.send_everything:
                self.would_send[c.key] = c, state
                self.counts.plan(c.kind, state, 1, c.baht)
        self._waiting.update(plan.waiting)
        return Counter(plan.verdicts) + Counter(withdrawn=len(plan.withdrawn))

    def _does_not_go(self, key: Key) -> None:
        """Take back what a dry run has counted of a claim."""
        if counted := self.would_send.pop(key, None):
            claim, state = counted
            self.counts.plan(claim.kind, state, -1, -claim.baht)

    def plan_others(self) -> None:
        """Count what a dry run would send besides the claims of its days: of workbooks that were imported before."""
        run, s = self._run, self._run.selection
        self.counts.plan_due(run.ledger.queue.due_by_kind(s.states, s.kinds, s.first, s.last, read=s.read))

    def _history(self, tables: DayTables) -> pd.DataFrame:
        """The claims of the day's persons: as the ledger has them, and of a dry run as its earlier days would leave them."""
        people = set(identity_numbers(tables.visits).dropna())
        known = self._run.ledger.queue.history(people, self._run.selection.kinds)
        if not self._planned:
            return known
        hcode = self._run.audit_run.hcode
        keys = zip(known["kind"], known["vn"], known["item"], strict=True)
        known = known.loc[[(hcode, *key) not in self._planned for key in keys]]
        planned = [
            (c.kind, c.pid, c.item, c.vn, pd.Timestamp(c.service_date), c.key in self._waiting)
            for c in self._planned.values()
            if c and c.pid in people
        ]
        frame = pd.DataFrame(planned, columns=known.columns).astype(known.dtypes.to_dict())
        return pd.concat([known, frame], ignore_index=True)

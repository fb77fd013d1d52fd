"""Service days of the HIS, read and registered for a run: whole days, and the visits that wait for something."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date

from extract.contract import DayTables
from extract.source import HisSource
from flows.runs.claim_run import ClaimRun
from flows.runs.days import DayRegistrar
from load.claim_rows import Key
from load.open_visits import Visits
from load.states import ACCEPTED_STATES
from transform.after_acceptance import after_acceptance, also_claimed, claimed_by_his, in_doubt_and_claimed_by_his
from transform.claim import Issue
from transform.claims import wanted
from transform.codes import read_codes
from transform.workbook_rows import number_taken_issue, records_of


class HisDays:
    """Reads service days of the HIS and registers what they hold.

    Attributes:
        registrar: Takes the days in, and counts.
        seen: The numbers of the visits that were read.

    Args:
        run: The run it works for.
        source: The hospital database.
        send_everything: Of a dry run: count what was accepted as well.
    """

    def __init__(self, run: ClaimRun, source: HisSource, *, send_everything: bool = False) -> None:
        self.registrar = DayRegistrar(run, "his", send_everything=send_everything)
        self.seen: set[str] = set()
        self._run = run
        self._source = source
        self._wanted = wanted(run.selection.kinds, run.settings.transform)
        self._tables: DayTables | None = None

    def extract_day(self, day: date) -> int:
        """Read one service day; returns the number of visits that may become claims."""
        self._tables = None  # before the next day is read: memory is one day's
        self._tables = self._source.read_day(day, self._wanted)
        return len(self._tables.visits)

    def transform_day(self) -> Counter[str]:
        """Turn the day that was read into claims and issues, and register both; returns what the ledger made of it."""
        assert self._tables is not None
        tables, self._tables = self._tables, None
        return self._register(tables)

    def read_again(self, visits: Visits) -> Iterator[tuple[date, Counter[str]]]:
        """Read visits that wait for something, as they are today, and register them.

        Args:
            visits: The visits by the day under which the audit has them.

        Yields:
            Each service day, and what the ledger made of its visits.
        """
        found: dict[date, set[str]] = defaultdict(set)
        for tables in self._source.read_visits(visits, self._wanted):
            found[tables.day].update(tables.visits["vn"])
            yield tables.day, self._register(tables, found[tables.day])
        # Last, for a visit that was moved to another day has been registered there by now.
        for day, numbers in visits.items():
            if gone := set(numbers) - found[day]:
                yield day, self.registrar.register_gone(day, gone)

    def _register(self, tables: DayTables, visits: Collection[str] | None = None) -> Counter[str]:
        self.seen.update(tables.visits["vn"])
        made = self.registrar.make(tables)
        parts = [(x.kind, x.vn, x.item) for some in (made.claims, made.issues) for x in some]
        records = records_of(tables, parts, read_codes(self._run.settings.transform.codes_folder))
        numbers_taken = (number_taken_issue(c) for c in self.registrar.of_other_visits(made))
        intake, kinds = self._run.ledger.intake, self._run.selection.kinds
        by_his: dict[Key, str] = {
            (self._run.audit_run.hcode, kind, vn, item): uid for kind, vn, item, uid in made.claimed_by_his
        }
        accepted = intake.accepted_on(tables.day, kinds, made.claims, visits)
        no_longer = (a for a in accepted if (a.hcode, a.kind, a.vn, a.item) not in by_his)
        issues = (*made.issues, *numbers_taken, *after_acceptance(no_longer, tables.day), *self._of_his(by_his))
        return self.registrar.register(tables, replace(made, issues=issues), records, visits)

    def _of_his(self, by_his: Mapping[Key, str]) -> Iterator[Issue]:
        """Issues of claims that the ledger has and that the HIS has claimed itself; the same number proves that ours was taken."""
        if not by_his:  # the usual case
            return
        known = self._run.ledger.queue.find(by_his)
        same = [key for key, c in known.items() if c.transaction_uid == by_his[key]]
        if same and self._run.sends:
            self._run.ledger.intake.confirm(same)
        for key in known.keys() - set(same):
            c = known[key]
            if c.state in ACCEPTED_STATES:
                rule = also_claimed
            else:
                rule = in_doubt_and_claimed_by_his if c.possibly_accepted else claimed_by_his
            yield rule(key, c.hn, c.service_date, by_his[key])

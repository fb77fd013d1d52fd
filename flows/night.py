"""One run, as the rooms see it: what the tasks of a flow call. It knows nothing of Prefect.

Nothing personal leaves this object: tasks are given it whole, and give back nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date

import pandas as pd
from sqlalchemy import Engine

from extract.contract import DayTables
from extract.errors import ConfigurationError, MophClaimError
from extract.messages import Message
from extract.source import HisSource, open_source
from flows.settings import Settings
from flows.wish import Wish
from load.account_center import TokenSource
from load.database import open_audit
from load.delivery import Delivery
from load.issues import note_issues
from load.ledger import DueClaim, Ledger
from load.runs import Run, start_run
from load.states import State
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


class Night:
    """A run with its hands on the HIS, the audit and MOPH Claim. Made by `open_night`.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        source: The hospital database.
        run: The run that holds the facility.
    """

    def __init__(self, settings: Settings, wish: Wish, engine: Engine, source: HisSource, run: Run) -> None:
        self.settings = settings
        self.wish = wish
        self.engine = engine
        self.run = run
        self.tally = Tally()
        self.failure: MophClaimError | None = None
        self._source = source
        self._ledger = Ledger(engine, run)
        self._tokens = TokenSource(settings.api, run.hcode)
        self._delivery: Delivery | None = None
        self._tables: DayTables | None = None
        self._planned: list[tuple[str, str, str, pd.Timestamp]] = []
        self._stack = ExitStack()

    def close(self) -> None:
        """Close the connections and leave the counts with the run."""
        self._stack.close()
        self.run.counts = {**vars(self.tally), "sent": self.sent}
        self.run.log_ins = self._tokens.log_ins

    def recover(self) -> int:
        """Put in doubt what a dead run left in mid-sending; returns how many."""
        return self._ledger.recover()

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
        note_issues(self.engine, self.run, tables.day, self.wish.kinds, made.issues)
        counts = (
            self._plan(made) if self.wish.dry_run else self._ledger.register(tables.day, self.wish.kinds, made.claims)
        )
        self.tally.registered.update(counts)
        self.tally.besides.update(made.counts)
        self.tally.days += 1
        return counts

    def _history(self, tables: DayTables) -> pd.DataFrame:
        kinds = [k for k in self.wish.kinds if k in _WITH_HISTORY]
        known = self._ledger.history(set(identity_numbers(tables.visits).dropna()), kinds)
        if not self._planned:
            return known
        # A dry run registers nothing: what its earlier days would send counts as well.
        planned = pd.DataFrame(self._planned, columns=known.columns).astype(known.dtypes.to_dict())
        return pd.concat([known, planned], ignore_index=True)

    def _plan(self, made: Transformed) -> Counter[str]:
        compared = self._ledger.compare(made.claims)
        self._planned += [
            (c.kind, c.pid, c.vn, pd.Timestamp(c.service_date)) for c in made.claims if c.kind in _WITH_HISTORY
        ]
        for c, (verdict, state) in zip(made.claims, compared, strict=True):
            if self.wish.send == "everything again" or verdict in ("new", "changed") or state in self.wish.states:
                claims, baht = self.tally.planned.get(c.kind, (0, 0))
                self.tally.planned[c.kind] = (claims + 1, baht + c.baht)
        return Counter(verdict for verdict, _ in compared)

    def count_due(self) -> int:
        """How many claims should go now."""
        return self._ledger.count_due(self.wish.states, self.wish.kinds, self.wish.first, self.wish.last)

    def log_in(self) -> None:
        """The run's one log-in, before its first claim."""
        self._tokens.token()

    def next_chunk(self) -> list[DueClaim]:
        """The next claims to send; empty when all have been."""
        wish = self.wish
        return self._ledger.due(wish.states, wish.kinds, wish.first, wish.last, wish.chunk_size)

    def send_chunk(self, number: int, chunk: list[DueClaim]) -> None:
        """Send a chunk; its last answers may still be to come when the connections want the next."""
        if self._delivery is None:
            self._delivery = self._stack.enter_context(
                Delivery(self.settings.api, self._ledger, self._tokens, self.wish.concurrency)
            )
        self._delivery.send_chunk(number, chunk)

    def finish_sending(self) -> None:
        """Wait until every answer is committed; what was answered is, whatever happens."""
        if self._delivery is not None:
            self._delivery.finish()

    @property
    def sent(self) -> Counter[State]:
        """Where the claims sent so far in this run stand."""
        return self._delivery.counts if self._delivery else Counter()


@contextmanager
def open_night(
    settings: Settings, wish: Wish, flow: str, on_wait: Callable[[str], None] = lambda _: None
) -> Iterator[Night]:
    """Open the audit and the HIS, and hold the facility while the block lasts.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        flow: The flow's name, for the audit.
        on_wait: Told the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: Configuration, HIS or audit cannot be used; nothing was sent.
    """
    engine = open_audit(settings.audit_url())
    try:
        with open_source(settings.his) as source:
            hcode = facility_code(settings, source)
            parameters = {
                "from": wish.first,
                "to": wish.last,
                "kinds": wish.kinds,
                "send": wish.send,
                "dry_run": wish.dry_run,
                "chunk_size": wish.chunk_size,
                "concurrency": wish.concurrency,
            }
            with start_run(
                engine,
                settings.audit,
                environment=settings.api.environment,
                hcode=hcode,
                flow=flow,
                parameters=parameters,
                on_wait=on_wait,
            ) as run:
                night = Night(settings, wish, engine, source, run)
                night.recover()
                try:
                    yield night
                finally:
                    night.close()
    finally:
        engine.dispose()


def facility_code(settings: Settings, source: HisSource) -> str:
    """The facility's code: the HIS's own, which must be the configured one where one is configured.

    Raises:
        ConfigurationError: They differ.
    """
    hcode = source.facility().hcode
    if settings.facility.hcode and settings.facility.hcode != hcode:
        raise ConfigurationError(
            Message(
                f"ฐานข้อมูล HIS เป็นของหน่วยบริการ {hcode} แต่ตั้ง facility.hcode เป็น {settings.facility.hcode} กรุณาตรวจสอบ his.url",
                f"The hospital database belongs to facility {hcode}, but facility.hcode is {settings.facility.hcode}: "
                "check his.url.",
            )
        )
    return hcode

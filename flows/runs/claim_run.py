"""A run with its hands on the audit and MOPH Claim: what `Night` and `Morning` share. It knows nothing of Prefect.

Nothing personal leaves these objects: tasks are given them whole, and give back nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Engine

from core.errors import ConfigurationError, MophClaimError
from core.messages import Message
from extract.source import HisSource, open_source
from flows.parameters import Wish
from flows.settings.settings import Settings
from load.account_center import TokenSource
from load.database import open_audit
from load.delivery import Delivery
from load.ledger import DueClaim, Ledger
from load.runs import Run, start_run
from load.states import State


class Shift:
    """A run that sends what is due.

    Attributes:
        failure: Why it stopped, if it did.
        tell: Told what happens meanwhile; called from a sending thread.
        recovered: Claims that a dead run left in mid-sending.

    Args:
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        run: The run that holds the facility.
    """

    def __init__(self, settings: Settings, wish: Wish, engine: Engine, run: Run) -> None:
        self.settings = settings
        self.wish = wish
        self.engine = engine
        self.run = run
        self.failure: MophClaimError | None = None
        self.tell: Callable[[Message], None] = lambda _: None
        self.recovered = 0
        self.ledger = Ledger(engine, run)
        self.tokens = TokenSource(settings.api, run.hcode)
        self.stack = ExitStack()
        self._delivery: Delivery | None = None

    def counts(self) -> dict[str, Any]:
        """What is left with the run when it ends."""
        return {"recovered": self.recovered, "sent": self.sent}

    def close(self) -> None:
        """Close the connections and leave the counts with the run."""
        self.stack.close()
        self.run.counts = self.counts()
        self.run.log_ins = self.tokens.log_ins

    def recover(self) -> None:
        """Put in doubt what a dead run left in mid-sending."""
        self.recovered = self.ledger.recover()

    def count_due(self) -> int:
        """How many claims should go now."""
        wish = self.wish
        return self.ledger.count_due(wish.states, wish.kinds, wish.first, wish.last)

    def log_in(self) -> None:
        """The run's one log-in, before its first claim."""
        self.tokens.token()

    def next_chunk(self) -> list[DueClaim]:
        """The next claims to send; empty when all have been."""
        wish = self.wish
        return self.ledger.due(wish.states, wish.kinds, wish.first, wish.last, wish.chunk_size)

    def send_chunk(self, number: int, chunk: list[DueClaim]) -> None:
        """Send a chunk; its last answers may still be to come when the connections want the next."""
        if self._delivery is None:
            self._delivery = self.stack.enter_context(
                Delivery(self.settings.api, self.ledger, self.tokens, self.wish.concurrency, self.tell)
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


S = TypeVar("S", bound=Shift)


@contextmanager
def audit_engine(settings: Settings) -> Iterator[Engine]:
    """The audit database, open while the block lasts.

    Raises:
        MophClaimError: It cannot be used.
    """
    engine = open_audit(settings.audit_url(), patience_seconds=settings.audit.outage_seconds)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def open_run(
    begin: Callable[[Run], S],
    settings: Settings,
    wish: Wish,
    engine: Engine,
    *,
    hcode: str,
    flow: str,
    on_wait: Callable[[str], None],
) -> Iterator[S]:
    """Hold the facility while the block lasts, and see to what a dead run left behind.

    Args:
        begin: Makes the shift, once the run holds the facility.
        settings: The settings in force.
        wish: What the run is for.
        engine: The audit database.
        hcode: The facility.
        flow: The flow's name, for the audit.
        on_wait: Told the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: The facility or the audit is not to be had; nothing was sent.
    """
    with start_run(
        engine,
        settings.audit,
        environment=settings.api.environment,
        hcode=hcode,
        flow=flow,
        parameters=wish.parameters,
        on_wait=on_wait,
    ) as run:
        shift = begin(run)
        try:
            shift.recover()
            yield shift
        finally:
            shift.close()


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


def resolve_hcode(settings: Settings) -> str:
    """The facility's code: the configured one; the HIS is asked for it where none is.

    Raises:
        MophClaimError: The HIS had to be asked, and cannot be used.
    """
    if settings.facility.hcode:
        return settings.facility.hcode
    with open_source(settings.his) as source:
        return facility_code(settings, source)

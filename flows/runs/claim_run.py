"""A run that holds its facility and sends the claims that are due: what all three kinds of run have. It knows nothing of Prefect.

Nothing personal leaves these objects: tasks are given them whole, and return nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Engine

from core.messages import Message
from flows.parameters import ImportParameters, ReconcileParameters, SubmitParameters
from flows.settings.model import Settings
from load.account_center import TokenSource
from load.delivery import Delivery
from load.errors import AuditError
from load.high_water_mark import MarkKeeper
from load.ledger import Ledger
from load.queue import DueClaim
from load.reserve import Reserve, check_room, reserved
from load.runs import Run, start_run
from load.states import State
from transform.claim import Kind

Parameters = SubmitParameters | ReconcileParameters | ImportParameters


@dataclass(frozen=True, slots=True)
class Selection:
    """The claims that a run sends.

    Args:
        states: In these states.
        kinds: Of these kinds.
        first: First service day.
        last: Last service day.
        of_workbook: Only those of the workbook that the run has registered.
        read: Of the HIS's only those that the run has read there; without a HIS there is nothing to read.
    """

    states: Collection[State]
    kinds: Collection[Kind]
    first: date
    last: date
    of_workbook: bool = False
    read: bool = True


class ClaimRun:
    """A run that sends what is due.

    Attributes:
        on_pause: Called with a sentence, from a sending thread, when sending pauses or goes on.
        recovered: Claims that a dead run left in mid-sending.
        mark: Marks outside of the audit how far the run has come; None of one that sends nothing.

    Args:
        settings: The settings in force.
        parameters: Those of the flow.
        engine: The audit database.
        audit_run: The run as the audit has it; it holds the facility.
        selection: Which claims it sends.
    """

    def __init__(
        self, settings: Settings, parameters: Parameters, engine: Engine, audit_run: Run, selection: Selection
    ) -> None:
        self.settings = settings
        self.parameters = parameters
        self.engine = engine
        self.audit_run = audit_run
        self.selection = selection
        self.on_pause: Callable[[Message], None] = lambda _: None
        self.recovered = 0
        self.mark: MarkKeeper | None = None
        self.ledger = Ledger(engine, audit_run)
        self.tokens = TokenSource(settings.api, audit_run.hcode)
        self.stack = ExitStack()
        self._delivery: Delivery | None = None
        self._reserve: Reserve | None = None

    @property
    def sends(self) -> bool:
        """Whether it registers and sends claims."""
        return not self.parameters.dry_run

    def counts(self) -> dict[str, Any]:
        """What the audit keeps with the run when it ends."""
        return {"recovered": self.recovered, "sent": self.sent, "asked_about": self.asked}

    def close(self) -> None:
        """Close the connections and leave the counts with the run."""
        self.stack.close()
        self.audit_run.counts = self.counts()
        self.audit_run.log_ins = self.tokens.log_ins

    def recover(self) -> None:
        """Put in doubt what a dead run left in mid-sending."""
        self.recovered = self.ledger.writer.recover()

    def count_due(self) -> int:
        """How many claims should go now."""
        s = self.selection
        queue = self.ledger.queue
        return queue.count_due(s.states, s.kinds, s.first, s.last, of_workbook=s.of_workbook, read=s.read)

    def chunks_to_ask(self) -> Iterator[list[DueClaim]]:
        """The claims that are only asked about, because their source says otherwise now, some at a time."""
        claims, size = self.ledger.queue.to_ask(self.ledger.intake.otherwise), self.parameters.chunk_size
        return (claims[i : i + size] for i in range(0, len(claims), size))

    def make_room(self, claims: int) -> None:
        """Make sure that there is room on the disk for so many claims, and keep some for the answers.

        Raises:
            MophClaimError: There is too little; nothing was sent.
        """
        url, connections = self.engine.url, self.parameters.concurrency
        least, folder = self.settings.audit.free_megabytes, self.settings.data_folder.absolute()
        check_room(url, folder, claims=claims, concurrency=connections, least_megabytes=least)
        self._reserve = self.stack.enter_context(reserved(url, connections))

    def log_in(self) -> None:
        """The run's one log-in, before its first claim."""
        self.tokens.token()

    def next_chunk(self) -> list[DueClaim]:
        """The next claims to send; empty when all have been."""
        s, size = self.selection, self.parameters.chunk_size
        return self.ledger.queue.due(s.states, s.kinds, s.first, s.last, size, of_workbook=s.of_workbook, read=s.read)

    def send_chunk(self, number: int, chunk: list[DueClaim]) -> None:
        """Send a chunk; its last answers may still be to come when the connections want the next."""
        if self._delivery is None:
            api, connections = self.settings.api, self.parameters.concurrency
            self._delivery = self.stack.enter_context(
                Delivery(api, self.ledger, self.tokens, connections, self.on_pause, self._reserve)
            )
        if self.mark is not None:
            self.mark.advance()
        self._delivery.send_chunk(number, chunk)

    def finish_sending(self) -> None:
        """Wait until every answer is committed; what was answered is, whatever happens."""
        if self._delivery is not None:
            self._delivery.finish()

    @property
    def sent(self) -> Counter[State]:
        """The states of the claims sent so far in this run."""
        return self._delivery.counts if self._delivery else Counter()

    @property
    def asked(self) -> Counter[State]:
        """The states of the claims that this run only asked about."""
        return self._delivery.asked if self._delivery else Counter()

    @property
    def looks_shared(self) -> Message | None:
        """Whether others seem to send for the same facility; then a sentence, else None."""
        return self._delivery.looks_shared if self._delivery else None


R = TypeVar("R", bound=ClaimRun)


@contextmanager
def open_run(
    make_run: Callable[[Run], R],
    settings: Settings,
    parameters: Parameters,
    engine: Engine,
    *,
    hcode: str,
    flow: str,
    on_wait: Callable[[str], None],
) -> Iterator[R]:
    """Hold the facility while the block lasts, and take up what a dead run left behind.

    Args:
        make_run: Makes the run, once it holds the facility.
        settings: The settings in force.
        parameters: Those of the flow.
        engine: The audit database.
        hcode: The facility.
        flow: The flow's name, for the audit.
        on_wait: Called with the id of another run of the facility, if there is one to wait for.

    Raises:
        MophClaimError: The facility or the audit is not to be had, or the audit has gone back in time; nothing was sent.
    """
    mark = None
    try:
        with start_run(
            engine,
            settings.audit,
            environment=settings.api.environment,
            hcode=hcode,
            flow=flow,
            parameters=parameters.recorded(),
            on_wait=on_wait,
        ) as audit_run:
            if not parameters.dry_run:
                keeper = MarkKeeper(engine, audit_run, settings.marks_folder())
                keeper.begin()
                mark = keeper
            run = make_run(audit_run)
            run.mark = mark
            try:
                run.recover()
                yield run
            finally:
                run.close()
    except BaseException:
        if mark:
            # The run's own error is the one to tell, and it may be the audit's: that is not asked again.
            with suppress(AuditError):
                mark.advance()
        raise
    if mark:
        mark.end()

"""What a run writes to the ledger in one transaction: intents, exchanges, results, statuses."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from load.moph_claim_api import Exchange, in_doubt
from load.outcomes import NUMBER_GIVEN_TWICE, Meaning, Outcome
from load.queue import DueClaim
from load.states import State


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """One exchange of one claim, to be recorded.

    Args:
        claim_id: The claim's row.
        chunk: The chunk's number in the run.
        attempt: The attempt's number within the run, from 1.
        payload_hash: SHA-256 of the payload that was sent.
        exchange: Request and answer.
    """

    claim_id: int
    chunk: int
    attempt: int
    payload_hash: str
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """The state of a claim after it was sent.

    Args:
        claim_id: The claim's row.
        state: The new state.
        meaning: What the answer means.
        message: The server's message.
        transaction_uid: The server's number, if it accepted the claim.
        possibly_accepted: Whether it may have been accepted.
        asked: The claim, if it was only asked about.
    """

    claim_id: int
    state: State
    meaning: Meaning
    message: str
    transaction_uid: str | None
    possibly_accepted: bool
    asked: DueClaim | None = None


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """MOPH Claim's answer about a transaction.

    Args:
        claim_id: The claim's row.
        status: `data.status` of the answer, unchanged; None where it held none.
        status_th: `data.status_th`, unchanged.
        proves: The transaction is this claim's: one presumed accepted is accepted.
    """

    claim_id: int
    status: str | None
    status_th: str | None
    proves: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction commits.

    Args:
        intents: Claims about to be sent.
        records: Exchanges that took place.
        results: States of claims after they were sent; ignored for a claim that another run has sent since.
        unsent: Claims whose intent was committed and that were not sent after all.
        statuses: Answers about transactions.
    """

    intents: Sequence[DueClaim] = ()
    records: Sequence[SubmissionRecord] = ()
    results: Sequence[SubmissionResult] = ()
    unsent: Sequence[DueClaim] = ()
    statuses: Sequence[TransactionStatus] = ()


def doubt_numbers(batch: Batch, numbers: Container[str | None]) -> Batch:
    """The batch without these transaction numbers, which are other claims': what was accepted under them is in doubt."""
    return replace(
        batch,
        records=[_doubted_record(r) if r.exchange.answer.transaction_uid in numbers else r for r in batch.records],
        results=[_doubted_result(r) if r.transaction_uid in numbers else r for r in batch.results],
    )


def is_acceptance(made: Exchange) -> bool:
    """Whether an exchange is the acceptance of a claim."""
    return made.call == "submit" and made.answer.outcome is Outcome.ACCEPTED


def _doubted_record(record: SubmissionRecord) -> SubmissionRecord:
    made = record.exchange
    if not is_acceptance(made):
        return record
    return replace(record, exchange=replace(made, answer=in_doubt(NUMBER_GIVEN_TWICE, made.answer)))


def _doubted_result(result: SubmissionResult) -> SubmissionResult:
    if result.state is not State.ACCEPTED:
        return replace(result, transaction_uid=None)
    return replace(
        result, state=State.IN_DOUBT, meaning=NUMBER_GIVEN_TWICE, transaction_uid=None, possibly_accepted=True
    )

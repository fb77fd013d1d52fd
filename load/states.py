"""The state machine of a claim: its states, the transitions between them, and their causes.

`load.intake` and `load.ledger_writer` make the transitions, each through `check_transition`. A trigger of the audit database
refuses any other, and another writes every transition into `claim_history`. docs/states.md is generated from this module.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of a claim."""

    READY = "ready"  # registered, never sent
    SENDING = "sending"  # its intent is committed, its answer is not
    ACCEPTED = "accepted"
    PRESUMED_ACCEPTED = "presumed_accepted"  # in doubt, then refused as claimed already: a person checks it
    HELD = "held"  # no closing code yet
    RETRY = "retry"  # the server was busy or away; certainly not accepted
    IN_DOUBT = "in_doubt"  # it may have been accepted
    CORRECTABLE = "correctable"  # refused for its data
    FINAL = "final"  # refused for good
    GIVEN_UP = "given_up"  # held for longer than its window
    WITHDRAWN = "withdrawn"  # not accepted, and the HIS or the rules no longer give it


class Cause(StrEnum):
    """The cause of a transition."""

    FOUND = "found"
    CHANGED = "changed"
    GONE = "gone"
    INTENT = "intent"
    UNSENT = "unsent"
    ANSWERED = "answered"
    NOT_TAKEN = "not_taken"
    RUN_DIED = "run_died"
    STATUS = "status"
    WINDOW_OVER = "window_over"
    PERSON = "person"


# What a run sends without being asked. (A SENDING claim whose run has died becomes IN_DOUBT first.)
DUE = (State.READY, State.HELD, State.RETRY, State.IN_DOUBT)
# Not yet decided: their personal data is needed, and never erased.
OPEN_STATES = (*DUE, State.SENDING)
# What "only failed" sends: claims that were sent and not accepted, including those that only a person sends again.
FAILED = (State.HELD, State.RETRY, State.IN_DOUBT, State.CORRECTABLE, State.GIVEN_UP)
# Never sent again, and no data of the HIS or a workbook changes them, but for one refused for good of which the source gives
# another person or day now. A person who has looked one up may reopen it: one presumed accepted, or refused for good.
CLOSED_STATES = (State.ACCEPTED, State.PRESUMED_ACCEPTED, State.FINAL)
ACCEPTED_STATES = (State.ACCEPTED, State.PRESUMED_ACCEPTED)
# Withdrawn when the HIS no longer gives them, because they were certainly not accepted.
NOT_ACCEPTED_STATES = (State.READY, State.HELD, State.RETRY, State.CORRECTABLE, State.GIVEN_UP)
# What a run that has read them at their source may send: the due ones, and those that a person asks for again.
SENDABLE = (*DUE, State.CORRECTABLE, State.GIVEN_UP)
# What counts as a patient's earlier claims: accepted, possibly accepted, or still to be sent.
HISTORY_STATES = (*ACCEPTED_STATES, State.SENDING, *DUE)
# What a person should check.
FOR_A_PERSON = (State.PRESUMED_ACCEPTED, State.CORRECTABLE, State.FINAL, State.HELD, State.GIVEN_UP)
# What the server failed on, or did not answer.
UNANSWERED_STATES = (State.RETRY, State.IN_DOUBT)
# The states that an answer, or no answer, can lead to.
ANSWER_STATES = (*ACCEPTED_STATES, State.HELD, State.CORRECTABLE, State.FINAL, State.RETRY, State.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Transitions:
    """The transitions of one cause: from any of `before` to any of `after`. A new claim comes from None."""

    cause: Cause
    before: tuple[State | None, ...]
    after: tuple[State, ...]


MACHINE = (
    Transitions(Cause.FOUND, (None, State.WITHDRAWN), (State.READY,)),
    # From FINAL where the source gives another person or day: that claim was never refused.
    Transitions(Cause.CHANGED, (State.CORRECTABLE, State.FINAL), (State.READY,)),
    Transitions(Cause.GONE, NOT_ACCEPTED_STATES, (State.WITHDRAWN,)),
    Transitions(Cause.INTENT, (*DUE, State.CORRECTABLE, State.GIVEN_UP), (State.SENDING,)),
    Transitions(Cause.UNSENT, (State.SENDING,), (*DUE, State.CORRECTABLE, State.GIVEN_UP)),
    # From IN_DOUBT as well: an answer that comes after the run's lease has expired still counts.
    Transitions(Cause.ANSWERED, (State.SENDING, State.IN_DOUBT), ANSWER_STATES),
    # Only asked about, because its source says otherwise now, and not accepted as it was sent: what the source says goes.
    Transitions(Cause.NOT_TAKEN, (State.SENDING,), (State.READY, State.WITHDRAWN)),
    Transitions(Cause.RUN_DIED, (State.SENDING,), (State.IN_DOUBT,)),
    Transitions(Cause.STATUS, (State.PRESUMED_ACCEPTED,), (State.ACCEPTED,)),
    Transitions(Cause.WINDOW_OVER, (State.HELD,), (State.GIVEN_UP,)),
    Transitions(Cause.PERSON, (State.PRESUMED_ACCEPTED, State.IN_DOUBT), (State.ACCEPTED, State.FINAL, State.READY)),
    Transitions(Cause.PERSON, (State.FINAL,), (State.ACCEPTED, State.READY)),
    Transitions(Cause.PERSON, (State.CORRECTABLE, State.GIVEN_UP), (State.READY,)),
    # Taken back: a claim of a workbook that was certainly not accepted.
    Transitions(Cause.PERSON, NOT_ACCEPTED_STATES, (State.WITHDRAWN,)),
)


class IllegalTransition(Exception):
    """A change of state that is not in the machine: a bug of the program, never a fault of the data."""


def transitions() -> Iterator[tuple[State | None, State, Cause]]:
    """Every transition and its cause: (before, after, cause)."""
    for some in MACHINE:
        for before in some.before:
            for after in some.after:
                if before != after:
                    yield before, after, some.cause


_TRANSITIONS = frozenset(transitions())


def check_transition(cause: Cause, before: State | None, after: State) -> None:
    """Refuse a transition that is not in the machine; staying in the same state is always allowed.

    Raises:
        IllegalTransition: There is no such transition, or not for this cause.
    """
    if before != after and (before, after, cause) not in _TRANSITIONS:
        raise IllegalTransition(f"{before or 'nothing'} -> {after} ({cause})")

"""The life of a claim: its states, the transitions between them, and what may cause each.

This is the whole state machine. `load.ledger` makes the transitions, each through `check`; the audit database refuses
any other by a trigger, and writes every one of them into `claim_history` by itself. docs/states.md is drawn from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.messages import Message


class State(StrEnum):
    """Where a claim stands."""

    READY = "ready"  # registered, never sent
    SENDING = "sending"  # its intent is committed, its answer is not
    ACCEPTED = "accepted"
    PRESUMED_ACCEPTED = "presumed_accepted"  # in doubt, then refused as claimed already: a person has a look
    HELD = "held"  # no closing code yet
    RETRY = "retry"  # the server was busy or away; certainly not taken
    IN_DOUBT = "in_doubt"  # it may have been taken
    CORRECTABLE = "correctable"  # refused for its data
    FINAL = "final"  # refused for good
    GIVEN_UP = "given_up"  # held for longer than its window
    WITHDRAWN = "withdrawn"  # not taken yet, and the HIS or the rules no longer give it


class Cause(StrEnum):
    """What moves a claim from one state to another."""

    FOUND = "found"
    CHANGED = "changed"
    GONE = "gone"
    INTENT = "intent"
    UNSENT = "unsent"
    ANSWERED = "answered"
    RUN_DIED = "run_died"
    STATUS = "status"
    WINDOW_OVER = "window_over"
    PERSON = "person"


CAUSES = {
    Cause.FOUND: Message("พบใน HIS หรือไฟล์ Excel", "the HIS or a workbook, and the rules, give it"),
    Cause.CHANGED: Message("ข้อมูลใน HIS หรือไฟล์ Excel เปลี่ยน", "its data has changed in the HIS or a workbook"),
    Cause.GONE: Message("ไม่มีใน HIS แล้ว", "the HIS or the rules no longer give it"),
    Cause.INTENT: Message("กำลังจะส่ง", "a run is about to send it"),
    Cause.UNSENT: Message("หยุดก่อนส่ง", "the run stopped before its first byte went out"),
    Cause.ANSWERED: Message("ได้คำตอบหรือหมดเวลารอ", "it was answered, or no answer came"),
    Cause.RUN_DIED: Message("การทำงานหยุดกลางคัน", "the run that was sending it died"),
    Cause.STATUS: Message("สถานะธุรกรรมยืนยัน", "its transaction's status proves it"),
    Cause.WINDOW_OVER: Message("พ้นกำหนดรอปิดสิทธิ", "no closing code came within the window"),
    Cause.PERSON: Message("เจ้าหน้าที่ตัดสิน", "a person says so"),
}

# What a run sends by itself. A SENDING row whose lease has run out belongs to a run that died: it is in doubt.
DUE = (State.READY, State.HELD, State.RETRY, State.IN_DOUBT)
# What "only failed" sends: what went out before and did not come through, corrections that a person asks for among it.
FAILED = (State.HELD, State.RETRY, State.IN_DOUBT, State.CORRECTABLE, State.GIVEN_UP)
# Nothing the HIS says afterwards changes these: they are never sent again.
SETTLED = (State.ACCEPTED, State.PRESUMED_ACCEPTED, State.FINAL)
ACCEPTED_STATES = (State.ACCEPTED, State.PRESUMED_ACCEPTED)
# What the HIS may still take back, because it was certainly not taken.
NOT_ACCEPTED_STATES = (State.READY, State.HELD, State.RETRY, State.CORRECTABLE, State.GIVEN_UP)
# What counts in a person's history: taken, perhaps taken, or about to go.
STANDING = (*ACCEPTED_STATES, State.SENDING, *DUE)
# What a person should look at.
FOR_A_PERSON = (State.PRESUMED_ACCEPTED, State.CORRECTABLE, State.FINAL, State.HELD, State.GIVEN_UP)
# Where an answer, or none, can leave a claim.
ANSWERS = (*ACCEPTED_STATES, State.HELD, State.CORRECTABLE, State.FINAL, State.RETRY, State.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Transitions:
    """What one cause may do: from any of these states to any of those. A claim that is new comes from None."""

    cause: Cause
    before: tuple[State | None, ...]
    after: tuple[State, ...]


MACHINE = (
    Transitions(Cause.FOUND, (None, State.WITHDRAWN), (State.READY,)),
    Transitions(Cause.CHANGED, (State.CORRECTABLE,), (State.READY,)),
    Transitions(Cause.GONE, NOT_ACCEPTED_STATES, (State.WITHDRAWN,)),
    Transitions(Cause.INTENT, (*DUE, State.CORRECTABLE, State.GIVEN_UP), (State.SENDING,)),
    Transitions(Cause.UNSENT, (State.SENDING,), (*DUE, State.CORRECTABLE, State.GIVEN_UP)),
    # From in doubt as well: the answer to a run that was silent for longer than its lease still counts.
    Transitions(Cause.ANSWERED, (State.SENDING, State.IN_DOUBT), ANSWERS),
    Transitions(Cause.RUN_DIED, (State.SENDING,), (State.IN_DOUBT,)),
    Transitions(Cause.STATUS, (State.PRESUMED_ACCEPTED,), (State.ACCEPTED,)),
    Transitions(Cause.WINDOW_OVER, (State.HELD,), (State.GIVEN_UP,)),
    Transitions(Cause.PERSON, (State.PRESUMED_ACCEPTED,), (State.ACCEPTED, State.FINAL, State.READY)),
    Transitions(Cause.PERSON, (State.CORRECTABLE, State.GIVEN_UP), (State.READY,)),
)


class IllegalTransition(Exception):
    """A change of state that the machine does not know: a bug of the program, never of the data."""


def arrows() -> Iterator[tuple[State | None, State, Cause]]:
    """Every transition there is, with what causes it."""
    for some in MACHINE:
        for before in some.before:
            for after in some.after:
                if before != after:
                    yield before, after, some.cause


_ARROWS = frozenset(arrows())


def check(cause: Cause, before: State | None, after: State) -> None:
    """Refuse a transition that is not in the machine; to stay is none.

    Raises:
        IllegalTransition: There is no such transition, or another cause makes it.
    """
    if before != after and (before, after, cause) not in _ARROWS:
        raise IllegalTransition(f"{before or 'nothing'} -> {after} ({cause})")

"""The states of a claim, and what the next run does with each."""

from enum import StrEnum


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
    WITHDRAWN = "withdrawn"  # not taken yet, and the HIS or the rules no longer give it


# What a run sends by itself. A SENDING row whose lease has run out belongs to a run that died: it is in doubt.
DUE = (State.READY, State.HELD, State.RETRY, State.IN_DOUBT)
# What "only failed" sends: what went out before and did not come through, corrections that a person asks for among it.
FAILED = (State.HELD, State.RETRY, State.IN_DOUBT, State.CORRECTABLE)
# Nothing the HIS says afterwards changes these: they are never sent again.
SETTLED = (State.ACCEPTED, State.PRESUMED_ACCEPTED, State.FINAL)
# What the HIS may still take back, because it was certainly not taken.
UNTAKEN = (State.READY, State.HELD, State.RETRY, State.CORRECTABLE)
# What counts in a person's history: taken, perhaps taken, or about to go.
STANDING = (
    State.ACCEPTED,
    State.PRESUMED_ACCEPTED,
    State.SENDING,
    State.IN_DOUBT,
    State.READY,
    State.HELD,
    State.RETRY,
)
# What a person should look at.
FOR_A_PERSON = (State.PRESUMED_ACCEPTED, State.CORRECTABLE, State.FINAL, State.HELD)

"""The meaning of an answer of MOPH Claim; what it means for a claim is decided nowhere else.

The table is `codes/outcomes.csv` (from the reference: the ministry's manuals and programs in the field), `load.envelope`
reads what an answer says, and this module finds its row. Two things are believed only of an answer that leaves no doubt:
that a claim was accepted, and that its record is at fault.
"""

import csv
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files

from core.messages import Message
from core.text import one_line
from load.envelope import Envelope, Form, Scalar, is_success, parsed_object, read_envelope

MESSAGE_LIMIT = 500
# Statuses that may blame a record.
_BLAMING = (400, 422)
# Statuses that may come with an acceptance: other successes say that there is no answer, a part of one, or several.
_ACCEPTING = (200, 201, 202)


class Outcome(StrEnum):
    """What an answer means for the claim."""

    ACCEPTED = "accepted"
    HELD = "held"
    CORRECTABLE = "correctable"
    FINAL = "final"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a meaning, not a secret
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the table: the meaning of a case, or of a status, a form and a message.

    Args:
        case: The name of a case that no status tells, such as that no answer came; empty in other rows.
        status: Statuses (`400 422`), classes of them (`4xx`), or `other` for all; empty in rows of a case.
        form: The form that the answer must have; empty for any.
        pattern: Text in the message, case-folded; empty for any.
        outcome: What it means.
        already_claimed: The service is refused as claimed before; for a claim in doubt that means that it was accepted.
        possibly_accepted: It is unknown whether the claim was accepted.
        meaning: What happened.
        advice: What to do.
        source: Where it is documented.
    """

    case: str
    status: str
    form: str
    pattern: str
    outcome: Outcome
    already_claimed: bool
    possibly_accepted: bool
    meaning: Message
    advice: Message
    source: str

    def fits(self, status: int, form: Form, text: str) -> bool:
        """Whether an answer of this status and form, with this case-folded text, is meant."""
        named = self.status.split()
        of_status = str(status) in named or f"{status // 100}xx" in named or "other" in named
        of_form = self.form in ("", form) or (self.form, form) == ("own", "fields")
        return of_status and of_form and self.pattern in text


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its meaning.

    Args:
        outcome: What it means for the claim.
        meaning: The row of the table.
        message: The server's message, plain text of at most 500 characters; may be empty; never shown by `repr`.
        transaction_uid: The server's number for the claim it accepted.
        data: `pid`, `status` and `status_th` of the envelope's `data`, unchanged, where they are text or numbers; never shown by `repr`.
        status: The status that counted; 0 where there was none.
    """

    outcome: Outcome
    meaning: Meaning
    message: str = field(default="", repr=False)
    transaction_uid: str | None = None
    data: dict[str, Scalar] = field(default_factory=dict, repr=False)
    status: int = 0


@cache
def meanings() -> tuple[Meaning, ...]:
    """The table in its order: the first row that fits counts."""
    table = (files("load") / "codes" / "outcomes.csv").read_text(encoding="utf-8")
    return tuple(
        Meaning(
            case=row["case"],
            status=row["status"],
            form=row["form"],
            pattern=row["message"],
            outcome=Outcome(row["outcome"]),
            already_claimed=row["already_claimed"] == "yes",
            possibly_accepted=row["possibly_accepted"] == "yes",
            meaning=Message(row["meaning_th"], row["meaning_en"]),
            advice=Message(row["advice_th"], row["advice_en"]),
            source=row["source"],
        )
        for row in csv.DictReader(table.splitlines())
    )


def advice_for(meaning_en: str) -> Message | None:
    """The advice for a meaning, found by its English text as the ledger keeps it; None for an unknown one."""
    for meaning in meanings():
        if meaning.meaning.en == meaning_en:
            return meaning.advice
    return None


def _case(name: str) -> Meaning:
    return next(meaning for meaning in meanings() if meaning.case == name)


_PATTERNS = tuple(meaning.pattern for meaning in meanings() if meaning.pattern)
ACCEPTED = _case("accepted")
UNREADABLE = _case("unreadable")
CONTRADICTORY = _case("contradictory")
NUMBER_GIVEN_TWICE = _case("number_given_twice")
TOO_LARGE = _case("too_large")
NOT_UNDERSTOOD = _case("not_understood")
NO_ANSWER = _case("no_answer")
NOT_SENT = _case("not_sent")
SOURCE_CHANGED = _case("source_changed")
NOT_TAKEN = _case("not_taken")


def interpret(http_status: int, body: str, *, expects_uid: bool = True) -> Answer:
    """Find the meaning of an answer; raises nothing, whatever the answer is.

    Args:
        http_status: The status of the HTTP answer.
        body: Its text: the envelope, or HTML or plain text of a gateway.
        expects_uid: A success without a transaction number is not an acceptance; true for a submission.
    """
    found = read_envelope(parsed_object(body))
    if found is None:
        message = "" if body.lstrip().startswith("<") else one_line(body[: 2 * MESSAGE_LIMIT])[:200]
        meaning = UNREADABLE if is_success(http_status) else _find(http_status, "other", message)
        return Answer(meaning.outcome, meaning, message, status=http_status)
    status, meaning = _judge(http_status, found, expects_uid)
    return Answer(
        meaning.outcome,
        meaning,
        found.message[:MESSAGE_LIMIT],
        found.transaction_uid if meaning.outcome not in (Outcome.IN_DOUBT, Outcome.RETRY) else None,
        found.data,
        status,
    )


def _judge(http_status: int, found: Envelope, expects_uid: bool) -> tuple[int, Meaning]:
    """The status that counts, and the meaning."""
    stated = found.status
    successes = {is_success(status) for status in (http_status, stated) if status is not None}
    if successes == {True}:
        if found.denies or (expects_uid and found.denies_in_data) or _holds_known_words(found.words):
            return http_status, CONTRADICTORY
        whole = http_status in _ACCEPTING and (stated is None or stated in _ACCEPTING)
        has_number = found.transaction_uid is not None or not expects_uid
        return http_status, ACCEPTED if whole and has_number else UNREADABLE
    if successes == {True, False}:
        # A refusal in an answer that HTTP calls a success is believed for words that are known.
        refusal = None if found.affirms or found.names_transaction else _known_refusal(stated, found)
        return (stated or 0, refusal) if refusal and is_success(http_status) else (http_status, CONTRADICTORY)
    if found.affirms or (found.names_transaction and not _holds_known_words(found.message)):
        return http_status, CONTRADICTORY
    if stated is None or stated == http_status:
        return http_status, _find(http_status, _form(found), found.message)
    if stated in _BLAMING and http_status not in _BLAMING:
        # Two statuses that differ: the record is blamed only by words that are known.
        refusal = _known_refusal(stated, found)
        return (stated, refusal) if refusal else (http_status, _find(http_status, "other", found.message))
    return stated, _find(stated, _form(found), found.message)


def _form(found: Envelope) -> Form:
    """The form of an answer; one that lacks a status is MOPH Claim's own if its words are."""
    return "own" if found.form == "unclear" and _holds_known_words(found.message) else found.form


def _holds_known_words(text: str) -> bool:
    """Whether a text holds the words of any refusal in the table."""
    text = text.casefold()
    return any(pattern in text for pattern in _PATTERNS)


def _known_refusal(stated: int | None, found: Envelope) -> Meaning | None:
    """The row for the status that an answer states, if the row is one for certain words."""
    meaning = _find(stated or 0, _form(found), found.message)
    return meaning if meaning.pattern else None


def _find(status: int, form: Form, message: str) -> Meaning:
    text = message.casefold()
    return next(m for m in meanings() if m.status and m.fits(status, form, text))

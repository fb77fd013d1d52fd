"""The meaning of an answer of MOPH Claim; what it means for a claim is decided nowhere else.

The table is `codes/outcomes.csv` (from the reference: the ministry's manuals and programs in the field). This module
reads the answer's envelope and finds its row.
"""

import csv
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from core.messages import Message
from core.text import one_line


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
    """One row of the table: the meaning of a status and a message.

    Args:
        status: The effective status; 0 where there was no answer.
        pattern: Text in the message, case-folded; empty for any.
        outcome: What it means.
        already_claimed: The service is refused as claimed before; for a claim in doubt that means that it was accepted.
        possibly_accepted: It is unknown whether the claim was accepted.
        meaning: What happened.
        advice: What to do.
        source: Where it is documented.
    """

    status: int
    pattern: str
    outcome: Outcome
    already_claimed: bool
    possibly_accepted: bool
    meaning: Message
    advice: Message
    source: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its meaning.

    Args:
        outcome: What it means for the claim.
        meaning: The row of the table.
        message: The server's message, at most 500 characters; may be empty; never shown by `repr`.
        transaction_uid: The server's number for the claim it accepted.
        data: The envelope's `data`, unchanged; never shown by `repr`.
    """

    outcome: Outcome
    meaning: Meaning
    message: str = field(default="", repr=False)
    transaction_uid: str | None = None
    data: dict[str, Any] = field(default_factory=dict, repr=False)


@cache
def meanings() -> tuple[Meaning, ...]:
    """The table in its order: the first row that matches counts."""
    table = (files("load") / "codes" / "outcomes.csv").read_text(encoding="utf-8")
    return tuple(
        Meaning(
            status=int(row["status"]),
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
    for meaning in (*meanings(), NO_ANSWER, UNREADABLE, NOT_SENT, REDIRECTED):
        if meaning.meaning.en == meaning_en:
            return meaning.advice
    return None


_ASK_AGAIN = Message(
    "ระบบจะสอบถามและส่งใหม่เองในรอบถัดไป",
    "The next run asks, and sends it once more by itself.",
)
NO_ANSWER = Meaning(
    0,
    "",
    Outcome.IN_DOUBT,
    False,
    True,
    Message("ส่งแล้วแต่ไม่ได้รับคำตอบ ไม่ทราบว่ารับรายการแล้วหรือไม่", "sent, but no answer came; whether it was taken is unknown"),
    _ASK_AGAIN,
    "reference",
)
UNREADABLE = Meaning(
    200,
    "",
    Outcome.IN_DOUBT,
    False,
    True,
    Message("คำตอบอ่านไม่ได้หรือไม่มีเลขที่ธุรกรรม", "the answer cannot be read, or holds no transaction number"),
    _ASK_AGAIN,
    "reference",
)
NOT_SENT = Meaning(
    0,
    "",
    Outcome.RETRY,
    False,
    False,
    Message("ติดต่อ MOPH Claim ไม่ได้ ยังไม่ได้ส่ง", "MOPH Claim could not be reached; nothing was sent"),
    Message("ตรวจสอบเครือข่าย ระบบจะส่งใหม่เอง", "Check the network; it is sent again by itself."),
    "reference",
)
REDIRECTED = Meaning(
    300,
    "",
    Outcome.STOP,
    False,
    False,
    Message("ที่อยู่ที่ตั้งไว้ถูกส่งต่อไปที่อื่น", "the address configured points elsewhere"),
    Message(
        "ตรวจสอบการตั้งค่า api.api_url และ api.environment แล้วสั่งใหม่",
        "Check the settings api.api_url and api.environment, then start again.",
    ),
    "as 404",
)


def interpret(http_status: int, body: str, *, expects_uid: bool = True) -> Answer:
    """Find the meaning of an answer.

    Args:
        http_status: The status of the HTTP answer.
        body: Its text: the envelope, or HTML or plain text of a gateway.
        expects_uid: A success without a transaction number is not an acceptance; true for a submission.

    Returns:
        The answer. `status` (or `code`) in the envelope, as number or text, takes precedence over the HTTP status.
    """
    envelope = parsed_object(body)
    status = _effective_status(http_status, envelope)
    message = _message(envelope, body)
    data = envelope.get("data") if envelope else None
    data = data if isinstance(data, dict) else {}
    # Cut to its column's length: an acceptance must be recorded whatever the number looks like.
    uid = one_line(data.get("transaction_uid") or "")[:64] or None
    if 200 <= status < 300:
        if envelope is None or (expects_uid and uid is None):
            return Answer(Outcome.IN_DOUBT, UNREADABLE, message, None, data)
        return Answer(Outcome.ACCEPTED, meanings()[0], message, uid, data)
    meaning = _find_meaning(status, message)
    return Answer(meaning.outcome, meaning, message, uid, data)


def _find_meaning(status: int, message: str) -> Meaning:
    text = " ".join(message.casefold().split())
    for meaning in meanings():
        if meaning.status == status and meaning.pattern in text:
            return meaning
    if 300 <= status < 400:
        return REDIRECTED
    # The reference names no other status. A client error is about this payload, a server error about the server.
    return _find_meaning(500 if status >= 500 or status < 200 else 400, message)


def parsed_object(body: str) -> dict[str, Any] | None:
    """The JSON object that a server's text is; None for anything else."""
    try:
        parsed = json.loads(body, object_pairs_hook=_without_twins, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # ValueError also of numbers of thousands of digits; the other of deep nesting
        return None
    return parsed if isinstance(parsed, dict) else None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice, and it is unknown which of them counts")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _effective_status(http_status: int, envelope: dict[str, Any] | None) -> int:
    for key in ("status", "code"):
        status = str((envelope or {}).get(key)).strip()
        if re.fullmatch("[1-9][0-9]{2}", status):
            return int(status)
    return http_status


def _message(envelope: dict[str, Any] | None, body: str) -> str:
    if envelope is None:
        return "" if body.lstrip().startswith("<") else one_line(body)[:200]
    messages = [one_line(envelope[key]) for key in ("message", "Message", "message_th") if envelope.get(key)]
    # The Thai message often says more, such as which field is wrong.
    return " · ".join(dict.fromkeys(messages))[:500]

"""What an answer of MOPH Claim says, as it stands in its JSON: status, words, transaction number, data.

Servers and gateways write what they like: nothing here raises, and what is kept of an answer is small.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from core.text import one_line

Form = Literal["own", "fields", "unclear", "other"]
Scalar = str | int | float

NUMBER_LENGTH = 64
"""A transaction number is at most as long as its column."""
_KEPT = 200
_FAULTS = 20
_STATUS = re.compile(r"\s{0,9}([1-9][0-9]{2})\s{0,9}")
_STATUS_KEYS = ("status", "code", "statusCode")
_LONGEST = 2_000
_MESSAGE_KEYS = ("message", "Message", "message_th")
# Where other programs put theirs: not shown to anybody, but a "no" there speaks against an acceptance.
_OTHER_MESSAGE_KEYS = ("msg", "detail", "details", "description", "reason", "result", "error_message", "errorMessage")
_DATA_KEYS = ("pid", "status", "status_th")
_FLAGS = ("success", "ok", "isSuccess", "is_success")
_YES = frozenset(
    [
        "success",
        "successful",
        "succeeded",
        "ok",
        "okay",
        "true",
        "yes",
        "accepted",
        "approved",
        "created",
        "done",
        "complete",
        "completed",
        "สำเร็จ",
    ]
)
_NO = re.compile(
    r"\b(fail(ed|s|ure)?|unsuccessful|error|reject(ed|s)?|denied|refused|invalid|unable|cannot|expired?|duplicate|false)\b"
    r"|not success|ไม่สำเร็จ|ไม่ผ่าน|ไม่ถูกต้อง|ผิดพลาด|ปฏิเสธ|ล้มเหลว|ไม่สามารถ",
    re.IGNORECASE,
)
# What programs write where they have no number.
_NO_NUMBER = frozenset(["null", "none", "nil", "undefined", "nan", "n/a", "0", "false", "true"])


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a JSON object says.

    Args:
        status: Its status, as one for HTTP; None where it has none.
        affirms: Something in it, besides its status, says that the call succeeded.
        denies: Something in it, besides its status, says that the call failed.
        denies_in_data: Something in `data` says so.
        form: `own`: MOPH Claim's; `fields`: MOPH Claim's, naming faulty fields; `unclear`: a message alone; `other`:
            a proxy's or a gateway's.
        message: Its messages, plain text on one line; never shown by `repr`.
        words: All its texts, wherever they are; never shown by `repr`.
        transaction_uid: The transaction number; None if there is none, or it is not plain text or a number that fits.
        names_transaction: Whether it holds anything as transaction number.
        data: Of the values in `data`, those this program uses, where they are text or numbers; never shown by `repr`.
    """

    status: int | None
    affirms: bool
    denies: bool
    denies_in_data: bool
    form: Form
    message: str = field(repr=False)
    words: str = field(repr=False)
    transaction_uid: str | None
    names_transaction: bool
    data: dict[str, Scalar] = field(repr=False)


def is_success(status: int) -> bool:
    """Whether a status says yes."""
    return 200 <= status < 300


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


def read_envelope(parsed: dict[str, Any] | None) -> Envelope | None:
    """What a parsed answer says; None where it is no JSON object."""
    if parsed is None:
        return None
    data, error = _object(parsed, "data"), _object(parsed, "error")
    texts, error_texts = _texts(parsed), _texts(error)
    stated, faults = _stated(parsed), _faulty_fields(error)
    statuses = [status for key in _STATUS_KEYS if (status := _status(parsed.get(key)))]
    contradicts = len({is_success(status) for status in statuses}) == 2
    # The Thai message often says more, such as which field is wrong.
    message = " · ".join(dict.fromkeys([*texts, *error_texts, *faults]))
    number = data.get("transaction_uid")
    return Envelope(
        status=statuses[0] if statuses else None,
        affirms=any(map(_is_yes, stated)) or any(map(_is_yes, texts)),
        denies=contradicts or _denies(parsed, stated),
        denies_in_data=_denies(data, _stated(data)) or not is_success(_status(data.get("status")) or 200),
        form=_form(parsed, bool(texts), bool(statuses), bool(faults)),
        message=message,
        words=" · ".join(_all_texts(parsed)),
        transaction_uid=_transaction_number(number),
        names_transaction=bool(number),
        data={
            key: value[:_LONGEST] if isinstance(value, str) else value
            for key in _DATA_KEYS
            if isinstance(value := data.get(key), str | int | float)
        },
    )


def _object(parsed: dict[str, Any], key: str) -> dict[str, Any]:
    value = parsed.get(key)
    return value if isinstance(value, dict) else {}


def _status(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 100 <= value <= 999 else None
    found = _STATUS.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _text(value: object) -> str:
    return value[:_KEPT] if isinstance(value, str) else ""


def _texts(part: dict[str, Any]) -> list[str]:
    texts = [one_line(part[key][:_LONGEST]) for key in _MESSAGE_KEYS if isinstance(part.get(key), str)]
    return [text for text in texts if text]


def _all_texts(value: object) -> Iterator[str]:
    """Every text within a value, at any depth."""
    values = [value]
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield one_line(value[:_LONGEST])
        elif isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value


def _stated(part: dict[str, Any]) -> list[object]:
    """What stands where a yes or a no may stand: the status, `code` where there is none, and flags."""
    if not part:
        return []
    status = part.get("status")
    stated = [part.get("code") if status is None else status, *(part[flag] for flag in _FLAGS if flag in part)]
    return [said for said in stated if said is not None and _status(said) is None]


def _denies(part: dict[str, Any], stated: list[object]) -> bool:
    """Whether an error, a message, a status in words or a flag says no; what stands for a flag and says neither is no yes."""
    if part.get("error") or part.get("errors") or not all(map(_is_yes, stated)):
        return True
    messages = [part[key] for key in (*_MESSAGE_KEYS, *_OTHER_MESSAGE_KEYS) if key in part]
    return any(map(_NO.search, _all_texts(messages))) or any(message is False for message in messages)


def _is_yes(said: object) -> bool:
    return said is True or (isinstance(said, str) and said[:_KEPT].strip().casefold() in _YES)


def _faulty_fields(error: dict[str, Any]) -> list[str]:
    """The faulty fields that an `error` names: `{"message": [{"field": …, "message": …}]}`."""
    faults = error.get("message")
    return [
        one_line(f"{fault['field'][:_KEPT]}: {_text(fault.get('message'))}").rstrip(": ")
        for fault in (faults[:_FAULTS] if isinstance(faults, list) else ())
        if isinstance(fault, dict) and isinstance(fault.get("field"), str)
    ]


def _form(parsed: dict[str, Any], has_text: bool, has_status: bool, names_fields: bool) -> Form:
    error = parsed.get("error")
    if isinstance(error, dict) and "statusCode" in error:
        return "other"
    if names_fields:
        return "fields"
    if not has_text:
        return "other"
    if isinstance(parsed.get("message_th"), str):
        return "own"
    # Frameworks and gateways name the error beside their message, or give no status.
    if isinstance(error, str):
        return "other"
    return "own" if has_status and "statusCode" not in parsed else "unclear"


def _transaction_number(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return str(value) if 0 < value < 10**NUMBER_LENGTH else None
    number = value.strip()
    # U+FFFD stands for bytes that are no text: another number may look the same.
    plain = number.isprintable() and number == one_line(number) and "\ufffd" not in number
    is_number = any(map(str.isalnum, number)) and number.casefold() not in _NO_NUMBER
    return number if 0 < len(number) <= NUMBER_LENGTH and plain and is_number else None

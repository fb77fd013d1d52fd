"""The hash chain of a run's submissions, whose end is sealed as the run ends (`load.seals`): each carries a hash of its content and of the submission before it.

Whoever changes, removes or inserts a row afterwards would have to rewrite every later row of that run, and the end of the
chain: that is recorded in the run's row when the run ends (or when the next run takes over, if it died).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# The content of a submission in the order in which it is hashed: all its columns but the hash itself and the id. The hash
# of its texts takes their place, so that they can be erased; rows of before `text_hash` was there are hashed with them.
CONTENT = (
    "run_id",
    "number",
    "previous_hash",
    "claim_id",
    "chunk",
    "attempt",
    "call",
    "path",
    "sent_at",
    "answered_at",
    "duration_ms",
    "payload_hash",
    "request",
    "http_status",
    "response",
    "failure",
    "outcome",
    "message",
    "transaction_uid",
)
TEXTS = ("request", "response", "message")


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The end of a run's chain: how many submissions there are, and the hash of the last."""

    number: int
    hash: str


def beginning(run_id: str) -> ChainEnd:
    """The end of a chain without submissions: its hash is the run's own, so that chains cannot be exchanged."""
    return ChainEnd(0, hashlib.sha256(run_id.encode()).hexdigest())


def link(row: Mapping[str, Any]) -> str:
    """The hash of a submission: SHA-256 over its content as a JSON list, times in UTC.

    Args:
        row: A value for each of `CONTENT`; and for `text_hash`, which stands for the texts.
    """
    texts_hash = row.get("text_hash")
    names = (name for name in CONTENT if not texts_hash or name not in TEXTS)
    content = [_plain(row[name]) for name in names] + ([texts_hash] if texts_hash else [])
    return hashlib.sha256(_json(content)).hexdigest()


def text_hash(*texts: str | None) -> str:
    """The SHA-256 of texts that may be erased: of request, response and message of a submission."""
    return hashlib.sha256(_json(texts)).hexdigest()


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, str) else value

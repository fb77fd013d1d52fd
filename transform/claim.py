"""The results of transform: claims ready to send, and issues that say why a record is not a claim."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from core.messages import Message

Kind = Literal["dm", "ht", "epi", "dt"]
Service = Literal["dmht", "epi", "dt"]
Severity = Literal["error", "warning"]

KINDS: tuple[Kind, ...] = ("dm", "ht", "epi", "dt")
SERVICES: Mapping[Kind, Service] = {"dm": "dmht", "ht": "dmht", "epi": "epi", "dt": "dt"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One payload, ready to send.

    Args:
        hcode: The facility, 5 digits.
        kind: dm, ht, epi or dt.
        vn: The visit number, text.
        item: The vaccine code; empty for dm and ht.
        hn: The patient's number at the facility, text.
        pid: The 13-digit identity number; never shown by `repr`.
        service: The API's service: dmht, epi or dt.
        service_date: The calendar day of the service in Bangkok.
        baht: The amount the fund pays.
        payload: The canonical JSON body in UTF-8; never shown by `repr`.
        payload_hash: SHA-256 of the payload, 64 hex digits.
    """

    hcode: str
    kind: Kind
    vn: str
    item: str
    hn: str = field(repr=False)
    pid: str = field(repr=False)
    service: Service
    service_date: date
    baht: int
    payload: bytes = field(repr=False)
    payload_hash: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The claim's key: (hcode, kind, vn, item)."""
        return (self.hcode, self.kind, self.vn, self.item)


@dataclass(frozen=True, slots=True)
class Issue:
    """Why a record does not become a claim (error), or what to check in one that does (warning).

    Args:
        hcode: The facility, 5 digits.
        kind: dm, ht, epi or dt.
        vn: The visit number, text.
        hn: The patient's number at the facility, text.
        item: The vaccine code; empty for dm and ht, and for a vaccine without a code.
        service_date: The calendar day of the visit, or None if unknown.
        rule: The code of the rule in the registry.
        severity: error blocks the claim, warning does not.
        message: What is wrong and what to do; may hold a lab text or a date, never an identity number or a name.
        column: The contract column concerned, as table.column.
    """

    hcode: str
    kind: Kind
    vn: str
    hn: str = field(repr=False)
    item: str
    service_date: date | None
    rule: str
    severity: Severity
    message: Message = field(repr=False)
    column: str


@dataclass(frozen=True, slots=True)
class Transformed:
    """The result of one service day.

    Args:
        claims: Claims ready to send, ordered by key.
        issues: Errors and warnings, ordered by kind, visit, item and rule.
        counts: Other counts, such as "claimed by the HIS".
        claimed_by_his: What the HIS has claimed itself: kind, vn, item, and its transaction number, of the dose if it has
            one, else of the visit.
        set_aside: Held claims of the history in whose place a claim of this day goes: kind, vn and item of each, and of that
            claim. Only those that would stand against it.
    """

    claims: tuple[Claim, ...] = ()
    issues: tuple[Issue, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    claimed_by_his: tuple[tuple[Kind, str, str, str], ...] = ()
    set_aside: tuple[tuple[tuple[Kind, str, str], tuple[Kind, str, str]], ...] = ()


def payload_hash(payload: bytes) -> str:
    """SHA-256 of a payload as 64 hex digits."""
    return hashlib.sha256(payload).hexdigest()

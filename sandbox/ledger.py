"""The claims that MOPH Claim has accepted, and why it refuses further ones (moph-claim-api.md §5 and §6)."""

import hashlib
import json
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sandbox.clock import fiscal_year, months_later, now

Key = tuple[str, str, str, str]

DM_MONTHS_APART = 3
DM_PER_FISCAL_YEAR = 2


@dataclass(frozen=True, slots=True)
class AcceptedClaim:
    """One accepted claim.

    `item` is the vaccine code, empty for dm and ht; `taken_at` is Bangkok time, ISO 8601.
    """

    hcode: str
    kind: str
    seq: str
    item: str
    pid: str
    visit_date_time: str
    transaction_uid: str
    sha256: str
    taken_at: str

    @property
    def key(self) -> Key:
        """hcode, kind, seq, item: what identifies a claim."""
        return self.hcode, self.kind, self.seq, self.item

    @property
    def day(self) -> date:
        """Day of the visit."""
        return date.fromisoformat(self.visit_date_time[:10])


class Ledger:
    """The accepted claims, in memory; with a path also in a journal of JSON lines, which survives a kill."""

    def __init__(self, journal: Path | None = None) -> None:
        self.accepted: list[AcceptedClaim] = []
        self.received: Counter[Key] = Counter()
        self._of_person: dict[tuple[str, str, str], list[AcceptedClaim]] = {}
        self._of_uid: dict[str, AcceptedClaim] = {}
        # Unbuffered: once write() has returned the kernel has the line, even if the process is killed.
        self._journal = journal.open("ab", buffering=0) if journal is not None else None
        if journal is not None and self._journal is not None:
            lines = journal.read_bytes()
            whole = lines.rfind(b"\n") + 1  # the last line may be incomplete if the process was killed
            self._journal.truncate(whole)
            for line in lines[:whole].splitlines():
                self._remember(AcceptedClaim(**json.loads(line)))

    def accept(self, payload: dict[str, Any], kind: str, body: bytes) -> AcceptedClaim:
        """Accept a claim under a new transaction_uid."""
        claim = AcceptedClaim(
            hcode=payload["hcode"],
            kind=kind,
            seq=payload["seq"],
            item=item_of(payload),
            pid=payload["pid"],
            visit_date_time=payload["visit_date_time"],
            transaction_uid=str(uuid.uuid4()),
            sha256=hashlib.sha256(body).hexdigest(),
            taken_at=now().isoformat(timespec="milliseconds"),
        )
        if self._journal is not None:
            self._journal.write(json.dumps(asdict(claim), ensure_ascii=False).encode() + b"\n")
        self._remember(claim)
        return claim

    def _remember(self, claim: AcceptedClaim) -> None:
        self.accepted.append(claim)
        self._of_person.setdefault((claim.pid, claim.kind, claim.item), []).append(claim)
        self._of_uid[claim.transaction_uid] = claim

    def of_person(self, pid: str, kind: str, item: str) -> list[AcceptedClaim]:
        """This person's accepted claims of a kind and item, of all hospitals, in the order they came."""
        return self._of_person.get((pid, kind, item), [])

    def of_uid(self, transaction_uid: str) -> AcceptedClaim | None:
        """The accepted claim of a transaction_uid."""
        return self._of_uid.get(transaction_uid)

    def wipe(self) -> None:
        """Forget everything, the journal too."""
        self.accepted.clear()
        self.received.clear()
        self._of_person.clear()
        self._of_uid.clear()
        if self._journal is not None:
            self._journal.truncate(0)


def item_of(payload: dict[str, Any]) -> str:
    """The vaccine code of a payload, empty for dm and ht."""
    return payload["vaccine"][0]["code"] if "vaccine" in payload else ""


def refusal(before: list[AcceptedClaim], kind: str, day: date, seq: str | None) -> str:
    """Why a claim is refused, given the person's accepted claims; empty if it is not.

    Args:
        before: The person's accepted claims of the same kind and item.
        kind: dm, ht, epi or dt.
        day: Day of the visit.
        seq: The visit; None for an eligibility check, which does not know it.
    """
    if not before:
        return ""
    same_visit = any(claim.seq == seq for claim in before)
    if kind == "dm":
        return _dm_refusal(before, day, same_visit)
    if kind == "ht":
        return "ht patient unable to claim" if same_visit else "patient not new ht"
    return "dt patient unable to claim" if kind == "dt" else "vaccine patient unable to claim"


def _dm_refusal(before: list[AcceptedClaim], day: date, same_visit: bool) -> str:
    if same_visit:
        return "dm patient unable to claim"
    for claim in before:
        earlier, later = min(claim.day, day), max(claim.day, day)
        if later < months_later(earlier, DM_MONTHS_APART):
            return "dm patient received service less than 3 months"
    in_year = sum(fiscal_year(claim.day) == fiscal_year(day) for claim in before)
    return "dm patient unable to claim" if in_year >= DM_PER_FISCAL_YEAR else ""

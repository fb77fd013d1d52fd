"""What MOPH Claim has taken, and why it takes nothing twice (moph-claim-api.md §5 and §6)."""

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
class Taken:
    """One claim MOPH Claim has accepted.

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
        """hcode, kind, seq, item: what makes a claim one claim."""
        return self.hcode, self.kind, self.seq, self.item

    @property
    def day(self) -> date:
        """Day of the visit."""
        return date.fromisoformat(self.visit_date_time[:10])


class Ledger:
    """The accepted claims, in memory and, where a path is given, in a journal of JSON lines that outlives a kill."""

    def __init__(self, journal: Path | None = None) -> None:
        self.taken: list[Taken] = []
        self.received: Counter[Key] = Counter()
        self._of_person: dict[tuple[str, str, str], list[Taken]] = {}
        self._of_uid: dict[str, Taken] = {}
        # Unbuffered: once write() has returned the line is the kernel's, and the process may be killed.
        self._journal = journal.open("ab", buffering=0) if journal is not None else None
        if journal is not None and self._journal is not None:
            lines = journal.read_bytes()
            whole = lines.rfind(b"\n") + 1  # the last line of a killed process may be cut short
            self._journal.truncate(whole)
            for line in lines[:whole].splitlines():
                self._remember(Taken(**json.loads(line)))

    def take(self, payload: dict[str, Any], kind: str, body: bytes) -> Taken:
        """Accept a claim and give it its transaction_uid."""
        taken = Taken(
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
            self._journal.write(json.dumps(asdict(taken), ensure_ascii=False).encode() + b"\n")
        self._remember(taken)
        return taken

    def _remember(self, taken: Taken) -> None:
        self.taken.append(taken)
        self._of_person.setdefault((taken.pid, taken.kind, taken.item), []).append(taken)
        self._of_uid[taken.transaction_uid] = taken

    def of_person(self, pid: str, kind: str, item: str) -> list[Taken]:
        """This person's accepted claims of a kind and item, of all hospitals, in the order they came."""
        return self._of_person.get((pid, kind, item), [])

    def of_uid(self, transaction_uid: str) -> Taken | None:
        """The accepted claim of a transaction_uid."""
        return self._of_uid.get(transaction_uid)

    def wipe(self) -> None:
        """Forget everything, the journal too."""
        self.taken.clear()
        self.received.clear()
        self._of_person.clear()
        self._of_uid.clear()
        if self._journal is not None:
            self._journal.truncate(0)


def item_of(payload: dict[str, Any]) -> str:
    """The vaccine code of a payload, empty for dm and ht."""
    return payload["vaccine"][0]["code"] if "vaccine" in payload else ""


def refusal(before: list[Taken], kind: str, day: date, seq: str | None) -> str:
    """Why a claim of this kind and day is not due, given this person's accepted claims; empty where it is.

    Args:
        before: The person's accepted claims of the same kind and item.
        kind: dm, ht, epi or dt.
        day: Day of the visit.
        seq: The visit; unknown to an eligibility check.
    """
    if not before:
        return ""
    same_visit = any(taken.seq == seq for taken in before)
    if kind == "dm":
        return _dm_refusal(before, day, same_visit)
    if kind == "ht":
        return "ht patient unable to claim" if same_visit else "patient not new ht"
    return "dt patient unable to claim" if kind == "dt" else "vaccine patient unable to claim"


def _dm_refusal(before: list[Taken], day: date, same_visit: bool) -> str:
    if same_visit:
        return "dm patient unable to claim"
    for taken in before:
        earlier, later = min(taken.day, day), max(taken.day, day)
        if later < months_later(earlier, DM_MONTHS_APART):
            return "dm patient received service less than 3 months"
    in_year = sum(fiscal_year(taken.day) == fiscal_year(day) for taken in before)
    return "dm patient unable to claim" if in_year >= DM_PER_FISCAL_YEAR else ""

"""Synthetic hospitals read from extract to claims, as the nightly run does it but for Prefect and the ledger."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pandas as pd

from extract.settings import HisSettings
from extract.source import open_source
from sandbox.his import JHCIS_TRAPS, TRAPS, HisSummary, build_hosxp, build_jhcis
from transform.claim import KINDS, Claim, Issue
from transform.claims import make_claims, wanted

# The last day is 200 days into the fiscal year: every trap has room.
DAYS, HCODE = 3, "10953"
PLAN: dict[str, Any] = {"first_day": date(2026, 9, 14), "days": DAYS, "visits_a_day": 60}
DAY_LIST = [PLAN["first_day"] + timedelta(days=day) for day in range(DAYS)]

BUILD: dict[str, Callable[..., HisSummary]] = {"hosxp": build_hosxp, "jhcis": build_jhcis}
TRAPS_OF: dict[str, Mapping[str, str]] = {"hosxp": TRAPS, "jhcis": JHCIS_TRAPS}


@dataclass
class Reading:
    """What the days of a synthetic hospital gave.

    Args:
        url: The hospital's address.
        hospital: What it holds.
    """

    url: str
    hospital: HisSummary
    claims: list[Claim] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def kinds_of(self, trap: str) -> list[str]:
        """Of each visit of a trap, in order, what is claimed: kind and item, a comma between several claims."""
        found = defaultdict(list)
        for claim in self.claims:
            found[claim.vn].append(f"{claim.kind} {claim.item}".strip())
        return [", ".join(found[vn]) for vn in self.hospital.traps[trap]]

    def payloads_of(self, trap: str) -> list[dict[str, Any]]:
        """The payloads of a trap's claims, in the order of its visits."""
        vns = self.hospital.traps[trap]
        claims = sorted((claim for claim in self.claims if claim.vn in vns), key=lambda claim: vns.index(claim.vn))
        return [json.loads(claim.payload) for claim in claims]

    def rules_of(self, vns: list[str]) -> set[str]:
        """The rules that say something of these visits."""
        return {issue.rule for issue in self.issues if issue.vn in vns}


def read_days(his: str, url: str, hospital: HisSummary, days: list[date] | None = None, **settings: Any) -> Reading:
    """Claims and issues of the days, what was claimed on one counting on the next.

    Args:
        his: hosxp or jhcis.
        url: Its address.
        hospital: What it holds.
        days: Service days; all of the hospital's by default.
        settings: Further settings of the HIS.
    """
    found = Reading(url, hospital)
    with open_source(HisSettings.model_validate({"url": url, "kind": his, **settings})) as source:
        hcode = source.facility().hcode
        for day in days or DAY_LIST:
            sent = [(c.kind, c.pid, c.item, c.vn, c.service_date, False) for c in found.claims]
            history = pd.DataFrame(sent, columns=["kind", "pid", "item", "vn", "service_date", "yields"])
            made = make_claims(source.read_day(day, wanted(KINDS)), kinds=KINDS, hcode=hcode, history=history)
            found.claims += made.claims
            found.issues += made.issues
            found.counts += made.counts
    return found

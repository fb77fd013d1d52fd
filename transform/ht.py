"""ht: creatinine and potassium of a person newly diagnosed with hypertension, once."""

import numpy as np
import pandas as pd

from core.messages import Message
from transform import diagnoses, labs
from transform.dmht import dmht_candidates, dmht_payloads
from transform.rule import NOTHING_TO_DO, Finding, Mask, Rule
from transform.service_day import KindOfClaim, ServiceDay
from transform.sources import GAZETTE

NOT_NEWLY_DIAGNOSED = Rule(
    "ht.not_newly_diagnosed",
    "error",
    "diagnoses.earlier",
    Message(
        "ไม่ใช่ผู้ป่วยความดันโลหิตสูงรายใหม่ เคยได้รับการวินิจฉัย {icd10} เมื่อ {date}",
        "Not newly diagnosed with hypertension: the HIS has {icd10} at an earlier visit ({date}).",
    ),
    NOTHING_TO_DO,
    GAZETTE,
    ("ht",),
)
CLAIMED_BEFORE = Rule(
    "ht.claimed_before",
    "error",
    "visits.visit_date",
    Message(
        "ผู้ป่วยมีเคลมความดันโลหิตสูงรายใหม่แล้ว (วันที่ {date})",
        "The person already has a claim as newly diagnosed with hypertension ({date}).",
    ),
    NOTHING_TO_DO,
    GAZETTE,
    ("ht",),
)
RULES = (NOT_NEWLY_DIAGNOSED, CLAIMED_BEFORE)


def findings(day: ServiceDay, candidates: pd.DataFrame) -> list[Finding]:
    """Apply the rules of ht to the candidates."""
    rows = day.earlier[day.earlier["icd10"].str.startswith(day.codes.prefixes("ht", first_time_only=True))]
    earlier = rows.sort_values(["vn", "dx_date", "icd10"]).drop_duplicates("vn").set_index("vn")
    vn = candidates["vn"]
    known = {name: earlier[column].reindex(vn) for name, column in (("icd10", "icd10"), ("date", "dx_date"))}
    return [
        *diagnoses.findings(day.diagnoses, candidates, "ht", day.codes.prefixes("ht")),
        *labs.findings(candidates, day.codes.labs["ht"], explicit_request=day.explicit_request),
        Finding(NOT_NEWLY_DIAGNOSED, vn.isin(earlier.index).to_numpy(), known),
        _claimed_before(day, candidates),
    ]


def _claimed_before(day: ServiceDay, candidates: pd.DataFrame) -> Finding:
    others = day.other_claims(candidates, "ht").drop_duplicates("row").set_index("row")["service_date"]
    positions = np.arange(len(candidates))
    return Finding(CLAIMED_BEFORE, np.isin(positions, others.index), {"date": others.reindex(positions)})


def against(_day: ServiceDay, others: pd.DataFrame) -> "pd.Series[bool]":
    """Every claim: a person is newly diagnosed once."""
    return pd.Series(True, index=others.index)


def repeated(day: ServiceDay, found: Mask) -> Finding:
    """The finding for a person's later visit of the same day."""
    return Finding(CLAIMED_BEFORE, found, {"date": day.day.isoformat()})


HT = KindOfClaim(
    "ht",
    "labs",
    lambda day: dmht_candidates(day, "ht"),
    findings,
    against,
    repeated,
    lambda day, sendable: dmht_payloads(day, sendable, "ht"),
)

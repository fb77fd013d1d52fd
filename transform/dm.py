"""dm: HbA1c of a person with type 2 diabetes, at most twice a fiscal year and three months apart."""

import numpy as np
import pandas as pd

from core.messages import Message
from transform import diagnoses, labs
from transform.dates import day_column, fiscal_year, nearer_than_months
from transform.dmht import dmht_candidates, dmht_payloads
from transform.rule import NOTHING_TO_DO, Finding, Mask, Rule
from transform.service_day import KindOfClaim, ServiceDay
from transform.sources import GAZETTE

INTERVAL = Rule(
    "dm.interval",
    "error",
    "visits.visit_date",
    Message(
        "ผู้ป่วยมีเคลม HbA1c อีกรายการวันที่ {date} ห่างกันไม่ถึง {months} เดือน",
        "The person has another HbA1c claim on {date}, less than {months} months apart.",
    ),
    NOTHING_TO_DO,
    GAZETTE,
    ("dm",),
)
FISCAL_YEAR = Rule(
    "dm.fiscal_year",
    "error",
    "visits.visit_date",
    Message(
        "ผู้ป่วยมีเคลม HbA1c ครบ {number} ครั้งในปีงบประมาณนี้แล้ว",
        "The person already has {number} HbA1c claims in this fiscal year.",
    ),
    NOTHING_TO_DO,
    GAZETTE,
    ("dm",),
)
RULES = (INTERVAL, FISCAL_YEAR)


def findings(day: ServiceDay, candidates: pd.DataFrame) -> list[Finding]:
    """Apply the rules of dm to the candidates."""
    return [
        *diagnoses.findings(day.diagnoses, candidates, "dm", day.codes.prefixes("dm")),
        *labs.findings(candidates, day.codes.labs["dm"], explicit_request=day.explicit_request),
        *_history(day, candidates),
    ]


def against(day: ServiceDay, others: pd.DataFrame) -> "pd.Series[bool]":
    """The claims that are too near, and those that make up a fiscal year's number."""
    in_year = _in_year(day, others)
    full: pd.Series[bool] = in_year.groupby(others["row"]).transform("sum") >= day.codes.limit("dm_per_fiscal_year")
    return _near(day, others) | (in_year & full)


def _near(day: ServiceDay, others: pd.DataFrame) -> "pd.Series[bool]":
    claimed, months = others["service_date"], day.codes.limit("dm_interval_months")
    return nearer_than_months(claimed, day_column(day.day, claimed.index), months)


def _in_year(day: ServiceDay, others: pd.DataFrame) -> "pd.Series[bool]":
    first, last = (np.datetime64(end, "us") for end in fiscal_year(day.day))
    return others["service_date"].between(first, last)


def _history(day: ServiceDay, candidates: pd.DataFrame) -> list[Finding]:
    months, often = day.codes.limit("dm_interval_months"), day.codes.limit("dm_per_fiscal_year")
    others = day.other_claims(candidates, "dm")
    near = others[_near(day, others)]
    in_year = others.loc[_in_year(day, others), "row"].value_counts()
    positions = np.arange(len(candidates))
    dates = near.drop_duplicates("row", keep="last").set_index("row")["service_date"].reindex(positions)
    return [
        Finding(INTERVAL, np.isin(positions, near["row"]), {"date": dates, "months": str(months)}),
        Finding(FISCAL_YEAR, (in_year.reindex(positions).fillna(0) >= often).to_numpy(), {"number": str(often)}),
    ]


def repeated(day: ServiceDay, found: Mask) -> Finding:
    """The finding for a person's later visit of the same day."""
    months = day.codes.limit("dm_interval_months")
    return Finding(INTERVAL, found, {"date": day.day.isoformat(), "months": str(months)})


DM = KindOfClaim(
    "dm",
    "labs",
    lambda day: dmht_candidates(day, "dm"),
    findings,
    against,
    repeated,
    lambda day, sendable: dmht_payloads(day, sendable, "dm"),
)

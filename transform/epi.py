"""epi: a dose of the national immunisation programme, for all Thai citizens."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from core.messages import Message
from transform import diagnoses
from transform.dose_rules import against, dose_findings, repeated
from transform.doses import doses
from transform.payload import PRENATAL_CODE, EpiPayload, Payload, Prenatal
from transform.rule import Finding, Rule
from transform.service_day import KindOfClaim, ServiceDay
from transform.vaccine import vaccine_fields

ANC = Message("กรุณาตรวจทะเบียนฝากครรภ์ใน HIS", "Check the antenatal record in the HIS.")
SOURCE = "list of claimable vaccines (one program)"

PRENATAL_MISSING = Rule(
    "epi.prenatal_missing",
    "warning",
    "visits.gravida",
    Message(
        "วัคซีน P41 ไม่มีครรภ์ที่หรืออายุครรภ์ จึงส่งโดยไม่มีข้อมูลฝากครรภ์",
        "P41 without the number or the week of the pregnancy: it goes without antenatal data.",
    ),
    ANC,
    SOURCE,
    ("epi",),
)
PRENATAL_WEEKS = Rule(
    "epi.prenatal_weeks",
    "warning",
    "visits.ga_week",
    Message(
        "อายุครรภ์ {week} สัปดาห์ อยู่นอกช่วงของวัคซีนนี้",
        "A gestational age of {week} weeks is outside what the list gives for this vaccine.",
    ),
    ANC,
    SOURCE,
    ("epi",),
)
RULES = (PRENATAL_MISSING, PRENATAL_WEEKS)


def candidates(day: ServiceDay) -> pd.DataFrame:
    """Every dose whose code is listed for EPI, with has_prenatal: P41 with both numbers of the pregnancy."""
    found = doses(day, "epi")
    numbered = _is_count(found["gravida"]) & _is_count(found["ga_week"])
    return found.assign(has_prenatal=(found["item"] == PRENATAL_CODE) & numbered)


def _is_count(text: "pd.Series[Any]") -> "pd.Series[bool]":
    return text.str.fullmatch("0*[1-9][0-9]?").fillna(False).astype(bool)


def findings(day: ServiceDay, found: pd.DataFrame) -> list[Finding]:
    """Apply the rules of EPI to the doses."""
    week = pd.to_numeric(found["ga_week"].where(found["has_prenatal"]))
    outside = (week < found["ga_from"]) | (week > found["ga_to"])
    return [
        *dose_findings(day, found, "epi"),
        Finding(PRENATAL_MISSING, ((found["item"] == PRENATAL_CODE) & ~found["has_prenatal"]).to_numpy()),
        Finding(PRENATAL_WEEKS, outside.to_numpy(), {"week": found["ga_week"]}),
    ]


def payloads(day: ServiceDay, sendable: pd.DataFrame) -> Callable[[Any], Payload]:
    """A function that makes the payload of one of the doses."""
    payload_diagnoses = diagnoses.payload_diagnoses(day.diagnoses, sendable)

    def payload(row: Any) -> Payload:
        fields = vaccine_fields(row, day.hcode, day.settings, payload_diagnoses)
        if row.has_prenatal:
            pregnancy = {"gravida": row.gravida.lstrip("0"), "ga_week": row.ga_week.lstrip("0")}
            fields["prenatal"] = Prenatal.model_validate(pregnancy)
        return EpiPayload.model_validate(fields)

    return payload


EPI = KindOfClaim("epi", "vaccinations", candidates, findings, against, repeated, payloads)

"""dt: the adult dT booster, above an age limit or in pregnancy, for all Thai citizens."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from core.messages import Message
from transform import diagnoses
from transform.dates import age_years
from transform.dose_rules import against, dose_findings, repeated
from transform.doses import doses
from transform.payload import DtPayload, Payload
from transform.rule import Finding, Rule
from transform.service_day import KindOfClaim, ServiceDay
from transform.vaccine import vaccine_fields

TOO_YOUNG = Rule(
    "dt.too_young",
    "error",
    "visits.dob",
    Message(
        "ผู้รับวัคซีน dT อายุ {age} ปี ไม่ถึง {limit} ปี และไม่ใช่การฝากครรภ์ของหญิงอายุ {first}–{last} ปี",
        "The person is {age} years old, under {limit}, and it is not the antenatal visit of a woman of {first} to {last}.",
    ),
    Message(
        "เคลมไม่ได้ หากเป็นหญิงตั้งครรภ์กรุณาบันทึกการฝากครรภ์ใน HIS",
        "It cannot be claimed; for a pregnant woman, record the antenatal visit in the HIS.",
    ),
    "two programs send from age 25, or in pregnancy",
    ("dt",),
    in_workbook=Message(
        "เคลมไม่ได้ หากเป็นหญิงตั้งครรภ์กรุณาใส่ ใช่ ในช่อง ฝากครรภ์ หากเป็นนักเรียนกรุณาเลือกวัคซีน ดีทีนักเรียน แล้วนำเข้าใหม่",
        "It cannot be claimed; for a pregnant woman, put yes into the column Antenatal, for a pupil choose dT school, "
        "and import it again.",
    ),
)
RULES = (TOO_YOUNG,)


def candidates(day: ServiceDay) -> pd.DataFrame:
    """Every dose whose code is listed for dT."""
    return doses(day, "dt")


def findings(day: ServiceDay, found: pd.DataFrame) -> list[Finding]:
    """Apply the rules of dT to the doses."""
    limit = day.codes.limit("dt_age_years")
    age = age_years(found["dob"], found["given"])
    first, last = day.codes.limit("childbearing_age_from"), day.codes.limit("childbearing_age_to")
    pregnant = (found["antenatal"] | found["in_anc"]) & (found["sex"] == "2") & age.between(first, last)
    # A negative age is a wrong date of birth, which other rules refuse.
    young = age.between(0, limit, inclusive="left") & ~pregnant
    values: dict[str, str | pd.Series[Any]] = {"age": age.map("{:.0f}".format).astype("str"), "limit": str(limit)}
    values |= {"first": str(first), "last": str(last)}
    return [*dose_findings(day, found, "dt"), Finding(TOO_YOUNG, young.to_numpy(), values)]


def payloads(day: ServiceDay, sendable: pd.DataFrame) -> Callable[[Any], Payload]:
    """A function that makes the payload of one of the doses."""
    payload_diagnoses = diagnoses.payload_diagnoses(day.diagnoses, sendable)
    return lambda row: DtPayload.model_validate(vaccine_fields(row, day.hcode, day.settings, payload_diagnoses))


DT = KindOfClaim("dt", "vaccinations", candidates, findings, against, repeated, payloads)

"""The rules about a vaccine dose that EPI and dT share."""

import numpy as np
import pandas as pd

from core.messages import Message
from transform import diagnoses
from transform.claim import Kind, Severity
from transform.codes import valid_on
from transform.dates import age_years, day_column, is_buddhist
from transform.rule import NOTHING_TO_DO, Finding, Mask, Rule
from transform.service_day import ServiceDay
from transform.sources import API, DATABASES, GAZETTE, VACCINE_LIST
from transform.text import is_blank, is_unreadable

MEND = Message("กรุณาแก้บันทึกการให้วัคซีนใน HIS", "Mend the vaccination's record in the HIS.")
STAFF = Message("กรุณาแก้ข้อมูลเจ้าหน้าที่ใน HIS", "Mend the staff record in the HIS.")
VACCINES: tuple[Kind, ...] = ("epi", "dt")


def _rule(
    code: str,
    severity: Severity,
    column: str,
    th: str,
    en: str,
    advice: Message = MEND,
    source: str = API,
    in_workbook: Message | None = None,
) -> Rule:
    return Rule(code, severity, column, Message(th, en), advice, source, VACCINES, in_workbook=in_workbook)


CODE_NOT_VALID = _rule(
    "vaccine.code_not_valid",
    "error",
    "vaccinations.vaccine_code",
    "รหัสวัคซีน {code} ใช้เคลมไม่ได้ในวันที่ให้วัคซีน ({date})",
    "The vaccine code {code} cannot be claimed for a dose given on {date}.",
    Message("กรุณาตรวจว่าบันทึกรหัสวัคซีนถูกต้อง", "Check that the right vaccine was recorded."),
    VACCINE_LIST,
)
NOT_CITIZEN = _rule(
    "vaccine.not_thai",
    "error",
    "visits.nation",
    "ผู้รับวัคซีนไม่ใช่สัญชาติไทย (รหัส {nation})",
    "The person is not Thai (nationality {nation}).",
    Message(
        "เคลมวัคซีนได้เฉพาะผู้มีสัญชาติไทย หากบันทึกผิดกรุณาแก้ใน HIS",
        "Vaccines are paid for Thai citizens only; if the record is wrong, mend it in the HIS.",
    ),
    GAZETTE,
    Message(
        "เคลมวัคซีนได้เฉพาะผู้มีสัญชาติไทย หากพิมพ์ผิดกรุณาแก้แล้วนำเข้าใหม่ หากถูกแล้วไม่ต้องดำเนินการ",
        "Vaccines are paid for Thai citizens only; if it is mistyped, mend it and import it again; else nothing needs to be done.",
    ),
)
LOT_MISSING = _rule(
    "vaccine.lot_missing",
    "error",
    "vaccinations.lot_number",
    "ไม่มีเลข Lot ของวัคซีน หรืออ่านไม่ได้",
    "The vaccine's lot number is missing or unreadable.",
)
EXPIRY_MISSING = _rule(
    "vaccine.expiry_missing",
    "error",
    "vaccinations.expiration_date",
    "ไม่มีวันหมดอายุของวัคซีน",
    "The vaccine's expiry date is missing.",
)
EXPIRY_BUDDHIST_YEAR = _rule(
    "vaccine.expiry_buddhist_year",
    "error",
    "vaccinations.expiration_date",
    "วันหมดอายุของวัคซีนบันทึกเป็นปี พ.ศ. ({date})",
    "The vaccine's expiry date is stored in a Buddhist year ({date}).",
)
EXPIRED = _rule(
    "vaccine.expired",
    "error",
    "vaccinations.expiration_date",
    "วัคซีนหมดอายุ ({date}) ก่อนวันที่ให้",
    "The vaccine had expired ({date}) before it was given.",
)
GIVER_MISSING = _rule(
    "vaccine.giver_missing",
    "error",
    "vaccinations.provider_name",
    "ไม่มีชื่อผู้ให้วัคซีน",
    "The name of who gave the vaccine is missing.",
)
GIVER_UNREADABLE = _rule(
    "vaccine.giver_unreadable",
    "error",
    "vaccinations.provider_name",
    "ชื่อผู้ให้วัคซีนเป็นภาษาต่างดาว (ชุดอักขระผิด)",
    "The name of who gave the vaccine is unreadable (wrong character set).",
    STAFF,
)
LICENSE_MISSING = _rule(
    "vaccine.license_missing",
    "error",
    "vaccinations.license_no",
    "ไม่มีเลขที่ใบประกอบวิชาชีพของผู้ให้วัคซีน",
    "The licence number of who gave the vaccine is missing.",
    STAFF,
)
GIVEN_BUDDHIST_YEAR = _rule(
    "vaccine.given_buddhist_year",
    "error",
    "vaccinations.given_date",
    "วันที่ให้วัคซีนบันทึกเป็นปี พ.ศ. ({date})",
    "The day the vaccine was given is stored in a Buddhist year ({date}).",
)
GIVEN_BEFORE_BIRTH = _rule(
    "vaccine.given_before_birth",
    "error",
    "vaccinations.given_date",
    "วันที่ให้วัคซีน ({date}) อยู่ก่อนวันเกิด",
    "The day the vaccine was given ({date}) is before the person's birth.",
    Message("กรุณาตรวจวันที่ให้วัคซีนและวันเกิด", "Check the day of the vaccination and the date of birth."),
    DATABASES,
)
GIVEN_LATER = _rule(
    "vaccine.given_later",
    "error",
    "vaccinations.given_date",
    "วันที่ให้วัคซีน ({date}) อยู่หลังวันที่รับบริการ หรือยังมาไม่ถึง",
    "The day the vaccine was given ({date}) is after the visit's, or still to come.",
    source=DATABASES,
)
GIVEN_LONG_BEFORE = _rule(
    "vaccine.given_long_before",
    "error",
    "vaccinations.given_date",
    "วันที่ให้วัคซีน ({date}) อยู่ก่อนวันที่รับบริการเกิน {days} วัน",
    "The day the vaccine was given ({date}) is more than {days} days before the visit's.",
    source=DATABASES,
)
GIVEN_TIME_MISSING = _rule(
    "vaccine.given_time_missing",
    "error",
    "vaccinations.given_time",
    "วัคซีนให้คนละวันกับการรับบริการ และไม่มีเวลาที่ให้",
    "The vaccine was given on another day than the visit's, and its time is missing.",
)
GIVEN_OTHER_DAY = _rule(
    "vaccine.given_other_day",
    "warning",
    "vaccinations.given_date",
    "วันที่ให้วัคซีน ({date}) ไม่ตรงกับวันที่รับบริการ",
    "The vaccine was given on {date}, not on the day of the visit.",
    Message("กรุณาตรวจวันที่ให้วัคซีนใน HIS", "Check the day of the vaccination in the HIS."),
)
CLAIMED_BEFORE = _rule(
    "vaccine.claimed_before",
    "error",
    "vaccinations.vaccine_code",
    "วัคซีนรหัสนี้ของผู้ป่วยมีเคลมอีกรายการวันที่ {date} ห่างกันไม่ถึง {days} วัน",
    "The person has another claim of this vaccine code on {date}, less than {days} days apart.",
    NOTHING_TO_DO,
    DATABASES,
)
SAME_DAY = _rule(
    "vaccine.same_day",
    "error",
    "vaccinations.vaccine_code",
    "วัคซีนนี้ของผู้ป่วยเคลมจากการรับบริการก่อนหน้าในวันเดียวกันแล้ว",
    "The person's same vaccine is claimed from an earlier visit of this day.",
    NOTHING_TO_DO,
    "refused by the server",
)
OTHER_SEX = _rule(
    "vaccine.other_sex",
    "warning",
    "visits.sex",
    "วัคซีนนี้ไม่ใช่สำหรับเพศของผู้รับตามรายการวัคซีน",
    "By the list this vaccine is not for the person's sex.",
    Message("กรุณาตรวจว่าบันทึกวัคซีนถูกต้อง", "Check that the right vaccine was recorded."),
    VACCINE_LIST,
)
OTHER_AGE = _rule(
    "vaccine.other_age",
    "warning",
    "visits.dob",
    "อายุผู้รับ ({age} ปี) อยู่นอกช่วงอายุของวัคซีนนี้",
    "The person's age ({age} years) is outside what the list gives for this vaccine.",
    Message("กรุณาตรวจว่าบันทึกวัคซีนและวันเกิดถูกต้อง", "Check the vaccine and the date of birth."),
    VACCINE_LIST,
)
MANUFACTURER_UNREADABLE = _rule(
    "vaccine.manufacturer_unreadable",
    "warning",
    "vaccinations.manufacturer",
    "ชื่อผู้ผลิตวัคซีนเป็นภาษาต่างดาว จึงส่งเป็นค่าว่าง",
    "The manufacturer is unreadable (wrong character set) and goes empty.",
)
RULES = (
    CODE_NOT_VALID, NOT_CITIZEN, LOT_MISSING, EXPIRY_MISSING, EXPIRY_BUDDHIST_YEAR, EXPIRED,
    GIVER_MISSING, GIVER_UNREADABLE, LICENSE_MISSING, GIVEN_BUDDHIST_YEAR, GIVEN_BEFORE_BIRTH, GIVEN_LATER,
    GIVEN_LONG_BEFORE, GIVEN_TIME_MISSING, GIVEN_OTHER_DAY, CLAIMED_BEFORE, SAME_DAY, OTHER_SEX, OTHER_AGE, MANUFACTURER_UNREADABLE,
)  # fmt: skip


def dose_findings(day: ServiceDay, doses: pd.DataFrame, kind: Kind) -> list[Finding]:
    """Apply the rules to doses as `doses` returns them, one row per dose."""
    return [
        *diagnoses.findings(day.diagnoses, doses, kind, day.codes.prefixes(kind)),
        Finding(CODE_NOT_VALID, doses["name_en"].isna().to_numpy(), {"code": doses["item"], "date": doses["given"]}),
        Finding(
            NOT_CITIZEN,
            (~doses["citizen"] & doses["sent_nation"].notna()).to_numpy(),
            {"nation": doses["sent_nation"]},
        ),
        *_vial(doses),
        *_giver(doses),
        *_day_given(day, doses),
        *_receiver(doses),
        _claimed_before(day, doses, kind),
    ]


def against(day: ServiceDay, others: pd.DataFrame) -> "pd.Series[bool]":
    """The claims of the vaccine code that are too near, before or after; the day of a claim is its visit's."""
    apart = (others["service_date"] - day_column(day.day, others.index)).abs()
    return apart < pd.to_timedelta(_interval_days(day, others["item"]), unit="D")


def _interval_days(day: ServiceDay, items: "pd.Series[str]") -> "pd.Series[float]":
    """The least number of days between two doses of each vaccine code."""
    listed = valid_on(day.codes.vaccines, day.day).set_index("code")["interval_days"]
    return items.map(listed).astype(float).fillna(day.codes.limit("vaccine_interval_days"))


def _claimed_before(day: ServiceDay, doses: pd.DataFrame, kind: Kind) -> Finding:
    others = day.other_claims(doses, kind)
    near = others[against(day, others)].drop_duplicates("row", keep="last").set_index("row")["service_date"]
    positions = np.arange(len(doses))
    days = _interval_days(day, doses["item"]).map("{:.0f}".format).astype("str")
    return Finding(CLAIMED_BEFORE, np.isin(positions, near.index), {"date": near.reindex(positions), "days": days})


def _vial(doses: pd.DataFrame) -> list[Finding]:
    lot, expiry = doses["lot_number"], doses["expiration_date"]
    return [
        Finding(LOT_MISSING, (is_blank(lot) | is_unreadable(lot)).to_numpy()),
        Finding(EXPIRY_MISSING, expiry.isna().to_numpy()),
        Finding(EXPIRY_BUDDHIST_YEAR, is_buddhist(expiry).to_numpy(), {"date": expiry}),
        Finding(EXPIRED, (expiry < doses["given"]).to_numpy(), {"date": expiry}),
        Finding(MANUFACTURER_UNREADABLE, is_unreadable(doses["manufacturer"]).to_numpy()),
    ]


def _giver(doses: pd.DataFrame) -> list[Finding]:
    name = doses["provider_name"]
    return [
        Finding(GIVER_MISSING, is_blank(name).to_numpy()),
        Finding(GIVER_UNREADABLE, (is_unreadable(name) & ~is_blank(name)).to_numpy()),
        # If the name is missing, the licence is not reported as well.
        Finding(LICENSE_MISSING, (is_blank(doses["license_no"]) & ~is_blank(name)).to_numpy()),
    ]


def _day_given(day: ServiceDay, doses: pd.DataFrame) -> list[Finding]:
    stored, given, dob = doses["given_date"], doses["given"], doses["dob"]
    before, after = day.codes.limit("dose_days_before"), day.codes.limit("dose_days_after")
    buddhist = is_buddhist(stored) & (stored != doses["visit_date"])
    visited, today = day_column(day.day, doses.index), day_column(day.today, doses.index)
    # A birth after the visit is reported as the person's.
    unborn = (given < dob) & (dob <= visited)
    later = (given > visited + pd.Timedelta(days=after)) | ((given > today) & (given != visited))
    long_before = given < visited - pd.Timedelta(days=before)
    other_day = (given != visited) & ~(unborn | later | long_before)
    return [
        Finding(GIVEN_BUDDHIST_YEAR, buddhist.to_numpy(), {"date": stored}),
        Finding(GIVEN_BEFORE_BIRTH, unborn.to_numpy(), {"date": given}),
        Finding(GIVEN_LATER, later.to_numpy(), {"date": given}),
        Finding(GIVEN_LONG_BEFORE, (long_before & ~unborn).to_numpy(), {"date": given, "days": str(before)}),
        Finding(GIVEN_TIME_MISSING, (other_day & doses["given_time"].isna()).to_numpy()),
        Finding(GIVEN_OTHER_DAY, other_day.to_numpy(), {"date": given}),
    ]


def _receiver(doses: pd.DataFrame) -> list[Finding]:
    age = age_years(doses["dob"], doses["given"])
    outside = (age < doses["age_from"]) | (age > doses["age_to"])
    return [
        Finding(OTHER_SEX, (doses["sex_only"].notna() & (doses["sex"] != doses["sex_only"])).to_numpy()),
        Finding(OTHER_AGE, outside.to_numpy(), {"age": age.map("{:.0f}".format).astype("str")}),
    ]


def repeated(_day: ServiceDay, found: Mask) -> Finding:
    """The finding for a person's same vaccine in a later visit of the same day."""
    return Finding(SAME_DAY, found)

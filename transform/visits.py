"""The visit of a claim: facility, day, time, closing code."""

from datetime import date
from typing import Any

import pandas as pd

from core.messages import Message
from transform.claim import Kind
from transform.dates import NO_TIME, day_column, day_texts, is_buddhist
from transform.rule import Finding, Rule
from transform.sources import API, DATABASES
from transform.text import is_blank, is_unreadable

MEND = Message("กรุณาแก้ข้อมูลการรับบริการใน HIS", "Mend the visit in the HIS.")

OTHER_HOSPITAL = Rule(
    "visit.other_hospital",
    "error",
    "visits.hcode",
    Message(
        "รหัสหน่วยบริการใน HIS ไม่ตรงกับบัญชีที่ใช้ส่งเคลม ({hcode})",
        "The facility code in the HIS is not the account's ({hcode}).",
    ),
    Message("กรุณาตรวจรหัสหน่วยบริการใน HIS และในการตั้งค่า", "Check the facility code in the HIS and in the settings."),
    API,
)
HOSPITAL_NAME = Rule(
    "visit.hospital_name",
    "error",
    "visits.hospital_name",
    Message("ไม่มีชื่อหน่วยบริการ หรือชื่อเป็นภาษาต่างดาว", "The facility's name is missing or unreadable."),
    Message(
        "กรุณาแก้ชื่อหน่วยบริการใน HIS หรือตรวจการตั้งค่า charset",
        "Mend the facility's name in the HIS, or check the setting charset.",
    ),
    API,
)
HN_MISSING = Rule(
    "visit.hn_missing", "error", "visits.hn", Message("ไม่มี HN", "The hospital number is missing."), MEND, API
)
BUDDHIST_YEAR = Rule(
    "visit.buddhist_year",
    "error",
    "visits.visit_date",
    Message("วันที่รับบริการบันทึกเป็นปี พ.ศ. ({date})", "The visit's day is stored in a Buddhist year ({date})."),
    MEND,
    DATABASES,
)
OTHER_DAY = Rule(
    "visit.other_day",
    "error",
    "visits.visit_date",
    Message("วันที่รับบริการ ({date}) ไม่ใช่วันที่กำลังประมวลผล", "The visit's day ({date}) is not the day that is read."),
    Message("กรุณาตรวจ SQL หรือไฟล์ที่ใช้อ่านข้อมูล", "Check the SQL or the workbook the visits come from."),
    "one service day at a time",
)
TIME_MISSING = Rule(
    "visit.time_missing",
    "error",
    "visits.visit_time",
    Message("ไม่มีเวลารับบริการ", "The visit's time is missing."),
    MEND,
    API,
)
CLOSING_CODE_MISSING = Rule(
    "visit.closing_code_missing",
    "warning",
    "visits.closing_code",
    Message(
        "ยังไม่มีรหัสปิดสิทธิ (EP) ระบบ MOPH Claim อาจยังไม่รับ",
        "There is no closing code (EP) yet: MOPH Claim may not take the claim.",
    ),
    Message("กรุณาปิดสิทธิของการรับบริการนี้", "Confirm the right at the end of the visit."),
    "the server looks the code up and decides",
)
MIDNIGHT = Rule(
    "visit.midnight",
    "warning",
    "visits.visit_time",
    Message(
        "เวลารับบริการหรือเวลาให้วัคซีนเป็น 00:00 ซึ่ง HIS มักใช้แทนการไม่บันทึกเวลา",
        "The time of the visit or dose is 00:00, which a HIS often stores where no time was entered.",
    ),
    Message("กรุณาตรวจเวลาใน HIS", "Check the time in the HIS."),
    DATABASES,
)
RULES = (
    OTHER_HOSPITAL,
    HOSPITAL_NAME,
    HN_MISSING,
    BUDDHIST_YEAR,
    OTHER_DAY,
    TIME_MISSING,
    CLOSING_CODE_MISSING,
    MIDNIGHT,
)


def with_visit(visits: pd.DataFrame) -> pd.DataFrame:
    """The visits with dob_text, visit_minute (YYYY-MM-DD HH:MM, missing if the time is), closed (has its closing code)."""
    return visits.assign(
        dob_text=day_texts(visits["dob"]),
        visit_minute=day_texts(visits["visit_date"]) + " " + visits["visit_time"],
        closed=visits["closing_code"].str.upper().str.startswith("EP").fillna(False).astype(bool),
    )


def findings(visits: pd.DataFrame, hcode: str, day: date) -> list[Finding]:
    """Apply the rules about the visit; `visits` as `with_visit` returns them."""
    visited = visits["visit_date"]
    buddhist = is_buddhist(visited)
    other = (visited != day_column(day, visited.index)) & ~buddhist
    name: pd.Series[Any] = visits["hospital_name"]
    return [
        Finding(OTHER_HOSPITAL, (visits["hcode"] != hcode).to_numpy(), {"hcode": hcode}),
        Finding(HOSPITAL_NAME, (is_blank(name) | is_unreadable(name)).to_numpy()),
        Finding(HN_MISSING, visits["hn"].isna().to_numpy()),
        Finding(BUDDHIST_YEAR, buddhist.to_numpy(), {"date": visited}),
        Finding(OTHER_DAY, other.to_numpy(), {"date": visited}),
        Finding(TIME_MISSING, visits["visit_time"].isna().to_numpy()),
        Finding(CLOSING_CODE_MISSING, ~visits["closed"].to_numpy()),
    ]


def midnight(candidates: pd.DataFrame) -> Finding:
    """The candidates whose visit or dose is of 00:00."""
    found = candidates["visit_time"] == NO_TIME
    if "given_minute" in candidates:
        found |= candidates["given_minute"].str.endswith(f" {NO_TIME}").fillna(False).astype(bool)
    return Finding(MIDNIGHT, found.to_numpy())


def with_claims_of_his(visits: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """The visits with the his_claim_uid of those alone that the HIS has claimed, as far as known, for this kind."""
    others = visits["his_claim_kinds"].notna() & ~visits["his_claim_kinds"].str.contains(rf"\b{kind}\b", na=False)
    return visits.assign(his_claim_uid=visits["his_claim_uid"].mask(others))


def visit_fields(row: Any, hcode: str) -> dict[str, Any]:
    """The fields of `Payload` of one candidate (a named tuple of its columns)."""
    return {
        "seq": row.vn,
        "hn": row.hn,
        "pid": row.pid,
        "id_type": "1",
        "title": row.sent_title,
        "fname": row.fname,
        "lname": row.lname,
        "occupa": row.sent_occupa,
        "marriage": row.sent_marriage,
        "dob": row.dob_text,
        "sex": row.sex,
        "nation": row.sent_nation,
        "hcode": hcode,
        "hospital_name": row.hospital_name,
        "visit_date_time": row.visit_minute,
    }

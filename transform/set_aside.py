"""A held claim in whose place another of the same person goes, because that one has its closing code."""

from datetime import date
from typing import cast

from core.messages import Message
from transform.claim import Issue, Kind
from transform.rule import Rule
from transform.sources import GAZETTE

SET_ASIDE = Rule(
    "claim.set_aside",
    "error",
    "visits.closing_code",
    Message(
        "ยังไม่มีรหัสปิดสิทธิ (EP) ระบบจึงส่งรายการเดียวกันของผู้ป่วยรายนี้จากวันที่ {date} ซึ่งปิดสิทธิแล้วแทน",
        "It has no closing code (EP) yet, so the same item of the person is claimed of {date} in its place, which has one.",
    ),
    Message(
        "ไม่ต้องดำเนินการ หากรายการนั้นไม่ได้รับ ระบบจะพิจารณารายการนี้ใหม่เอง",
        "Nothing needs to be done: if that one is not taken, this one is looked at again by itself.",
    ),
    GAZETTE,
)
RULES = (SET_ASIDE,)


def set_aside_issue(key: tuple[str, str, str, str], hn: str, day: date, instead: date) -> Issue:
    """The issue of a held claim that was withdrawn in favour of another.

    Args:
        key: hcode, kind, vn and item of the held claim.
        hn: The patient's number.
        day: Its service day.
        instead: The service day of the claim that goes.
    """
    hcode, kind, vn, item = key
    sentence = SET_ASIDE.sentence(date=instead.isoformat())
    return Issue(
        hcode, cast(Kind, kind), vn, hn, item, day, SET_ASIDE.code, SET_ASIDE.severity, sentence, SET_ASIDE.column
    )

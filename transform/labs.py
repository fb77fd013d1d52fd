"""Lab results are text. They are read strictly as a number in a plausible range, or refused with the reason."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import pandas as pd

from core.messages import Message
from transform.codes import Lab
from transform.rule import Finding, Rule
from transform.text import shown

RESULT_LENGTH = 40
THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
NUMBER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(.*)")
SOURCE = "default of the program; lab results are text in every hospital database"

NOT_A_NUMBER = Rule(
    "lab.not_a_number",
    "error",
    "labs.result",
    Message("ผลแล็บไม่ใช่ตัวเลข: {results}", "Lab result that is not a number: {results}."),
    Message("กรุณาแก้ผลแล็บใน HIS เป็นตัวเลขตามใบรายงาน", "Enter the reported number in the HIS."),
    SOURCE,
    ("dm", "ht"),
    in_workbook=Message(
        "กรุณาพิมพ์เฉพาะตัวเลขตามใบรายงาน แล้วนำเข้าใหม่", "Type the reported number alone, and import it again."
    ),
)
OUT_OF_RANGE = Rule(
    "lab.out_of_range",
    "error",
    "labs.result",
    Message("ผลแล็บอยู่นอกช่วงที่เป็นไปได้: {results}", "Lab result outside the plausible range: {results}."),
    Message("กรุณาตรวจสอบผลและหน่วยใน HIS", "Check the result and its unit in the HIS."),
    SOURCE,
    ("dm", "ht"),
    in_workbook=Message(
        "กรุณาตรวจผลและหน่วยกับใบรายงาน แก้แล้วนำเข้าใหม่",
        "Check the result and its unit against the report, mend it, and import it again.",
    ),
)
LEFT_OUT = Rule(
    "lab.left_out",
    "warning",
    "labs.result",
    Message(
        "ไม่ส่งผลแล็บที่ไม่ใช่ตัวเลขในช่วงที่เป็นไปได้ เคลมไปเฉพาะผลอื่น: {results}",
        "The claim goes with the other result, without one that is not a plausible number: {results}.",
    ),
    Message("หากต้องการเคลมผลนี้ กรุณาแก้ใน HIS ก่อนส่ง", "To claim it too, mend it in the HIS before it is sent."),
    SOURCE,
    ("dm", "ht"),
)
RULES = (NOT_A_NUMBER, OUT_OF_RANGE, LEFT_OUT)

Fault = Literal["not a number", "out of range"]


class Reading(NamedTuple):
    """A result as plain decimal text, or why it is not a usable number."""

    number: str | None
    fault: Fault | None


def parse_number(text: str, units: Iterable[str] = ()) -> Decimal | None:
    """A result as a number: digits (also Thai ones) with at most one point, and optionally one of the units; else None.

    Bounds (`<4.0`), words, decimal commas, signs and several numbers are refused.
    """
    match = NUMBER.fullmatch(text.strip().translate(THAI_DIGITS))
    if match is None or match[2].casefold() not in {"", *(unit.casefold() for unit in units)}:
        return None
    return Decimal(match[1])


def plain(number: Decimal) -> str:
    """A number as plain decimal text without trailing zeros: 7.20 is 7.2, 10 stays 10."""
    return format(number.normalize(), "f")


def read(text: str, lab: Lab) -> Reading:
    """A result text as the number to send, or the reason why it cannot be sent."""
    number = parse_number(text, lab.units)
    if number is None:
        return Reading(None, "not a number")
    return Reading(plain(number), None) if lab.low <= number <= lab.high else Reading(None, "out of range")


def latest_results(labs: pd.DataFrame) -> pd.DataFrame:
    """The results that count: the latest of each lab code in each visit, and every result without a code.

    Args:
        labs: The contract table. A result without a time is the earliest; of results of the same minute the later row
            counts.

    Returns:
        The rows that count, ordered by time.
    """
    rows = labs.sort_values(["result_date", "result_time"], kind="stable", na_position="first")
    superseded = rows["lab_code"].notna() & rows.duplicated(["vn", "lab_code"], keep="last")
    return rows[~superseded]


def latest_readings(labs: pd.DataFrame, lab: Lab) -> pd.DataFrame:
    """The latest result of one lab code in each visit: vn, and `result_`, `number_`, `fault_` followed by the code.

    Args:
        labs: The contract table.
        lab: The lab code.
    """
    rows = latest_results(labs[labs["lab_code"] == lab.code])
    readings = {text: read(text, lab) for text in rows["result"].unique()}
    found = [readings[text] for text in rows["result"]]
    columns: dict[str, Any] = {
        "vn": rows["vn"].to_numpy(),
        f"result_{lab.code}": rows["result"].to_numpy(),
        f"number_{lab.code}": [reading.number for reading in found],
        f"fault_{lab.code}": [reading.fault for reading in found],
    }
    return pd.DataFrame(columns).astype("str")


def with_readings(visits: pd.DataFrame, labs: pd.DataFrame, of_kind: tuple[Lab, ...]) -> pd.DataFrame:
    """The visits that have a result of any of the labs, with the latest reading of each lab."""
    visits = visits[visits["vn"].isin(labs.loc[labs["lab_code"].isin([lab.code for lab in of_kind]), "vn"])]
    for lab in of_kind:
        visits = visits.merge(latest_readings(labs, lab), on="vn", how="left")
    return visits


def usable(candidates: pd.DataFrame, of_kind: tuple[Lab, ...]) -> "pd.Series[bool]":
    """Whether each candidate has at least one result that can be sent."""
    return candidates[[f"number_{lab.code}" for lab in of_kind]].notna().any(axis=1)


def findings(candidates: pd.DataFrame, of_kind: tuple[Lab, ...], *, explicit_request: bool) -> list[Finding]:
    """Results that cannot be sent: an error if no other result can, or if the rows are a workbook's; else a warning."""
    faults = {lab: candidates[f"fault_{lab.code}"] for lab in of_kind}
    sendable = usable(candidates, of_kind)
    if explicit_request:
        sendable &= ~candidates[[f"fault_{lab.code}" for lab in of_kind]].notna().any(axis=1)
    return [
        _finding(
            NOT_A_NUMBER, candidates, {lab: (fault == "not a number") & ~sendable for lab, fault in faults.items()}
        ),
        _finding(
            OUT_OF_RANGE, candidates, {lab: (fault == "out of range") & ~sendable for lab, fault in faults.items()}
        ),
        _finding(LEFT_OUT, candidates, {lab: fault.notna() & sendable for lab, fault in faults.items()}),
    ]


def _finding(rule: Rule, candidates: pd.DataFrame, found: "dict[Lab, pd.Series[bool]]") -> Finding:
    results = pd.Series("", index=candidates.index, dtype="str")
    for lab, where in found.items():
        text = candidates[f"result_{lab.code}"].map(lambda result: shown(result, RESULT_LENGTH)).astype("str")
        results = results + (f", {lab.name} “" + text + f"” ({lab.range_text})").where(where, "")
    results = results.str.removeprefix(", ")
    return Finding(rule, (results != "").to_numpy(), {"results": results})

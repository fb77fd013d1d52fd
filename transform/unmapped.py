"""Reports records with a local code of the HIS that is not translated, and those without any right."""

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from core.messages import Message
from transform.claim import Issue, Kind
from transform.labs import RESULT_LENGTH
from transform.labs_of_day import DmOrHt, with_results_of_day
from transform.rule import Finding, Rule, issues
from transform.service_day import ServiceDay, has_diagnosis, right_qualifies
from transform.sources import DATABASES, VACCINE_LIST
from transform.text import shown
from transform.visits import with_claims_of_his

LONGEST_ITEM = 32
"""The longest local code that an issue has room for; longer ones are cut."""

LAB = Rule(
    "lab.code_unmapped",
    "error",
    "labs.lab_code",
    Message("ไม่รู้จักรายการแล็บ {names}", "The lab item {names} is not known."),
    Message(
        "กรุณาใส่รหัส สปสช. ใน labs.csv ของ his.maps_folder หรือใส่ - หากไม่ใช่รายการที่เบิก",
        "Give it its NHSO code in labs.csv of his.maps_folder, or - where it is nothing that is claimed.",
    ),
    DATABASES,
    ("dm", "ht"),
    of_code=True,
)
VACCINE = Rule(
    "vaccine.code_missing",
    "error",
    "vaccinations.vaccine_code",
    Message("วัคซีนไม่มีรหัสส่งออก: {names}", "Vaccine without an export code: {names}."),
    Message(
        "กรุณาใส่รหัสวัคซีนมาตรฐานในตารางวัคซีนของ HIS หรือใน vaccines.csv ของ his.maps_folder",
        "Give it its standard code in the HIS's table of vaccines, or in vaccines.csv of his.maps_folder.",
    ),
    VACCINE_LIST,
    ("epi", "dt"),
    of_code=True,
)
SCHEME = Rule(
    "visit.scheme_unmapped",
    "error",
    "visits.scheme",
    Message("ไม่รู้ว่าสิทธิ {code} ของ HIS คือสิทธิใด", "What scheme the HIS's right {code} is, is not known."),
    Message(
        "กรุณาใส่รหัสสิทธิ (เช่น UCS OFC SSS) ในตารางสิทธิของ HIS หรือใน schemes.csv ของ his.maps_folder",
        "Give it its scheme (UCS, OFC, SSS, …) in the HIS's table of rights, or in schemes.csv of his.maps_folder.",
    ),
    DATABASES,
    ("dm", "ht"),
    of_code=True,
)
SCHEME_MISSING = Rule(
    "visit.scheme_missing",
    "error",
    "visits.scheme",
    Message(
        "การรับบริการนี้มีวินิจฉัยและผลแล็บที่เบิกได้ แต่ไม่ได้บันทึกสิทธิการรักษา",
        "The visit has a claimable diagnosis and result, but no health scheme.",
    ),
    Message("กรุณาบันทึกสิทธิของการรับบริการนี้ใน HIS", "Enter the visit's scheme in the HIS."),
    DATABASES,
    ("dm", "ht"),
)
RULES = (LAB, VACCINE, SCHEME, SCHEME_MISSING)


def unmapped(day: ServiceDay, kinds: Collection[Kind]) -> Iterator[Issue]:
    """Records that may have to be claimed, one issue per visit and local code.

    Args:
        day: The service day.
        kinds: The kinds of claim wanted; a record that could be of several is listed under the first.
    """
    if vaccines := [kind for kind in VACCINE.kinds if kind in kinds]:
        yield from _items(day, day.vaccinations, "vaccine", VACCINE, vaccines[0])
    of_labs: list[DmOrHt] = [kind for kind in ("dm", "ht") if kind in kinds]
    listed: set[str] = set()
    for kind in of_labs:
        # A visit that has a diagnosis of both kinds may have a result, or a right, of the second alone.
        visits = day.visits[has_diagnosis(day, kind) & ~day.visits["vn"].isin(listed)]
        paid = visits.loc[right_qualifies(day, kind).reindex(visits.index), "vn"]
        found = [*_items(day, day.labs[day.labs["vn"].isin(paid)], "lab", LAB, kind), *_schemes(day, visits, kind)]
        listed.update(issue.vn for issue in found)
        yield from found


def _items(day: ServiceDay, rows: pd.DataFrame, what: str, rule: Rule, kind: Kind) -> Iterator[Issue]:
    """One issue per visit and local code of lab results or doses without a code that the HIS has not claimed."""
    rows = rows[rows[f"{what}_code"].isna()].rename(columns={f"{what}_name": "name"})
    if "his_claim_uid" in rows:
        rows = rows[rows["his_claim_uid"].isna()]
    if rows.empty:  # the usual case
        return
    visits = with_claims_of_his(day.visits, kind)
    visits = visits.loc[visits["his_claim_uid"].isna(), ["vn", "hn"]]
    found = visits.merge(rows[["vn", "local_code", "name"]], on="vn").drop_duplicates(["vn", "local_code"])
    found = found.sort_values(["vn", "local_code"]).reset_index(drop=True)
    local = found["local_code"].fillna("")
    names = "“" + found["name"].fillna("").map(lambda name: shown(name, RESULT_LENGTH)) + "” (" + local + ")"
    finding = Finding(rule, np.ones(len(found), dtype=np.bool_), {"names": names})
    found = found.assign(item=local.str[:LONGEST_ITEM])
    yield from issues(found, [finding], kind=kind, hcode=day.hcode, day=day.day, severity="error")


def _schemes(day: ServiceDay, visits: pd.DataFrame, kind: DmOrHt) -> Iterator[Issue]:
    """Visits with a diagnosis and a result of the kind whose right is unknown or missing."""
    unknown = visits["scheme"].isna() & with_claims_of_his(visits, kind)["his_claim_uid"].isna()
    if not unknown.any():  # the usual case
        return
    codes = [lab.code for lab in day.codes.labs[kind]]
    labs = with_results_of_day(day, kind) if day.settings.labs_of_day else day.labs
    with_result = visits["vn"].isin(labs.loc[labs["lab_code"].isin(codes), "vn"])
    found = visits[with_result & unknown].sort_values("vn").reset_index(drop=True)
    missing = found["local_scheme"].isna().to_numpy()
    findings = [Finding(SCHEME, ~missing, {"code": found["local_scheme"]})]
    if not day.explicit_request:  # of a workbook's row another rule says that no right is none that pays
        findings.append(Finding(SCHEME_MISSING, missing))
    yield from issues(found.assign(item=""), findings, kind=kind, hcode=day.hcode, day=day.day, severity="error")

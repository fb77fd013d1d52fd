"""Results of a person's other visits of the same day: listed, or by a setting claimed with the visit of the diagnosis."""

from collections.abc import Collection, Iterator
from typing import Literal

import numpy as np
import pandas as pd

from core.messages import Message
from transform.claim import Issue, Kind
from transform.labs import latest_readings
from transform.rule import Finding, Rule, issues
from transform.service_day import ServiceDay, has_diagnosis, right_qualifies
from transform.sources import DATABASES
from transform.visits import with_claims_of_his

DmOrHt = Literal["dm", "ht"]

OTHER_VISIT = Rule(
    "lab.other_visit",
    "error",
    "labs.vn",
    Message(
        "ผลแล็บของผู้ป่วยอยู่ที่การรับบริการอีกครั้งในวันเดียวกัน: {results}",
        "A result lies at the person's other visit of the same day: {results}.",
    ),
    Message(
        "กรุณาย้ายใบสั่งแล็บมาที่การรับบริการที่มีวินิจฉัยใน HIS หรือเปิดการตั้งค่า transform.labs_of_day",
        "Move the order in the HIS to the visit with the diagnosis, or turn the setting transform.labs_of_day on.",
    ),
    DATABASES,
    ("dm", "ht"),
    in_workbook=Message(
        "กรุณาใส่ผลแล็บและวินิจฉัยไว้ที่การรับบริการเดียวกัน แล้วนำเข้าใหม่",
        "Put the result and the diagnosis into rows of one visit, and import it again.",
    ),
)
RULES = (OTHER_VISIT,)


def results_elsewhere(day: ServiceDay, kind: DmOrHt) -> pd.DataFrame:
    """Results that a visit lacks and that its person has at another visit of the day.

    A visit counts whose right and diagnosis qualify, that is not claimed, and of whose person no such visit has all
    results of the day; in a HIS also one without any right. A result that is no usable number counts where it contradicts
    another, or where the person has no usable one.

    Returns:
        vn (the visit that lacks it), hn, code and name of the lab, and other_vn and other_time of the visit that has it.
    """
    visits = with_claims_of_his(day.visits, kind)
    person = visits["hn"] + "|" + visits["cid"].fillna("")
    # Of a workbook's row another rule says that no right is none that pays.
    no_right = visits["scheme"].isna() & (not day.explicit_request)
    visits = visits.assign(
        person=person,
        paid=right_qualifies(day, kind),
        qualifies=(right_qualifies(day, kind) | no_right) & has_diagnosis(day, kind),
    )
    visits = visits[person.duplicated(keep=False) & person.notna() & visits["his_claim_uid"].isna()]
    nothing = pd.DataFrame(columns=["vn", "hn", "code", "name", "other_vn", "other_time"], dtype="str")
    if not visits["qualifies"].any():  # the usual case
        return nothing
    found = [nothing]
    for lab in day.codes.labs[kind]:
        readings = latest_readings(day.labs, lab)
        fault = readings.set_index("vn")[f"fault_{lab.code}"]
        met = visits[visits["vn"].isin(fault.index)]
        counts = ~met["vn"].map(fault).isin(["not a number", "out of range"])
        found.append(met.assign(code=lab.code, name=lab.name, counts=counts))
    results = pd.concat(found, ignore_index=True)
    counts = results["counts"].astype(bool)
    results = results[counts | ~results["person"].isin(results.loc[counts, "person"])]
    own = visits[visits["qualifies"]].merge(results[["vn", "code"]], on="vn", how="left")
    all_of_day = results.groupby("person")["code"].nunique()
    complete = own[own["paid"]].groupby(["person", "vn"])["code"].nunique().reset_index()
    complete = complete[complete["code"] == complete["person"].map(all_of_day).fillna(0)]
    claimed = day.history.loc[day.history["kind"] == kind, "vn"]
    lacking = visits[visits["qualifies"] & ~visits["person"].isin(complete["person"]) & ~visits["vn"].isin(claimed)]
    pairs = lacking[["person", "vn", "hn"]].merge(
        results[["person", "code", "name", "vn", "visit_time"]].rename(
            columns={"vn": "other_vn", "visit_time": "other_time"}
        ),
        on="person",
    )
    has = pd.MultiIndex.from_frame(own[["vn", "code"]])
    pairs = pairs[~pd.MultiIndex.from_frame(pairs[["vn", "code"]]).isin(has)]
    return pairs[list(nothing.columns)].sort_values(["vn", "code", "other_vn"]).reset_index(drop=True)


def with_results_of_day(day: ServiceDay, kind: DmOrHt) -> pd.DataFrame:
    """The contract table of labs in which those results also stand at the visit that lacks them."""
    elsewhere = results_elsewhere(day, kind)
    borrowed = elsewhere[["vn", "code", "other_vn"]].merge(
        day.labs.rename(columns={"vn": "other_vn", "lab_code": "code"}), on=["other_vn", "code"]
    )
    borrowed = borrowed.rename(columns={"code": "lab_code"})[list(day.labs.columns)]
    return pd.concat([day.labs, borrowed], ignore_index=True) if len(borrowed) else day.labs


def labs_of_other_visits(day: ServiceDay, kinds: Collection[Kind]) -> Iterator[Issue]:
    """Visits that lack a result of another visit of the day, where the setting does not claim it with them.

    Args:
        day: The service day.
        kinds: The kinds of claim wanted.
    """
    for kind in kinds:
        if kind not in ("dm", "ht") or day.settings.labs_of_day:
            continue
        elsewhere = results_elsewhere(day, kind)
        # A message shows no long number, such as a VN: the time tells the visits of a day apart.
        told = elsewhere["name"] + " (" + elsewhere["other_time"].fillna("–") + ")"
        by_visit = elsewhere.assign(results=told, item="").groupby(["vn", "hn", "item"], as_index=False)
        found: pd.DataFrame = by_visit.agg({"results": ", ".join})
        finding = Finding(OTHER_VISIT, np.ones(len(found), dtype=np.bool_), {"results": found["results"]})
        yield from issues(found, [finding], kind=kind, hcode=day.hcode, day=day.day, severity="error")

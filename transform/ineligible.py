"""Why a lab result or a dose is not even a candidate. Reported only for workbooks, whose rows are all to be claimed.

It is not reported for a hospital database, which is full of results and doses that are not to be claimed.
"""

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from core.messages import Message
from transform.claim import Issue, Kind
from transform.rule import NOTHING_TO_DO, Finding, Mask, Rule, issues
from transform.service_day import ServiceDay, has_diagnosis, right_qualifies
from transform.sources import DATABASES, GAZETTE
from transform.visits import with_claims_of_his

RIGHT = Rule(
    "claim.right",
    "error",
    "visits.scheme",
    Message("สิทธิการรักษา {scheme} เบิกรายการนี้ไม่ได้", "The health scheme {scheme} does not pay for it."),
    Message("หากสิทธิผิดกรุณาแก้ หากถูกแล้วไม่ต้องดำเนินการ", "Mend the scheme if it is wrong; else nothing needs to be done."),
    GAZETTE,
)
DIAGNOSIS = Rule(
    "claim.diagnosis",
    "error",
    "diagnoses.icd10",
    Message(
        "ไม่มีการวินิจฉัยที่เบิกรายการนี้ได้ (ต้องมีรหัสที่ขึ้นต้นด้วย {prefixes})",
        "None of the diagnoses is one it is paid for: a code beginning with {prefixes} is needed.",
    ),
    Message("กรุณาตรวจรหัสการวินิจฉัย", "Check the diagnoses."),
    GAZETTE,
    ("dm", "ht"),
)
BY_HIS = Rule(
    "claim.by_his",
    "error",
    "visits.his_claim_uid",
    Message("HIS ส่งเบิกเองแล้ว (เลขธุรกรรม {uid})", "The HIS has claimed it itself (transaction {uid})."),
    NOTHING_TO_DO,
    DATABASES,
)
RULES = (RIGHT, DIAGNOSIS, BY_HIS)


def ineligible(day: ServiceDay, kinds: Collection[Kind]) -> Iterator[Issue]:
    """One issue for each visit with a lab result, and each dose, of these kinds that is not a candidate.

    Args:
        day: The service day.
        kinds: The kinds of claim wanted.
    """
    for kind in kinds:
        records = _records(day, kind)
        paid = records["vn"].isin(day.visits.loc[right_qualifies(day, kind), "vn"]).to_numpy()
        fits: Mask = np.ones(len(records), dtype=np.bool_)
        findings = [Finding(RIGHT, ~paid, {"scheme": records["scheme"].fillna("?")})]
        if kind in DIAGNOSIS.kinds:
            fits = records["vn"].isin(day.visits.loc[has_diagnosis(day, kind), "vn"]).to_numpy()
            findings.append(Finding(DIAGNOSIS, paid & ~fits, {"prefixes": _words(day.codes.prefixes(kind))}))
        findings.append(Finding(BY_HIS, paid & fits & records["uid"].notna().to_numpy(), {"uid": records["uid"]}))
        yield from issues(records, findings, kind=kind, hcode=day.hcode, day=day.day, severity="error")


def _records(day: ServiceDay, kind: Kind) -> pd.DataFrame:
    """The visits and items with a lab result or dose of a kind: vn, hn, scheme, item and uid, the HIS's own transaction
    number if it has claimed them itself; positions from 0.
    """
    if kind in ("dm", "ht"):
        codes = [lab.code for lab in day.codes.labs[kind]]
        found = day.labs.loc[day.labs["lab_code"].isin(codes), ["vn"]].drop_duplicates().assign(item="", dose_uid=None)
    else:
        listed = day.codes.vaccines.loc[day.codes.vaccines["service"] == kind, "code"]
        doses = day.vaccinations[day.vaccinations["vaccine_code"].isin(listed)]
        found = doses.groupby(["vn", "vaccine_code"])["his_claim_uid"].first().reset_index()
        found = found.rename(columns={"vaccine_code": "item", "his_claim_uid": "dose_uid"})
    visits = with_claims_of_his(day.visits, kind)
    records = visits[["vn", "hn", "scheme", "his_claim_uid"]].merge(found, on="vn").reset_index(drop=True)
    return records.assign(uid=records["his_claim_uid"].fillna(records["dose_uid"]))


def _words(prefixes: tuple[str, ...]) -> str:
    return ", ".join(prefixes) or "–"

"""The diagnoses of a visit: which can be sent, the rules about them, and their form in the payload."""

import numpy as np
import pandas as pd

from core.messages import Message
from transform.claim import Kind
from transform.dates import day_texts, is_buddhist
from transform.payload import DAY, Diagnosis
from transform.rule import Finding, Rule
from transform.sources import API, DATABASES

MEND = Message("กรุณาแก้การวินิจฉัยของการรับบริการนี้ใน HIS", "Mend the visit's diagnoses in the HIS.")
UNUSABLE = Rule(
    "diagnosis.unusable",
    "error",
    "diagnoses.icd10",
    Message(
        "การวินิจฉัยที่ใช้เคลมไม่สมบูรณ์ (รหัส ICD-10 ชนิดการวินิจฉัย 1–5 หรือวันที่เป็นปี พ.ศ.)",
        "The diagnosis of this claim is incomplete (ICD-10 code, type 1–5, or a day in a Buddhist year).",
    ),
    MEND,
    API,
    ("dm", "ht"),
)
FAR_DAY = Rule(
    "diagnosis.far_day",
    "error",
    "diagnoses.dx_date",
    Message(
        "วันที่วินิจฉัย {icd10} ({date}) ห่างจากวันรับบริการ {days} วัน",
        "The day of the diagnosis {icd10} ({date}) is {days} days from the visit's.",
    ),
    MEND,
    DATABASES,
    ("dm", "ht"),
)
LEFT_OUT = Rule(
    "diagnosis.left_out",
    "warning",
    "diagnoses.icd10",
    Message(
        "ไม่ส่งการวินิจฉัย {icd10} เพราะไม่สมบูรณ์ (รหัส ICD-10 ชนิดการวินิจฉัย 1–5 วันที่เป็นปี พ.ศ. หรือห่างจากวันรับบริการมาก)",
        "The diagnosis {icd10} is incomplete (ICD-10 code, type 1–5, a day in a Buddhist year or far from the visit's) and is left out.",
    ),
    MEND,
    API,
)
RULES = (UNUSABLE, FAR_DAY, LEFT_OUT)


def own_diagnoses(diagnoses: pd.DataFrame, visits: pd.DataFrame, days: int) -> pd.DataFrame:
    """The visits' own diagnoses: vn, icd10, dx_type, dx_minute, usable, far_day, distance; one row per visit and code,
    principal first.

    A diagnosis without a day or time gets the visit's. far_day and distance (days from the visit), as text, are those of one
    that is unusable for its day alone.

    Args:
        diagnoses: The contract table.
        visits: The contract table.
        days: How far the day of a diagnosis may be from the visit's.
    """
    rows = diagnoses[~diagnoses["earlier"]].merge(visits[["vn", "visit_date", "visit_time"]], on="vn")
    made = rows["dx_date"].fillna(rows["visit_date"])
    usable = (
        rows["icd10"].str.fullmatch("[A-Z][0-9][0-9A-Z]{1,5}").fillna(False).astype(bool)
        & rows["dx_type"].isin(list("12345"))
        & (day_texts(made).str.fullmatch(DAY).fillna(False).astype(bool) | (made == rows["visit_date"]))
    )
    distance = (made - rows["visit_date"]).abs().dt.days
    # A Buddhist year of the visit itself is reported as an issue of the visit.
    far = usable & (distance > days) & ~is_buddhist(rows["visit_date"])
    rows = rows.assign(
        dx_minute=day_texts(made) + " " + rows["dx_time"].fillna(rows["visit_time"]),
        usable=usable & ~far,
        far_day=day_texts(made).where(far),
        distance=distance.map("{:.0f}".format).astype("str").where(far),
    )
    ordered = rows.sort_values(
        ["vn", "usable", "dx_type", "icd10", "dx_minute"], ascending=[True, False, True, True, True]
    )
    return ordered.drop_duplicates(["vn", "icd10"])[
        ["vn", "icd10", "dx_type", "dx_minute", "usable", "far_day", "distance"]
    ]


def findings(own: pd.DataFrame, candidates: pd.DataFrame, kind: Kind, prefixes: tuple[str, ...]) -> list[Finding]:
    """Diagnoses that cannot be sent: an error if the claim has no other that qualifies, else a warning.

    Args:
        own: As `own_diagnoses` returns them.
        candidates: One row per candidate.
        kind: The kind of claim.
        prefixes: The beginnings of its ICD-10 codes.
    """
    vn = candidates["vn"]
    rows = own[own["vn"].isin(vn)]
    unusable = rows[~rows["usable"]].drop_duplicates("vn").set_index("vn")["icd10"]
    broken = np.zeros(len(vn), dtype=np.bool_)
    of_kind = rows[rows["icd10"].str.startswith(prefixes)]
    if kind in UNUSABLE.kinds:
        broken = ~vn.isin(of_kind.loc[of_kind["usable"], "vn"]).to_numpy()
    far = of_kind[of_kind["far_day"].notna()].drop_duplicates("vn").set_index("vn").reindex(vn)
    far_day = broken & far["far_day"].notna().to_numpy()
    left_out = vn.isin(unusable.index).to_numpy() & ~broken
    return [
        Finding(UNUSABLE, broken & ~far_day),
        Finding(FAR_DAY, far_day, {"icd10": far["icd10"], "date": far["far_day"], "days": far["distance"]}),
        Finding(LEFT_OUT, left_out, {"icd10": unusable.reindex(vn)}),
    ]


def payload_diagnoses(own: pd.DataFrame, candidates: pd.DataFrame) -> dict[str, tuple[Diagnosis, ...]]:
    """The `diagnosis` field of each visit's payload, principal first; visits without diagnoses are left out."""
    found: dict[str, list[Diagnosis]] = {}
    for row in own[own["usable"] & own["vn"].isin(candidates["vn"])].itertuples(index=False):
        diagnosis = Diagnosis.model_validate(
            {"dx_date_time": row.dx_minute, "icd10": row.icd10, "dx_type": row.dx_type}
        )
        found.setdefault(str(row.vn), []).append(diagnosis)
    return {vn: tuple(diagnoses) for vn, diagnoses in found.items()}

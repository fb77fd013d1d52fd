"""Makes claims and issues from the contract tables of one service day. This is the entry point of transform."""

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from core.messages import Message
from extract.contract import DayTables, Wanted
from transform import person, visits
from transform.claim import KINDS, SERVICES, Claim, Issue, Kind, Transformed, payload_hash
from transform.codes import read_codes
from transform.dm import DM
from transform.dt import DT
from transform.epi import EPI
from transform.ht import HT
from transform.ineligible import ineligible
from transform.rule import Finding, Mask, Rule, errors, issues
from transform.service_day import KindOfClaim, ServiceDay, service_day
from transform.settings import TransformSettings
from transform.sources import API
from transform.unmapped import unmapped

CLAIMED_BY_HIS = "claimed by the HIS"
KINDS_OF_CLAIM = (DM, HT, EPI, DT)

RATE_UNKNOWN = Rule(
    "claim.rate_unknown",
    "warning",
    "visits.visit_date",
    Message(
        "ไม่มีอัตราจ่ายของรายการนี้ในวันรับบริการ จึงนับยอดเงินเป็น 0 บาท",
        "No rate is known for this item on the day of the visit: it counts as 0 baht.",
    ),
    Message("กรุณาเพิ่มอัตราในไฟล์ rates.csv", "Add the rate to rates.csv."),
    "rates change by announcement",
)
CONTRACT = Rule(
    "claim.contract",
    "error",
    "visits.vn",
    Message("ข้อมูลที่จะส่งไม่ตรงรูปแบบของ MOPH Claim ที่ {fields}", "The payload is not of MOPH Claim's form at {fields}."),
    Message("กรุณาแก้ข้อมูลส่วนนี้ใน HIS", "Mend this part of the record in the HIS."),
    API,
)
RULES = (RATE_UNKNOWN, CONTRACT)


def wanted(kinds: Collection[Kind], settings: TransformSettings | None = None) -> Wanted:
    """What the kinds need from a hospital database: all codes ever valid, as a run may read past days.

    Args:
        kinds: The kinds of claim wanted.
        settings: The site's settings, for its own code lists.
    """
    codes = read_codes((settings or TransformSettings()).codes_folder)
    diseases = codes.icd10[codes.icd10["kind"].isin(kinds)]
    labs = codes.labs.loc[codes.labs["kind"].isin(kinds), "code"]
    return Wanted(
        icd10_prefixes=tuple(sorted(set(diseases["prefix"]))),
        first_time_icd10=tuple(sorted(set(diseases.loc[diseases["first_time"] == "yes", "prefix"]))),
        lab_codes=tuple(sorted(set(labs))),
        vaccines=not {"epi", "dt"}.isdisjoint(kinds),
    )


def make_claims(
    tables: DayTables,
    *,
    kinds: Collection[Kind],
    hcode: str,
    history: pd.DataFrame,
    settings: TransformSettings | None = None,
    explicit_request: bool = False,
) -> Transformed:
    """The claims and issues of one service day.

    Args:
        tables: The contract tables of the day.
        kinds: The kinds of claim wanted.
        hcode: The account's facility, 5 digits.
        history: Claims that are accepted or under way: kind, pid, vn, service_date. A row of the same kind and visit is
            the claim itself and does not count against it.
        settings: The site's settings.
        explicit_request: True for workbook input: a record that is not even a candidate gets an issue, and a result
            that cannot be used holds its claim back.

    Raises:
        ConfigurationError: A code list of the site is malformed.
    """
    day = service_day(
        tables,
        hcode=hcode,
        history=history,
        settings=settings or TransformSettings(),
        explicit_request=explicit_request,
    )
    of_visits = [*visits.findings(day.visits, hcode, day.day), *person.findings(day.visits, day.codes)]
    results = [
        _of_kind(day, kind_of_claim, of_visits)
        for kind_of_claim in KINDS_OF_CLAIM
        if kind_of_claim.kind in kinds and not getattr(tables, kind_of_claim.table).empty
    ]
    found = [issue for result in results for issue in result.issues]
    found += unmapped(day, kinds)
    if explicit_request:
        found += ineligible(day, kinds)
    return Transformed(
        tuple(claim for result in results for claim in result.claims),
        tuple(sorted(found, key=lambda issue: (KINDS.index(issue.kind), issue.vn, issue.item, issue.rule))),
        sum((result.counts for result in results), Counter()),
    )


def _of_kind(day: ServiceDay, kind_of_claim: KindOfClaim, of_visits: list[Finding]) -> Transformed:
    kind = kind_of_claim.kind
    candidates = kind_of_claim.candidates(day)
    by_his = candidates["his_claimed"]
    counts = Counter({CLAIMED_BY_HIS: int(by_his.sum())})
    candidates = candidates[~by_his].sort_values(["vn", "item"]).reset_index(drop=True)
    if candidates.empty:
        return Transformed(counts=counts)
    rows = pd.Index(day.visits["vn"]).get_indexer(candidates["vn"])
    findings = [
        *(finding.at(rows) for finding in of_visits),
        *kind_of_claim.findings(day, candidates),
        Finding(RATE_UNKNOWN, candidates["baht"].isna().to_numpy()),
    ]
    sendable = ~errors(findings, kind=kind, day=day.day, size=len(candidates))
    findings.append(_repeated(day, kind_of_claim, candidates, sendable))
    sendable = ~errors(findings, kind=kind, day=day.day, size=len(candidates))
    claims, refused = _built(day, kind_of_claim, candidates[sendable])
    under_way = {(claim.vn, claim.item) for claim in claims}
    blocking = issues(candidates, findings, kind=kind, hcode=day.hcode, day=day.day, severity="error")
    # A warning is about a claim that is sent; where there is an error, that says what to do.
    warnings = (
        issue
        for issue in issues(candidates, findings, kind=kind, hcode=day.hcode, day=day.day, severity="warning")
        if (issue.vn, issue.item) in under_way
    )
    return Transformed(tuple(claims), (*blocking, *refused, *warnings), counts)


def _repeated(day: ServiceDay, kind_of_claim: KindOfClaim, candidates: pd.DataFrame, sendable: Mask) -> Finding:
    """Finds a person's second claim of an item on one day; the earlier visit is the one that claims.

    A visit that has claimed already counts as the earlier one, even if another was entered later with an earlier time.
    """
    claimed = day.history.loc[day.history["kind"] == kind_of_claim.kind, "vn"]
    ordered = candidates[sendable]
    # Uses the table's own rows: assigning a longer Series to an empty table would add rows.
    ordered = ordered.assign(unclaimed=~ordered["vn"].isin(claimed))
    ordered = ordered.sort_values(["unclaimed", "visit_time", "vn"])
    later = ordered.index[ordered.duplicated(["pid", "item"])]
    return kind_of_claim.repeated(day, np.isin(candidates.index.to_numpy(), later.to_numpy()))


def _built(day: ServiceDay, kind_of_claim: KindOfClaim, sendable: pd.DataFrame) -> tuple[list[Claim], list[Issue]]:
    payload_of = kind_of_claim.payloads(day, sendable)
    claims, refused = [], []
    for row in sendable.assign(baht=sendable["baht"].fillna(0).astype(int)).itertuples(index=False):
        try:
            payload = payload_of(row).canonical()
        except ValidationError as error:
            refused.append(_refused(day, kind_of_claim.kind, row, error))
        else:
            claims.append(_claim(day, kind_of_claim.kind, row, payload))
    return claims, refused


def _claim(day: ServiceDay, kind: Kind, row: Any, payload: bytes) -> Claim:
    return Claim(
        hcode=day.hcode,
        kind=kind,
        vn=row.vn,
        item=row.item,
        hn=row.hn,
        pid=row.pid,
        service=SERVICES[kind],
        service_date=day.day,
        baht=row.baht,
        payload=payload,
        payload_hash=payload_hash(payload),
    )


def _refused(day: ServiceDay, kind: Kind, row: Any, error: ValidationError) -> Issue:
    """An issue for what the payload models refuse though no rule did; it names the fields, not their values."""
    fields = sorted({".".join(map(str, fault["loc"])) or error.title for fault in error.errors(include_input=False)})
    message = CONTRACT.sentence(fields=", ".join(fields))
    return Issue(
        day.hcode, kind, row.vn, row.hn, row.item, day.day, CONTRACT.code, CONTRACT.severity, message, CONTRACT.column
    )

"""Makes claims and issues from the contract tables of one service day. This is the entry point of transform."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from core import clock
from core.messages import Message
from extract.contract import DayTables, Wanted
from transform import person, visits
from transform.claim import KINDS, SERVICES, Claim, Issue, Kind, Transformed, payload_hash
from transform.codes import read_codes, three_characters
from transform.dates import buddhist_fiscal_year
from transform.dm import DM
from transform.dt import DT
from transform.epi import EPI
from transform.ht import HT
from transform.ineligible import ineligible
from transform.labs_of_day import labs_of_other_visits
from transform.rule import Finding, Mask, Rule, errors, issues
from transform.service_day import KindOfClaim, ServiceDay, service_day
from transform.settings import TransformSettings
from transform.sources import API, DATABASES
from transform.unmapped import unmapped
from transform.workbook_rows import ItemKey

CLAIMED_BY_HIS = "claimed by the HIS"
WITHOUT_VISIT = "doses without a visit"
KINDS_OF_CLAIM = (DM, HT, EPI, DT)

RATE_UNKNOWN = Rule(
    "claim.rate_unknown",
    "warning",
    "visits.visit_date",
    Message(
        "ไม่มีอัตราจ่ายของ {items} ในปีงบประมาณ {year} จึงนับยอดเงินเป็น 0 บาท",
        "No rate of {items} is known for fiscal year {year}: it counts as 0 baht.",
    ),
    Message(
        "กรุณาเพิ่มอัตราของปีนั้นในไฟล์ rates.csv ของ transform.codes_folder",
        "Add that year's rate to rates.csv of transform.codes_folder.",
    ),
    "rates change by announcement",
    of_code=True,
)
STILL_TO_COME = Rule(
    "visit.still_to_come",
    "error",
    "visits.visit_date",
    Message("วันที่รับบริการ ({date}) ยังมาไม่ถึง", "The day of the visit ({date}) is still to come."),
    visits.MEND,
    DATABASES,
)
CONTRACT = Rule(
    "claim.contract",
    "error",
    "visits.vn",
    Message("ข้อมูลที่จะส่งไม่ตรงรูปแบบของ MOPH Claim ที่ {fields}", "The payload is not of MOPH Claim's form at {fields}."),
    Message("กรุณาแก้ข้อมูลส่วนนี้ใน HIS", "Mend this part of the record in the HIS."),
    API,
)
RULES = (RATE_UNKNOWN, STILL_TO_COME, CONTRACT)


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
        icd10_prefixes=three_characters(diseases["prefix"]),
        first_time_icd10=three_characters(diseases.loc[diseases["first_time"] == "yes", "prefix"]),
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
    today: date | None = None,
) -> Transformed:
    """The claims and issues of one service day.

    Args:
        tables: The contract tables of the day.
        kinds: The kinds of claim wanted.
        hcode: The account's facility, 5 digits.
        history: Claims that are accepted or under way: kind, pid, item, vn, service_date, and yields (bool): it waits for
            its closing code and is certainly not accepted, so it gives way to a claim whose visit has its code. A row of
            the same kind, item and visit is the claim itself and does not count against it.
        settings: The site's settings.
        explicit_request: True for workbook input: a record that is not even a candidate gets an issue, and a result
            that cannot be used holds its claim back.
        today: The present day in Bangkok; the clock's by default.

    Raises:
        ConfigurationError: A code list of the site is malformed.
    """
    day = service_day(
        tables,
        hcode=hcode,
        history=history,
        settings=settings or TransformSettings(),
        today=today or clock.today(),
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
    found += labs_of_other_visits(day, kinds)
    if explicit_request:
        found += ineligible(day, kinds)
    return Transformed(
        tuple(claim for result in results for claim in result.claims),
        tuple(sorted(found, key=lambda issue: (KINDS.index(issue.kind), issue.vn, issue.item, issue.rule))),
        sum((result.counts for result in results), Counter({WITHOUT_VISIT: tables.doses_without_visit})),
        tuple(record for result in results for record in result.claimed_by_his),
        tuple(pair for result in results for pair in result.set_aside),
    )


def _of_kind(day: ServiceDay, kind_of_claim: KindOfClaim, of_visits: list[Finding]) -> Transformed:
    kind = kind_of_claim.kind
    day = replace(day, visits=visits.with_claims_of_his(day.visits, kind))
    candidates = kind_of_claim.candidates(day).sort_values(["vn", "item"])
    by_his = candidates["his_claim_uid"].notna()
    dropped = candidates.loc[by_his, ["vn", "item", "his_claim_uid"]]
    claimed_by_his = tuple((kind, *record) for record in dropped.itertuples(index=False, name=None))
    counts = Counter({CLAIMED_BY_HIS: len(claimed_by_his)})
    candidates = candidates[~by_his].reset_index(drop=True)
    if candidates.empty:
        return Transformed(counts=counts, claimed_by_his=claimed_by_his)
    rows = pd.Index(day.visits["vn"]).get_indexer(candidates["vn"])
    findings = [
        *(finding.at(rows) for finding in of_visits),
        *kind_of_claim.findings(day, candidates),
        visits.midnight(candidates),
        _without_rate(day, kind, candidates),
        Finding(STILL_TO_COME, np.full(len(candidates), day.day > day.today), {"date": day.day.isoformat()}),
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
    set_aside = tuple(_set_aside(day, kind_of_claim, candidates, claims))
    return Transformed(tuple(claims), (*blocking, *refused, *warnings), counts, claimed_by_his, set_aside)


def _without_rate(day: ServiceDay, kind: Kind, candidates: pd.DataFrame) -> Finding:
    missing = ", ".join(day.codes.without_rate(kind))
    year = str(buddhist_fiscal_year(day.day))
    return Finding(RATE_UNKNOWN, candidates["baht"].isna().to_numpy(), {"items": missing, "year": year})


def _repeated(day: ServiceDay, kind_of_claim: KindOfClaim, candidates: pd.DataFrame, sendable: Mask) -> Finding:
    """Finds a person's second claim of an item on one day.

    The visit that has claimed already stays the one, even if another was entered later with an earlier time; else the
    first that has its closing code; else the first.
    """
    past = day.history
    claimed = past.loc[(past["kind"] == kind_of_claim.kind) & ~past["yields"], ["vn", "item"]]
    ordered = candidates[sendable]
    # Uses the table's own rows: assigning a longer Series to an empty table would add rows.
    unclaimed = ~pd.MultiIndex.from_frame(ordered[["vn", "item"]]).isin(pd.MultiIndex.from_frame(claimed))
    ordered = ordered.assign(unclaimed=unclaimed, unclosed=~ordered["closed"])
    ordered = ordered.sort_values(["unclaimed", "unclosed", "visit_time", "vn"])
    later = ordered.index[ordered.duplicated(["pid", "item"])]
    return kind_of_claim.repeated(day, np.isin(candidates.index.to_numpy(), later.to_numpy()))


def _set_aside(
    day: ServiceDay, kind_of_claim: KindOfClaim, candidates: pd.DataFrame, claims: list[Claim]
) -> Iterator[tuple[ItemKey, ItemKey]]:
    """The claims of the history that gave way to one of the claims made, each with that claim."""
    if not day.history["yields"].any():  # the usual case
        return
    kind, made = kind_of_claim.kind, {(claim.vn, claim.item) for claim in claims}
    others = day.all_other_claims(candidates, kind)
    others = others[others["gives_way"] & kind_of_claim.against(day, others)]
    here = candidates["vn"].iloc[others["row"]]
    for vn_here, vn, item in zip(here, others["vn"], others["item"], strict=True):
        if (vn_here, item) in made:
            yield (kind, vn, item), (kind, vn_here, item)


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

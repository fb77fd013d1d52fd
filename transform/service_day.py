"""One service day ready for the rules, and what a kind of claim is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from extract.contract import DayTables
from transform.claim import Kind
from transform.codes import CodesOn, read_codes
from transform.diagnoses import own_diagnoses
from transform.payload import Payload
from transform.person import with_person
from transform.rule import Finding, Mask
from transform.settings import TransformSettings
from transform.visits import with_visit


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ServiceDay:
    """What the rules of every kind look at.

    Args:
        day: The service day.
        hcode: The account's facility, 5 digits.
        visits: The contract table with what `with_person` and `with_visit` add.
        diagnoses: Those of the visits themselves, as `own_diagnoses` gives them.
        earlier: The contract table's rows of earlier visits.
        labs: The contract table.
        vaccinations: The contract table.
        history: Claims accepted or under way: kind, pid, vn, service_date.
        codes: The lists as they stand on that day.
        settings: What the site has set.
        meant: Somebody means every record to be claimed, each result of it.
    """

    day: date
    hcode: str
    visits: pd.DataFrame
    diagnoses: pd.DataFrame
    earlier: pd.DataFrame
    labs: pd.DataFrame
    vaccinations: pd.DataFrame
    history: pd.DataFrame
    codes: CodesOn
    settings: TransformSettings
    explicit_request: bool

    def other_claims(self, candidates: pd.DataFrame, kind: Kind) -> pd.DataFrame:
        """Claims of that kind for the candidates' persons at other visits: row (the candidate's position), service_date."""
        past = self.history.loc[self.history["kind"] == kind, ["pid", "vn", "service_date"]]
        persons = candidates[["pid", "vn"]].assign(row=np.arange(len(candidates))).dropna(subset=["pid"])
        met = persons.merge(past, on="pid", suffixes=("", "_past"))
        # The same visit is the claim itself, met again when its day is read again.
        return met.loc[met["vn"] != met["vn_past"], ["row", "service_date"]].sort_values(["row", "service_date"])


class KindOfClaim(NamedTuple):
    """How claims of one kind are made.

    Args:
        kind: dm, ht, epi or dt.
        table: The contract table without whose rows there is no candidate.
        candidates: The records that should be a claim: the columns of the visits, with item (the vaccine code or ""),
            baht (missing where no rate is known) and his_claimed; positions from 0.
        findings: What is wrong with the candidates by the rules of this kind alone.
        repeated: The finding for a second claim of a person and item on one day.
        payloads: For the candidates that go: what makes the payload of one (a named tuple of its columns).
    """

    kind: Kind
    table: Literal["labs", "vaccinations"]
    candidates: Callable[[ServiceDay], pd.DataFrame]
    findings: Callable[[ServiceDay, pd.DataFrame], list[Finding]]
    repeated: Callable[[ServiceDay, Mask], Finding]
    payloads: Callable[[ServiceDay, pd.DataFrame], Callable[[Any], Payload]]


def service_day(
    tables: DayTables, *, hcode: str, history: pd.DataFrame, settings: TransformSettings, explicit_request: bool = False
) -> ServiceDay:
    """The contract tables with what all rules need beside."""
    codes = read_codes(settings.codes_folder).on(tables.day)
    past = history[["kind", "pid", "vn", "service_date"]].astype({"kind": "str", "pid": "str", "vn": "str"})
    past["service_date"] = pd.to_datetime(past["service_date"]).astype("datetime64[us]")
    visits = with_visit(with_person(tables.visits.reset_index(drop=True), codes))
    return ServiceDay(
        day=tables.day,
        hcode=hcode,
        visits=visits,
        diagnoses=own_diagnoses(tables.diagnoses, visits),
        earlier=tables.diagnoses[tables.diagnoses["earlier"]],
        labs=tables.labs,
        vaccinations=tables.vaccinations,
        history=past,
        codes=codes,
        settings=settings,
        explicit_request=explicit_request,
    )


def right_qualifies(day: ServiceDay, kind: Kind) -> "pd.Series[bool]":
    """Whether each visit's right pays for a kind of claim; `*` in the list is any right, a missing one too."""
    rights = day.codes.rights[kind]
    scheme = day.visits["scheme"].str.upper()
    return scheme.isin(rights) | ("*" in rights)


def has_diagnosis(day: ServiceDay, kind: Kind) -> "pd.Series[bool]":
    """Whether each visit has a diagnosis of a kind of claim, of any rank."""
    of_kind = day.diagnoses["icd10"].str.startswith(day.codes.prefixes(kind))
    return day.visits["vn"].isin(day.diagnoses.loc[of_kind, "vn"])

"""One service day prepared for the rules, and the functions that make one kind of claim."""

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
    """The data that the rules of all kinds use.

    Args:
        day: The service day.
        hcode: The account's facility, 5 digits.
        visits: The contract table with the columns of `with_person` and `with_visit`.
        diagnoses: Those of the visits themselves, as `own_diagnoses` returns them.
        earlier: The contract table's rows of earlier visits.
        labs: The contract table.
        vaccinations: The contract table.
        history: Claims accepted or under way, as `make_claims` takes them.
        codes: The lists on that day.
        settings: The site's settings.
        explicit_request: As in `make_claims`.
        today: The present day in Bangkok.
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
    today: date

    def other_claims(self, candidates: pd.DataFrame, kind: Kind) -> pd.DataFrame:
        """Claims of the candidates' persons and items at other visits that count, as `all_other_claims` gives them.

        One that waits for its closing code does not count against a candidate that has one: it gives way.
        """
        others = self.all_other_claims(candidates, kind)
        return others[~others["gives_way"]]

    def all_other_claims(self, candidates: pd.DataFrame, kind: Kind) -> pd.DataFrame:
        """Claims of one kind of the candidates' persons and items at other visits, ordered by row and day.

        Returns:
            row (the candidate's position), vn (the other visit's), item, service_date, gives_way.
        """
        past = self.history[self.history["kind"] == kind]
        persons = candidates[["pid", "vn", "item", "closed"]].assign(row=np.arange(len(candidates)))
        met = persons.dropna(subset=["pid"]).merge(past, on=["pid", "item"], suffixes=("_here", ""))
        # A claim of the same visit is the candidate itself, when its day is read again.
        met = met[met["vn"] != met["vn_here"]].sort_values(["row", "service_date", "vn"])
        met = met.assign(gives_way=met["yields"] & met["closed"])
        return met[["row", "vn", "item", "service_date", "gives_way"]]


class KindOfClaim(NamedTuple):
    """How claims of one kind are made.

    Args:
        kind: dm, ht, epi or dt.
        table: The contract table that candidates come from; without rows in it there are none.
        candidates: The records that should become claims: the columns of the visits, with item (the vaccine code or
            ""), baht (missing if no rate is known) and his_claim_uid (missing if the HIS has not claimed it); positions
            from 0.
        findings: Applies the rules of this kind.
        against: Which of the other claims, as `all_other_claims` gives them, stand against their candidates.
        repeated: The finding for a second claim of a person and item on one day.
        payloads: For the candidates to be sent: a function that makes the payload of one (a named tuple of its
            columns).
    """

    kind: Kind
    table: Literal["labs", "vaccinations"]
    candidates: Callable[[ServiceDay], pd.DataFrame]
    findings: Callable[[ServiceDay, pd.DataFrame], list[Finding]]
    against: Callable[[ServiceDay, pd.DataFrame], "pd.Series[bool]"]
    repeated: Callable[[ServiceDay, Mask], Finding]
    payloads: Callable[[ServiceDay, pd.DataFrame], Callable[[Any], Payload]]


def service_day(
    tables: DayTables,
    *,
    hcode: str,
    history: pd.DataFrame,
    settings: TransformSettings,
    today: date,
    explicit_request: bool = False,
) -> ServiceDay:
    """Prepare the contract tables for the rules."""
    codes = read_codes(settings.codes_folder).on(tables.day)
    types = {"kind": "str", "pid": "str", "item": "str", "vn": "str", "yields": "bool"}
    past = history[[*types, "service_date"]].astype(types)
    past["service_date"] = pd.to_datetime(past["service_date"]).astype("datetime64[us]")
    visits = with_visit(with_person(tables.visits.reset_index(drop=True), codes))
    return ServiceDay(
        day=tables.day,
        hcode=hcode,
        visits=visits,
        diagnoses=own_diagnoses(tables.diagnoses, visits, codes.limit("diagnosis_days")),
        earlier=tables.diagnoses[tables.diagnoses["earlier"]],
        labs=tables.labs,
        vaccinations=tables.vaccinations,
        history=past,
        codes=codes,
        settings=settings,
        explicit_request=explicit_request,
        today=today,
    )


def right_qualifies(day: ServiceDay, kind: Kind) -> "pd.Series[bool]":
    """Whether each visit's right pays for a kind of claim; `*` in the list means any right, even a missing one."""
    rights = day.codes.rights[kind]
    scheme = day.visits["scheme"].str.upper()
    return scheme.isin(rights) | ("*" in rights)


def has_diagnosis(day: ServiceDay, kind: Kind) -> "pd.Series[bool]":
    """Whether each visit has a diagnosis of a kind of claim, of any type."""
    of_kind = day.diagnoses["icd10"].str.startswith(day.codes.prefixes(kind))
    return day.visits["vn"].isin(day.diagnoses.loc[of_kind, "vn"])

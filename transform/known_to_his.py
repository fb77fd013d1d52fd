"""Adds to the tables of a workbook what the HIS knows of its persons and visits."""

from dataclasses import replace

import pandas as pd

from extract import contract
from extract.contract import DayTables, Wanted
from transform.dates import gregorian_days
from transform.person import PLACEHOLDER, fits_check_digit, identity_numbers


def persons_to_ask_for(tables: DayTables, first_time: Wanted) -> pd.DataFrame:
    """The persons of a day whose earlier diagnoses decide about a claim: vn, hn and cid of their visits.

    Args:
        tables: The service day.
        first_time: What the kinds that are paid only when newly diagnosed need.
    """
    visits = tables.visits[["vn", "hn", "cid"]]
    return visits[visits["vn"].isin(tables.labs.loc[tables.labs["lab_code"].isin(first_time.lab_codes), "vn"])]


def with_earlier_diagnoses(tables: DayTables, first: pd.DataFrame, first_time: Wanted) -> DayTables:
    """The day with the HIS's earliest diagnosis of each person that is before the day.

    A person is known by the identity number, whatever the hospital number; by the hospital number where the HIS has no
    identity number for it, or one that cannot be right.

    Args:
        tables: The service day.
        first: As `extract.source.HisSource.first_diagnoses` returns it.
        first_time: As in `persons_to_ask_for`.
    """
    first = first.assign(gregorian=gregorian_days(first["dx_date"]), pid=identity_numbers(first))
    first = first[first["gregorian"] < pd.Timestamp(tables.day)]
    identified = fits_check_digit(first["pid"]) & ~first["pid"].str.fullmatch(PLACEHOLDER).fillna(False).astype(bool)
    persons = persons_to_ask_for(tables, first_time)
    persons = persons.assign(pid=identity_numbers(persons))
    columns = ["icd10", "dx_date", "gregorian"]
    met = pd.concat(
        [
            persons.dropna(subset=["pid"]).merge(first.loc[identified, ["pid", *columns]], on="pid"),
            persons.dropna(subset=["hn"]).merge(first.loc[~identified, ["hn", *columns]], on="hn"),
        ]
    )
    earliest = met.sort_values(["vn", "gregorian", "icd10"]).drop_duplicates("vn")
    if earliest.empty:
        return tables
    rows = contract.empty("diagnoses").reindex(range(len(earliest)))
    rows = rows.assign(**{name: earliest[name].to_numpy() for name in ("vn", "icd10", "dx_date")}, earlier=True)
    diagnoses = pd.concat([tables.diagnoses, rows.astype(tables.diagnoses.dtypes)], ignore_index=True)
    return replace(tables, diagnoses=diagnoses)


def with_own_claims(tables: DayTables, claimed: pd.DataFrame) -> DayTables:
    """The day with the HIS's own transaction numbers in its visits and doses.

    Args:
        tables: The service day.
        claimed: As `extract.source.HisSource.own_claims` returns it.
    """
    by_visit = claimed[claimed["vaccine_code"].isna()].set_index("vn")
    of_doses = claimed.dropna(subset=["vaccine_code"]).drop(columns="his_claim_kinds")
    known = {name: by_visit[name].reindex(tables.visits["vn"]).array for name in ("his_claim_uid", "his_claim_kinds")}
    doses = tables.vaccinations.drop(columns="his_claim_uid").merge(of_doses, on=["vn", "vaccine_code"], how="left")
    return replace(
        tables,
        visits=tables.visits.assign(**known).astype(dict.fromkeys(known, contract.TEXT)),
        vaccinations=doses[list(tables.vaccinations.columns)],
    )

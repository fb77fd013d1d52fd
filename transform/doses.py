"""Vaccine doses as candidates: one per visit and code, even if several families of HIS tables have the dose."""

import numpy as np
import pandas as pd

from transform.claim import Kind
from transform.dates import day_column, day_texts, is_buddhist
from transform.service_day import ServiceDay, right_qualifies
from transform.text import is_blank

FAMILIES = ("ovst", "wbc", "epi", "school", "anc")
NEEDED_TEXT = ("lot_number", "provider_name", "license_no")
USEFUL = ("given_date", "given_time", "manufacturer", "vaccine_name", "local_code", "dose_quantity")


def doses(day: ServiceDay, kind: Kind) -> pd.DataFrame:
    """Every dose whose code is listed for the kind: the columns of visits and vaccinations, and

    - item (the code), baht, his_claim_uid (the HIS's transaction of the dose in any family, else of the visit);
    - in_anc: the dose is in the antenatal tables;
    - given: the day it was given (the visit's if no usable one is stored); given_minute: that day and time, as text;
    - the columns of the code's row in the list that is valid on that day (all missing if none is): name_en, sex_only, …
    """
    listed = day.codes.vaccines[day.codes.vaccines["service"] == kind]
    rows = day.vaccinations[day.vaccinations["vaccine_code"].isin(listed["code"])]
    group = [rows["vn"], rows["vaccine_code"]]
    rows = rows.assign(
        in_anc=(rows["family"] == "anc").groupby(group).transform("any"),
        dose_uid=rows["his_claim_uid"].groupby(group).transform("max"),
    )
    rows = most_complete_doses(rows).drop(columns="his_claim_uid").rename(columns={"vaccine_code": "item"})
    rows = day.visits[right_qualifies(day, kind)].merge(rows, on="vn").reset_index(drop=True)
    rate = day.codes.rates.get(kind, np.nan)
    given = rows["given_date"].mask(is_buddhist(rows["given_date"])).fillna(day_column(day.day, rows.index))
    rows = rows.assign(
        baht=float(rate),
        his_claim_uid=rows["dose_uid"].fillna(rows["his_claim_uid"]),
        given=given,
        given_minute=day_texts(given) + " " + _given_time(rows),
        expiry_text=day_texts(rows["expiration_date"]),
    )
    return _with_listed(rows, listed)


def most_complete_doses(vaccinations: pd.DataFrame) -> pd.DataFrame:
    """The doses that count: of each vaccine code in each visit the one that has most of what a claim needs.

    That row is taken as it is; what it lacks is never filled in from another family's. Doses without a code all count.

    Args:
        vaccinations: The contract table.

    Returns:
        The rows that count, ordered by visit and code.
    """
    needed = sum(
        (is_blank(vaccinations[name]).astype(int) for name in NEEDED_TEXT),
        vaccinations["expiration_date"].isna().astype(int),
    )
    rows = vaccinations.assign(
        lacking=needed * 10 + vaccinations[list(USEFUL)].isna().sum(axis=1),
        rank=vaccinations["family"].map({family: rank for rank, family in enumerate(FAMILIES)}).fillna(len(FAMILIES)),
    )
    # Sorted by every column that is sent, so that the same rows in another order give the same bytes.
    rows = rows.sort_values(["vn", "vaccine_code", "lacking", "rank", "expiration_date", *NEEDED_TEXT, *USEFUL])
    repeats = rows["vaccine_code"].notna() & rows.duplicated(["vn", "vaccine_code"])
    return rows.loc[~repeats, list(vaccinations.columns)]


def _given_time(rows: pd.DataFrame) -> "pd.Series[str]":
    """The time it was given; the visit's time only if the dose has the visit's day or none."""
    own = rows["given_time"].where(rows["given_date"].notna())
    on_visit = rows["given_date"].isna() | (rows["given_date"] == rows["visit_date"])
    time: pd.Series[str] = own.fillna(rows["visit_time"].where(on_visit))
    return time


def _with_listed(rows: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """The doses with the list's row of their code that is valid on the day given; missing values if none is."""
    columns = ["name_en", "name_th", "sex_only", "age_from", "age_to", "ga_from", "ga_to"]
    bounds = listed.rename(columns={"code": "item", "sex": "sex_only"})[["item", "valid_from", "valid_to", *columns]]
    met = rows[["item", "given"]].assign(row=rows.index).merge(bounds, on="item")
    started = met["valid_from"].isna() | (met["valid_from"] <= met["given"])
    valid = met[started & (met["valid_to"].isna() | (met["valid_to"] >= met["given"]))].set_index("row")[columns]
    numbers = {name: valid[name].astype(float) for name in ("age_from", "age_to", "ga_from", "ga_to")}
    return rows.join(valid.assign(**numbers))

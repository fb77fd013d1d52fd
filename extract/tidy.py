"""From a HIS's typed rows to the contract's: codes in one spelling, join duplicates gone, one order on every server."""

import pandas as pd

from extract.values import column


def visits(rows: pd.DataFrame) -> pd.DataFrame:
    """Visits, one row each, in the order of their numbers. A row said twice is one; a visit said in two ways stays two."""
    rows = rows.assign(scheme=rows["scheme"].str.upper())
    return _ordered(rows).drop_duplicates()


def diagnoses(rows: pd.DataFrame) -> pd.DataFrame:
    """ICD-10 diagnoses without dots; procedures (ICD-9, digits first) dropped; of a person's earlier ones the earliest."""
    rows = rows.assign(icd10=rows["icd10"].str.upper().str.replace(r"[.\s]", "", regex=True))
    rows = _ordered(rows[rows["icd10"].str.match(r"[A-Z]", na=False)]).drop_duplicates()
    earlier = rows[rows["earlier"]].sort_values(["vn", "dx_date", "icd10"]).drop_duplicates("vn")
    return pd.concat([rows[~rows["earlier"]], earlier])


def labs(rows: pd.DataFrame, lab_map: dict[str, str], lab_codes: tuple[str, ...]) -> pd.DataFrame:
    """Wanted lab results that are not blank, one a visit, order and item; of one instant the later order comes last.

    Args:
        rows: The columns of the contract and lab_order.
        lab_map: The site's NHSO code by local item, stronger than the database's own.
        lab_codes: The NHSO codes wanted.
    """
    rows = rows.assign(
        lab_code=rows["local_code"].map(lab_map).astype(rows["lab_code"].dtype).fillna(rows["lab_code"]),
        order_number=pd.to_numeric(rows["lab_order"], errors="coerce"),
    )
    rows = rows[rows["lab_code"].isin(lab_codes) & rows["result"].notna()]
    by = [
        "vn",
        "lab_code",
        "result_date",
        "result_time",
        "order_number",
        "lab_order",
        "local_code",
        "lab_name",
        "result",
    ]
    return rows.sort_values(by).drop_duplicates(["vn", "lab_order", "local_code"])


def vaccinations(rows: pd.DataFrame) -> pd.DataFrame:
    """Vaccinations; the moment of the dose, where the HIS keeps it, stands for the visit's date and time."""
    given_date, given_time = column(list(rows["given_at"]), "date"), column(list(rows["given_at"]), "time")
    rows = rows.assign(
        vaccine_code=rows["vaccine_code"].str.upper(),
        given_time=given_time.where(given_date.notna(), rows["given_time"]),
        given_date=given_date.fillna(rows["given_date"]),
    )
    return _ordered(rows)


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    # By every column: servers return rows as they please, and the same input must give the same bytes.
    return rows.sort_values(list(rows.columns))

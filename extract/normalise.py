"""Turns a HIS's typed rows into the contract's: codes translated, repeated rows dropped, sorted.

A local code is translated by the site's own maps; where they have no entry, the HIS's code counts, translated by the
maps of its folder. A local code that the site's map declares to be nothing is removed, so that nobody is asked again.
"""

from collections.abc import Mapping

import pandas as pd

from extract.his_file import MapName
from extract.site_maps import NOTHING, SiteMaps, translated
from extract.values import column

HisMaps = Mapping[MapName, Mapping[str, str]]

_OF_VISITS: dict[MapName, tuple[str, str]] = {
    "schemes": ("local_scheme", "scheme"),
    "nationalities": ("local_nation", "nation"),
    "marital_status": ("local_marriage", "marriage"),
    "occupations": ("local_occupa", "occupa"),
}


def visits(rows: pd.DataFrame, site_maps: SiteMaps, his_maps: HisMaps) -> pd.DataFrame:
    """Visits in the order of their numbers, without repeated rows. A visit with two different rows keeps both."""
    rows = rows.assign(scheme=rows["scheme"].str.upper())
    for name, (local, code) in _OF_VISITS.items():
        found = translated(rows[local], rows[code], site_maps.get(name, {}), his_maps.get(name, {}))
        decided = found == NOTHING
        # A right that is decided to pay for nothing stays one, for a visit without any is asked about.
        rows = rows.assign(
            **{local: rows[local].mask(decided), code: found if name == "schemes" else found.mask(decided)}
        )
    # A number that no map translates is not a scheme; if it were kept, its visits would silently not be claimed.
    group = rows["scheme"].str.isdecimal().fillna(False).astype(bool)
    rows = rows.assign(scheme=rows["scheme"].mask(group))
    return _ordered(rows).drop_duplicates()


def diagnoses(rows: pd.DataFrame) -> pd.DataFrame:
    """ICD-10 diagnoses without dots; procedures (ICD-9 begins with a digit) are dropped, of earlier ones the first of each code is kept."""
    rows = rows.assign(icd10=rows["icd10"].str.upper().str.replace(r"[.\s]", "", regex=True))
    rows = _ordered(rows[rows["icd10"].str.match(r"[A-Z]", na=False)]).drop_duplicates()
    earlier = rows[rows["earlier"]].sort_values(["vn", "dx_date", "icd10"]).drop_duplicates(["vn", "icd10"])
    return pd.concat([rows[~rows["earlier"]], earlier])


def labs(rows: pd.DataFrame, site_maps: SiteMaps, his_maps: HisMaps, lab_codes: tuple[str, ...]) -> pd.DataFrame:
    """Wanted lab results that are not blank, each once; rows that only a join has multiplied are dropped.

    If the HIS's folder has a map, only the items in it count as known to the HIS. If the site has a map of its own,
    results of unknown items are kept too, without a code, so that they can be reported.

    Args:
        rows: The contract's columns.
        site_maps: The site's own maps.
        his_maps: The maps of the HIS's folder.
        lab_codes: The NHSO codes wanted.
    """
    his_labs = his_maps.get("labs", {})
    given = rows["lab_code"].where(rows["lab_code"].isin([*his_labs])) if his_labs else rows["lab_code"]
    code = translated(rows["local_code"], given, site_maps.get("labs", {}), his_labs)
    rows = rows.assign(lab_code=code)
    wanted = code.isin(lab_codes) | (code.isna() & ("labs" in site_maps))
    rows = rows[wanted & rows["result"].notna()]
    of_result = ["vn", "local_code", "result_date", "result_time", "lab_order", "result"]
    return rows.sort_values(["vn", "lab_code", *of_result[1:], "lab_name"]).drop_duplicates(of_result)


def visits_of_labs(rows: pd.DataFrame, labs: pd.DataFrame) -> set[str]:
    """The numbers of the visits with these results, and of their persons' other visits of the day.

    Args:
        rows: The rows of the HIS, each result once for each visit of its person on that day.
        labs: The same, as `labs` returns them.
    """
    return {*labs["vn"], *rows.loc[rows["vn"].isin(labs["vn"]), "person_vn"].dropna()}


def vaccinations(rows: pd.DataFrame, site_maps: SiteMaps, his_maps: HisMaps) -> pd.DataFrame:
    """Vaccinations. Where the HIS stores when the dose was given, that replaces the visit's date and time.

    Local codes are only unique within a family of tables, so they get its name: "wbc:12", as in the site's map.
    """
    local = (rows["family"] + ":" + rows["local_code"]).astype(rows["local_code"].dtype)
    given = rows["vaccine_code"].str.upper()
    given_date, given_time = column(list(rows["given_at"]), "date"), column(list(rows["given_at"]), "time")
    rows = rows.assign(
        local_code=local,
        vaccine_code=translated(local, given, site_maps.get("vaccines", {}), his_maps.get("vaccines", {})),
        given_time=given_time.where(given_date.notna(), rows["given_time"]),
        given_date=given_date.fillna(rows["given_date"]),
    )
    return _ordered(rows[rows["vaccine_code"] != NOTHING])


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    # Sorted by every column: servers return rows in any order, and the same input must give the same bytes.
    return rows.sort_values(list(rows.columns))

"""A service day as rows of a workbook, so that a person can correct a claim or an issue there and import it again."""

from collections import defaultdict
from collections.abc import Collection, Hashable
from itertools import chain
from typing import Any

import pandas as pd

from extract.contract import DayTables
from extract.workbook.layout import SheetName, layouts
from extract.workbook.records import sheet_row
from extract.workbook.rows import Value
from transform.codes import CodesOn
from transform.doses import most_complete_doses
from transform.labs import latest_results


class SheetRows:
    """The rows of sheets that hold what the contract tables hold of a service day.

    A sheet has no place for the time of a result or for the table of the HIS that a dose came from. So it is given only
    the results and doses that claims are made of: those that `latest_results` and `most_complete_doses` keep.

    Args:
        tables: The service day.
        codes: The lists on that day.
    """

    def __init__(self, tables: DayTables, codes: CodesOn) -> None:
        # A dose from the antenatal tables was given in antenatal care, even if the HIS has no pregnancy numbers for it.
        antenatal = set(tables.vaccinations.loc[tables.vaccinations["family"] == "anc", "vn"])
        self._visits = {
            r["vn"]: r | {"antenatal": r["antenatal"] or r["vn"] in antenatal} for r in tables.visits.to_dict("records")
        }
        self._diagnoses: dict[str, dict[str, str]] = defaultdict(dict)
        own = tables.diagnoses[~tables.diagnoses["earlier"]]
        for of_type in own.groupby(["vn", "dx_type"])["icd10"].agg(", ".join).reset_index().to_dict("records"):
            self._diagnoses[of_type["vn"]][of_type["dx_type"]] = of_type["icd10"]
        self._items = {
            "labs": _by_visit(latest_results(tables.labs, chain(*codes.labs.values())).sort_values(["vn", "lab_code"])),
            "vaccinations": _by_visit(most_complete_doses(tables.vaccinations)),
        }

    def of(self, layout: SheetName, vn: str, codes: Collection[str]) -> list[dict[str, Value]]:
        """The rows of one visit on a sheet.

        Args:
            layout: Which kind of sheet.
            vn: The visit.
            codes: The lab codes or vaccine codes wanted. A result or dose without a code goes by its local code, or by
                "" where it has neither.

        Returns:
            One row a lab result or vaccination, as `sheet_row` gives it; empty where the visit has none of these codes.
        """
        sheet, visit = layouts()[layout], self._visits.get(vn)
        if visit is None:
            return []
        code = "lab_code" if sheet.table == "labs" else "vaccine_code"
        items = [
            item
            for item in self._items[sheet.table].get(vn, ())
            if next((item[name] for name in (code, "local_code") if pd.notna(item[name])), "") in codes
        ]
        return [sheet_row(sheet, visit, self._diagnoses.get(vn, {}), item) for item in items]


def _by_visit(rows: pd.DataFrame) -> dict[str, list[dict[Hashable, Any]]]:
    found: dict[str, list[dict[Hashable, Any]]] = defaultdict(list)
    for row in rows.to_dict("records"):
        found[row["vn"]].append(row)
    return found

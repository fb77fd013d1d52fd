"""What enters is checked, and what is wrong is named without showing anybody's record."""

from pathlib import Path

import pandas as pd
import pytest

from extract import contract
from extract.contract import TABLES, TableName
from extract.errors import ContractError
from extract.his_file import read_his_file


def _diagnoses(**changed: object) -> pd.DataFrame:
    row = {"vn": "1", "icd10": "E119", "dx_type": "1", "dx_date": None, "dx_time": "08:00", "earlier": False} | changed
    frame = pd.DataFrame({name: [value] for name, value in row.items()})
    return frame.astype({name: contract.DTYPES[kind] for name, kind in TABLES["diagnoses"].items() if name in frame})


@pytest.mark.parametrize("table", list(TABLES))
def test_empty_table_meets_the_contract(table: TableName) -> None:
    frame = contract.empty(table)
    assert contract.check(table, frame, "file") is frame


def test_good_row_meets_the_contract() -> None:
    contract.check("diagnoses", _diagnoses(), "diagnoses.sql")


@pytest.mark.parametrize(
    ("frame", "column"),
    [
        (_diagnoses().drop(columns="dx_date"), "dx_date"),
        (_diagnoses().assign(extra="x"), "extra"),
        (_diagnoses(icd10=None), "icd10"),
        (_diagnoses(dx_time="8:00"), "dx_time"),
        (_diagnoses(dx_time="24:00"), "dx_time"),
        (_diagnoses().astype({"dx_date": "datetime64[ns]"}), "dx_date"),
        (_diagnoses().astype({"vn": object}), "vn"),
    ],
)
def test_wrong_column_is_named_with_its_file(frame: pd.DataFrame, column: str) -> None:
    with pytest.raises(ContractError) as error:
        contract.check("diagnoses", frame, "site/diagnoses.sql")
    assert f"site/diagnoses.sql does not give what the contract wants in column {column}:" in error.value.message.en


def test_error_shows_no_value_and_drags_no_rows_along() -> None:
    with pytest.raises(ContractError) as error:
        contract.check("diagnoses", _diagnoses(dx_time="SECRET"), "diagnoses.sql")
    assert "SECRET" not in repr(error.value)
    assert error.value.__context__ is None


def test_same_visit_twice_breaks_the_contract() -> None:
    text = {name: ["1", "1"] for name in TABLES["visits"]}
    frame = pd.DataFrame(text).assign(visit_time="08:00", visit_date="2026-09-21", dob="1990-01-01", antenatal=False)
    frame = frame.astype({name: contract.DTYPES[kind] for name, kind in TABLES["visits"].items()})
    with pytest.raises(ContractError, match="vn"):
        contract.check("visits", frame, "visits.sql")


def test_hosxp_requires_only_what_its_statements_read() -> None:
    folder = Path(contract.__file__).parent / "sql" / "hosxp"
    statements = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.sql"))
    his = read_his_file(folder / "his.toml")
    statements += his.facility
    assert his.required
    assert all(name in statements for required in his.required for name in required.split("."))

"""What a HIS is asked of persons and visits that a workbook names, on the three databases."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from small_hospital import ALL, fill, settings_for

from bench.rows_examined import RowsExamined
from core.errors import ConfigurationError
from extract import person_history
from extract.contract import TEXT, Wanted
from extract.errors import ContractError
from extract.person_history import NO_FILE, NOT_BY_IDENTITY, PERSONS_A_STATEMENT, gap
from extract.source import HisSource, open_source
from sandbox.his import build_hosxp
from sandbox.his.jhcis.tables import jhcis_tables

DAY = date(2026, 9, 21)
# Made-up identity numbers with their check digits.
FIRST, SECOND = "1103702012340", "3100600123457"
HYPERTENSIVE = Wanted(icd10_prefixes=("I10",), first_time_icd10=("I10", "I11"), lab_codes=("32202", "32103"))


def persons(*pairs: tuple[str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["hn", "cid"], dtype=TEXT)


def found(source: HisSource, *pairs: tuple[str | None, str | None], day: date = DAY) -> list[tuple[str, str, str]]:
    rows = source.first_diagnoses(day, persons(*pairs), HYPERTENSIVE)
    return list(zip(rows["hn"], rows["icd10"], rows["dx_date"].dt.strftime("%Y-%m-%d"), strict=True))


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(scope="module")
def two_numbers(new_database: Callable[[], str]) -> str:
    """A HOSxP hospital that finds persons by identity number; one has two hospital numbers, and dashes in one of them."""
    url = new_database()
    patients = [
        {"hn": "000000001", "cid": FIRST},
        {"hn": "000000002", "cid": f"{FIRST[0]}-{FIRST[1:5]}-{FIRST[5:10]}-{FIRST[10:12]}-{FIRST[12]}"},
        {"hn": "000000003", "cid": SECOND},
    ]
    visits = [
        {"vn": "650301080000", "hn": "000000001", "vstdate": "2022-03-01"},
        {"vn": "640301080000", "hn": "000000002", "vstdate": "2021-03-01"},
        {"vn": "690921080000", "hn": "000000003", "vstdate": DAY.isoformat()},
    ]
    diagnoses = [
        {"ovst_diag_id": n, "vn": v["vn"], "icd10": code, "diagtype": "1"}
        for n, (v, code) in enumerate(zip(visits, ("i10 ", "I11.9", "I10"), strict=True))
    ]
    fill(url, {"patient": patients, "ovst": visits, "ovstdiag": diagnoses})
    execute(url, "CREATE INDEX ix_patient_cid ON patient (cid)")
    return url


def test_the_first_diagnosis_is_found_by_hospital_number(source: HisSource) -> None:
    assert found(source, ("000000003", None)) == [
        ("000000003", "I10", "2026-01-01"), ("000000003", "I119", "2025-06-01"),
    ]  # fmt: skip


def test_what_is_not_before_the_day_is_not_given(source: HisSource) -> None:
    assert found(source, ("000000003", None), day=date(2025, 6, 1)) == []


def test_a_day_in_buddhist_years_is_found_and_a_zero_date_is_not(source: HisSource) -> None:
    # Of 000000006 the earlier visit is kept as 2568-03-01, of 000000005 on no day.
    execute_patients = persons(("000000005", None), ("000000006", None))
    assert source.first_diagnoses(DAY, execute_patients, HYPERTENSIVE).empty  # neither stands in patient


def test_a_person_is_found_across_hospital_numbers_by_identity_number(two_numbers: str) -> None:
    with open_source(settings_for(two_numbers)) as source:
        assert gap(source.reader) is None
        assert found(source, (None, FIRST)) == [("000000001", "I10", "2022-03-01"), ("000000002", "I119", "2021-03-01")]
        assert found(source, (None, SECOND)) == []  # on the day itself
        assert found(source, (None, SECOND), day=DAY + timedelta(days=1)) == [("000000003", "I10", "2026-09-21")]


def test_without_an_index_a_person_is_asked_for_by_hospital_number_alone_and_that_is_said(source: HisSource) -> None:
    assert gap(source.reader) == NOT_BY_IDENTITY
    assert found(source, (None, "1103702012345")) == []


def test_what_no_his_can_hold_is_not_asked(source: HisSource) -> None:
    # Was: an error of the driver, for a number that fits no integer and a letter that TIS-620 does not have.
    assert found(source, ("9" * 40, "–"), ("😀", None)) == []
    assert source.own_claims(DAY, pd.Series(["9" * 40, "😀"], dtype=TEXT), ALL).empty


def test_more_persons_than_go_into_a_statement_are_all_asked(two_numbers: str) -> None:
    many = [(f"9{n:08}", None) for n in range(2 * PERSONS_A_STATEMENT)]
    with open_source(settings_for(two_numbers)) as source:
        assert {hn for hn, _, _ in found(source, *many, ("000000001", None))} == {"000000001"}


def test_nothing_is_asked_where_no_diagnosis_is_paid_only_when_new(source: HisSource) -> None:
    assert source.first_diagnoses(DAY, persons(("000000003", None)), Wanted()).empty


def test_what_the_his_claimed_itself_of_visits_and_doses(source: HisSource) -> None:
    asked = pd.Series(["690921130000", "690921160000", "690921080000", "690921-1"], dtype=TEXT)
    claimed = source.own_claims(DAY, asked, ALL).fillna("")
    assert claimed.to_numpy().tolist() == [
        ["690921130000", "", "uid-visit", ""], ["690921160000", "106", "uid-dose", ""],
    ]  # fmt: skip
    only_visits = source.own_claims(DAY, asked, HYPERTENSIVE)
    assert list(only_visits["vn"]) == ["690921130000"]


def test_the_first_diagnosis_in_jhcis_is_of_the_person_and_no_cancelled_visit(new_database: Callable[[], str]) -> None:
    url = new_database()
    ours = {"pcucode": "07533", "pcucodeperson": "07533"}
    rows: dict[str, list[dict[str, object]]] = {
        "office": [{"offid": "0000x"}, {"offid": "07533"}],
        "person": [
            {"pcucodeperson": "07533", "pid": 1, "idcard": FIRST},
            {"pcucodeperson": "99999", "pid": 1, "idcard": SECOND},  # another place's person of that number
        ],
        "visit": [
            ours | {"pid": 1, "visitno": 1, "visitdate": date(2023, 1, 5), "flagservice": "03"},
            ours | {"pid": 1, "visitno": 2, "visitdate": date(2022, 1, 5), "flagservice": "99"},
            ours | {"pid": 1, "visitno": 3, "visitdate": date(2567, 1, 5), "flagservice": None},
            ours | {"pcucodeperson": "99999", "pid": 1, "visitno": 4, "visitdate": date(2020, 1, 5)},
        ],
        "cdisease": [{"diseasecode": "HT-1", "mapdisease": "I11.9"}],
        "visitdiag": [
            {"pcucode": "07533", "visitno": number, "diagcode": code, "dxtype": "01"}
            for number, code in ((1, "HT-1"), (2, "I10"), (3, "I10"), (4, "I10"))
        ],
    }
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    metadata = jhcis_tables()
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table, records in rows.items():
            for record in records:
                connection.execute(metadata.tables[table].insert(), record)
    engine.dispose()
    with open_source(settings_for(url, kind="jhcis")) as source:
        assert gap(source.reader) == NOT_BY_IDENTITY
        assert found(source, ("1", SECOND)) == [("1", "I10", "2567-01-05"), ("1", "I119", "2023-01-05")]
        assert source.own_claims(DAY, pd.Series(["1", "07"], dtype=TEXT), ALL).empty
    execute(url, "CREATE INDEX ix_person_idcard ON person (idcard)")
    with open_source(settings_for(url, kind="jhcis")) as source:
        rows_found = source.first_diagnoses(DAY, persons((None, SECOND)), HYPERTENSIVE)
        assert rows_found[["cid", "icd10"]].to_numpy().tolist() == [[SECOND, "I10"]]


def test_a_folder_without_the_file_is_said_and_one_with_other_columns_refused(two_numbers: str, tmp_path: Path) -> None:
    with open_source(settings_for(two_numbers)) as source:
        statements = source.reader.statements
        (own,) = statements.folders
        statements.folders[:] = [tmp_path]
        assert gap(source.reader) == NO_FILE
        (tmp_path / person_history.FILE).write_text((own / person_history.FILE).read_text(encoding="utf-8"))
        assert gap(source.reader) is None
    (tmp_path / person_history.FILE).write_text("SELECT hn, cid FROM patient WHERE hn IN :persons")
    with open_source(settings_for(two_numbers, sql_folder=tmp_path)) as source, pytest.raises(ContractError):
        found(source, ("000000001", None))
    (tmp_path / person_history.FILE).write_text("DELETE FROM patient")
    with open_source(settings_for(two_numbers, sql_folder=tmp_path)) as source, pytest.raises(ConfigurationError):
        gap(source.reader)


@pytest.mark.slow
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)
def test_rows_examined_are_those_of_the_persons_asked_for(new_database: Callable[[], str], index: bool) -> None:
    url = new_database()
    build_hosxp(url, first_day=date(2026, 8, 1), days=20, visits_a_day=150, traps=False)
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if index:
            connection.exec_driver_sql("CREATE INDEX ix_patient_cid ON patient (cid)")
        postgres = connection.dialect.name == "postgresql"
        connection.exec_driver_sql("ANALYZE" if postgres else "ANALYZE TABLE patient, ovst, ovstdiag")
        everybody = connection.exec_driver_sql("SELECT hn, cid FROM patient ORDER BY hn").all()
        some = [(str(hn), str(cid)) for hn, cid in everybody[:: len(everybody) // 10][:10]]
        owned = 0
        for table, key in (
            ("patient p", "p.hn"),
            ("ovst o", "o.hn"),
            ("ovst o JOIN ovstdiag d ON d.vn = o.vn", "o.hn"),
        ):
            numbers = ", ".join(f"'{hn}'" for hn, _ in some)
            owned += int(
                connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table} WHERE {key} IN ({numbers})").scalar_one()
            )
    engine.dispose()
    with open_source(settings_for(url)) as source:
        assert (gap(source.reader) is None) is index
        source.first_diagnoses(DAY, persons(*some[:1]), HYPERTENSIVE)  # the catalogue has been looked at
        rows = RowsExamined(source.reader.connection)
        source.first_diagnoses(DAY, persons(*some), HYPERTENSIVE)
        examined = sum(rows.by_table.values())
    # A row of an index and one of its table for each, twice where a person is found by both numbers; never all persons.
    assert examined <= 4 * owned + 40 < len(everybody)

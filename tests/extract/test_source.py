"""Opening a hospital database, what may be missing in it, and what a site may change."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_hospital import ALL, DAY, fill, settings_for

from core.errors import ConfigurationError, MophClaimError
from extract import reader
from extract import source as source_module
from extract.contract import Wanted
from extract.errors import ContractError, SourceError
from extract.his_file import read_his_file
from extract.session import LABEL, read_only_connection
from extract.source import Facility, HisSource, open_source
from extract.statements import BUILT_IN

OPTIONAL = (
    "visit_pttype", "marrystatus", "occupation", "nationality", "doctor", "nondrugitems", "sys_lab_link", "sys_lab_code",
    "ovst_vaccine", "person_vaccine", "person_wbc_service", "person_epi_vaccine_list", "student_vaccine", "person_anc",
    "ovst_nhso_eligible", "ovst_vaccine_eligible", "person_anc_service_detail", "patient.passport_no", "ovst.an",
    "lab_items.provis_labcode",
)  # fmt: skip
NEWER = (
    "visit_pttype.auth_code",
    "ovst_vaccine.immunization_datetime",
    "ovst_vaccine.dose_qty",
    "ovst_vaccine_eligible",
)


HOSXP = read_his_file(BUILT_IN / "hosxp" / "his.toml")
ON_SERVERS = pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)


def _folder(tmp_path: Path, **files: str) -> Path:
    """A site's own folder; its facility's statement stands in a his.toml like the built-in one."""
    for name, sql in files.items():
        if name == "facility":
            built_in = (BUILT_IN / "hosxp" / "his.toml").read_text(encoding="utf-8")
            start, _, rest = built_in.partition('facility = """')
            text = f"{start}facility = {json.dumps(sql)}\n" + rest.partition('"""')[2]
            (tmp_path / "his.toml").write_text(text, encoding="utf-8")
        else:
            (tmp_path / f"{name}.sql").write_text(sql, encoding="utf-8")
    return tmp_path


def _message(error: pytest.ExceptionInfo[MophClaimError]) -> str:
    assert error.value.__cause__ is None
    assert error.value.__context__ is None or not isinstance(error.value, SourceError | ContractError)
    return error.value.message.en


def test_facility_is_the_databases_own(source: HisSource) -> None:
    assert source.facility() == Facility("10953", "โรงพยาบาลตัวอย่าง")


def test_complete_database_misses_nothing(source: HisSource) -> None:
    assert source.missing_tables() == []


def test_day_without_visits_is_four_empty_tables(source: HisSource) -> None:
    assert repr(source.read_day(date(2020, 1, 1), ALL)).endswith("visits=0, diagnoses=0, labs=0, vaccinations=0)")


def test_leap_day_can_be_read(source: HisSource) -> None:
    assert len(source.read_day(date(2024, 2, 29), ALL).visits) == 0


def test_nothing_wanted_reads_no_visit(source: HisSource) -> None:
    assert len(source.read_day(DAY, Wanted()).visits) == 0


def test_vaccines_alone_leave_lab_visits_where_they_are(source: HisSource) -> None:
    day = source.read_day(DAY, Wanted(vaccines=True))
    assert list(day.visits["vn"]) == ["690921140000", "690921150000", "690921160000"]
    assert len(day.labs) == 0


def test_diabetes_alone_leaves_hypertension_where_it_is(source: HisSource) -> None:
    day = source.read_day(DAY, Wanted(icd10_prefixes=("E11",), lab_codes=("32401",)))
    assert list(day.visits["vn"]) == ["690921080000", "690921110000", "690921120000", "690921130000"]
    assert not day.diagnoses["earlier"].any()


def test_more_visits_than_one_statement_names_come_whole(source: HisSource, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = source.read_day(DAY, ALL)
    monkeypatch.setattr(reader, "VISITS_A_STATEMENT", 2)
    parts = source.read_day(DAY, ALL)
    assert parts.visits.equals(whole.visits)
    assert parts.diagnoses.equals(whole.diagnoses)


def test_site_lab_map_is_the_strongest(hospital: str, tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text("local_code,code,note\n7,32202,POCT\n3,-,\n5,32401,\n", encoding="utf-8-sig")
    with open_source(settings_for(hospital, maps_folder=tmp_path)) as source:
        labs = source.read_day(DAY, ALL).labs
    rows = labs[labs["vn"] == "690921090000"]
    found = list(zip(rows["lab_code"].fillna("unknown"), rows["result"], strict=True))
    assert found == [("32103", "Hemolysis"), ("32202", "0.8"), ("unknown", "1")]


@pytest.mark.parametrize("text", ["code,nhso\n1,2\n", "local_code,code\n1,32401\n1,32202\n"])
def test_site_map_that_cannot_be_used_is_said(hospital: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "labs.csv").write_text(text, encoding="utf-8")
    with (
        pytest.raises(ConfigurationError, match=r"labs\.csv"),
        open_source(settings_for(hospital, maps_folder=tmp_path)),
    ):
        pass


@pytest.mark.parametrize("absent", [OPTIONAL, NEWER], ids=["bare", "older"])
def test_hospital_without_the_optional_tables_is_read(new_database: Callable[[], str], absent: tuple[str, ...]) -> None:
    url = new_database()
    fill(url, without=absent)
    with open_source(settings_for(url)) as source:
        day = source.read_day(DAY, ALL)
    if absent is NEWER:
        assert day.visits.set_index("vn").loc["690921140000", "antenatal"]
        assert set(day.vaccinations["family"]) == {"ovst", "wbc", "epi", "school", "anc"}
        assert day.vaccinations["dose_quantity"].isna().all()
    else:
        assert len(day.vaccinations) == 0
        assert day.visits[["closing_code", "his_claim_uid", "occupa", "passport_no"]].isna().all(axis=None)
        assert not day.visits["antenatal"].any()


def test_missing_required_tables_and_columns_are_named(new_database: Callable[[], str]) -> None:
    url = new_database()
    fill(url, rows={}, without=("lab_order", "ovstdiag", "pttype.hipdata_code"))
    with open_source(settings_for(url)) as source:
        assert source.missing_tables() == ["pttype.hipdata_code", "ovstdiag", "lab_order"]
        with pytest.raises(SourceError) as error:
            source.read_day(DAY, ALL)
    assert "pttype.hipdata_code, ovstdiag, lab_order" in _message(error)


def test_database_of_no_facility_says_so(new_database: Callable[[], str]) -> None:
    url = new_database()
    fill(url, rows={})
    with open_source(settings_for(url)) as source, pytest.raises(SourceError, match="facility"):
        source.facility()


def test_nothing_can_be_written(hospital: str) -> None:
    with read_only_connection(settings_for(hospital), HOSXP) as (connection, _), pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text("UPDATE ovst SET hn = '1' WHERE vn = '690921080000'"))


def test_nothing_can_be_made(hospital: str) -> None:
    with read_only_connection(settings_for(hospital), HOSXP) as (connection, _), pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text("CREATE TABLE ours (a int)"))


def test_slow_statement_is_given_up(hospital: str, tmp_path: Path) -> None:
    slow = {
        "mysql": "SELECT SLEEP(20) AS hcode, '' AS hospital_name",
        "postgresql": "SELECT pg_sleep(20) AS hcode, '' AS hospital_name",
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
        "SELECT MAX(i) AS hcode, '' AS hospital_name FROM n",
    }[sa.make_url(hospital).get_backend_name()]
    settings = settings_for(hospital, statement_timeout_seconds=1, sql_folder=_folder(tmp_path, facility=slow))
    with open_source(settings) as source, pytest.raises(SourceError) as error:
        source.facility()
    assert "longer than allowed" in _message(error)


@ON_SERVERS
def test_statements_carry_our_label(hospital: str, tmp_path: Path) -> None:
    shown = {
        "mysql": "SELECT info AS hcode, '' AS hospital_name FROM information_schema.processlist WHERE id = CONNECTION_ID()",
        "postgresql": "SELECT query AS hcode, '' AS hospital_name FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    }[sa.make_url(hospital).get_backend_name()]
    with open_source(settings_for(hospital, sql_folder=_folder(tmp_path, facility=shown))) as source:
        assert source.facility().hcode.startswith(LABEL + "SELECT")


@ON_SERVERS
def test_lost_connection_is_said_and_the_next_day_read_anew(hospital: str) -> None:
    whose, end = {
        "mysql": ("SELECT CONNECTION_ID()", "KILL {}"),
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    }[sa.make_url(hospital).get_backend_name()]
    killer = sa.create_engine(hospital, poolclass=sa.NullPool)
    with open_source(settings_for(hospital)) as source:
        whole = source.read_day(DAY, ALL)
        number = source.reader.connection.exec_driver_sql(whose).scalar_one()
        with killer.connect() as connection:
            connection.exec_driver_sql(end.format(number))
        with pytest.raises(SourceError) as error:
            source.read_day(DAY, ALL)
        assert "was lost" in _message(error)
        again = source.read_day(DAY, ALL)
        assert again.visits.equals(whole.visits)
        with pytest.raises(sa.exc.DBAPIError):  # the new connection is read-only too
            source.reader.connection.exec_driver_sql("DELETE FROM ovst")


def test_days_are_apart_by_the_pause(hospital: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(source_module.time, "sleep", slept.append)
    with open_source(settings_for(hospital, day_pause_seconds=30)) as source:
        source.read_day(DAY, ALL)
        source.read_day(DAY + timedelta(days=1), ALL)
    assert slept[0] == 0
    assert 29 < slept[1] <= 30


def test_site_file_replaces_the_built_in_one(hospital: str, tmp_path: Path) -> None:
    folder = _folder(tmp_path, facility="-- ours\nSELECT '99999' AS HCODE, 'สาขา' AS hospital_name")
    with open_source(settings_for(hospital, sql_folder=folder)) as source:
        assert source.facility() == Facility("99999", "สาขา")
        assert len(source.read_day(DAY, ALL).visits) == 14


def test_missing_column_of_a_site_file_is_named(hospital: str, tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, diagnoses="SELECT vn, icd10, diagtype AS dx_type, 0 AS earlier FROM ovstdiag WHERE vn IN :visits"
    )
    with open_source(settings_for(hospital, sql_folder=folder)) as source, pytest.raises(ContractError) as error:
        source.read_day(DAY, ALL)
    assert "diagnoses.sql" in _message(error)
    assert "dx_date, dx_time" in _message(error)


@pytest.mark.parametrize(
    ("table", "ours", "theirs", "column"),
    [
        ("visits", "    p.lname,\n", "    p.lname, p.fname,\n", "fname"),
        ("labs", "    o.vn,\n", "    NULLIF(o.vn, '690921080000') AS vn,\n", "vn"),
        ("visits", "    o.vn,\n", "    NULLIF(o.vn, '690921080000') AS vn,\n", "vn"),
    ],
    ids=["two of one name", "a result of no visit", "a visit without a number"],
)
def test_wrong_column_of_a_site_file_is_named(
    hospital: str, tmp_path: Path, table: str, ours: str, theirs: str, column: str
) -> None:
    built_in = (BUILT_IN / "hosxp" / f"{table}.sql").read_text(encoding="utf-8")
    assert ours in built_in
    folder = _folder(tmp_path, **{table: built_in.replace(ours, theirs)})
    with open_source(settings_for(hospital, sql_folder=folder)) as source, pytest.raises(ContractError) as error:
        source.read_day(DAY, ALL)
    assert f"{table}.sql does not give what the contract wants in column {column}:" in _message(error)


def test_files_that_a_windows_editor_has_saved_are_read(hospital: str, tmp_path: Path) -> None:
    for name in ("his.toml", "labs.sql"):
        ours = (BUILT_IN / "hosxp" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(ours, encoding="utf-8-sig")
    with open_source(settings_for(hospital, sql_folder=tmp_path)) as source:
        assert len(source.read_day(DAY, ALL).visits) == 14


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_an_instant_is_told_as_the_clock_in_bangkok_showed_it(new_database: Callable[[], str]) -> None:
    url = sa.make_url(new_database())
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {url.database} SET timezone = 'UTC'")
    with read_only_connection(settings_for(url.render_as_string(hide_password=False)), HOSXP) as (connection, _):
        told = connection.scalar(sa.text("SELECT CAST(TIMESTAMPTZ '2026-05-14 20:30+00' AS TEXT)"))
    assert told == "2026-05-15 03:30:00+07"


def test_visit_given_twice_by_a_site_file_breaks_the_contract(hospital: str, tmp_path: Path) -> None:
    built_in = (Path(source_module.__file__).parent / "sql/hosxp/visits.sql").read_text(encoding="utf-8")
    twice = built_in.replace("LEFT JOIN patient", "LEFT JOIN visit_pttype x ON x.vn = o.vn LEFT JOIN patient").replace(
        "o.pttype AS local_scheme", "x.pttype AS local_scheme"
    )
    with (
        open_source(settings_for(hospital, sql_folder=_folder(tmp_path, visits=twice))) as source,
        pytest.raises(ContractError) as error,
    ):
        source.read_day(DAY, ALL)
    assert "visits.sql does not give what the contract wants in column vn" in _message(error)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM ovst", "one SELECT"),
        ("SELECT '1' AS hcode FROM ovst WHERE vn = :password", "unknown parameter password"),
        ("SELECT {{ nothing }} AS hcode", "template"),
        ("SELECT 1\n{% if %}", "line 2"),
        ("SELECT {{ wanted.firsttime }} AS hcode", "has no attribute 'firsttime'"),
        ("SELECT {{ has(1) }} AS hcode", "AttributeError"),
        ("SELECT {{ 1 / 0 }} AS hcode", "ZeroDivisionError"),
    ],
)
def test_unusable_site_file_is_said(hospital: str, tmp_path: Path, sql: str, said: str) -> None:
    with (
        open_source(settings_for(hospital, sql_folder=_folder(tmp_path, facility=sql))) as source,
        pytest.raises(ConfigurationError) as error,
    ):
        source.facility()
    assert said in _message(error)


@pytest.mark.parametrize("sql", ["SELECT nobody AS hcode FROM ovst", "SELECT hn AS hcode FROM no_such_table"])
def test_site_file_reading_what_is_not_there_is_said(hospital: str, tmp_path: Path, sql: str) -> None:
    with (
        open_source(settings_for(hospital, sql_folder=_folder(tmp_path, facility=sql))) as source,
        pytest.raises(SourceError) as error,
    ):
        source.facility()
    assert "table or column is not there" in _message(error)


def test_error_of_the_server_never_shows_a_value(hospital: str, tmp_path: Path) -> None:
    wrong = "SELECT CAST(fname AS DECIMAL(9,2)) / (SELECT hn FROM ovst) AS hcode, fname AS hospital_name FROM patient"
    with (
        open_source(settings_for(hospital, sql_folder=_folder(tmp_path, facility=wrong))) as source,
        pytest.raises(MophClaimError) as error,
    ):
        source.facility()
        raise SourceError(source_module.NO_FACILITY)  # SQLite divides anything by anything
    assert "สมมติ" not in repr(error.value) + str(error.value.__context__)


def test_rows_outside_the_window_stay(source: HisSource) -> None:
    assert list(source.read_day(DAY + timedelta(days=1), ALL).visits["vn"]) == ["690922080000"]

"""A day through a HIS's statements: the contract beside what came, everything that is wrong at once, and nothing personal."""

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cottage import FIRST_DAY, FOLDER, build_cottage
from small_hospital import ALL, DAY, HOSPITAL, fill, settings_for

from extract.check import DayCheck, TableCheck, check_day
from extract.contract import TableName
from extract.reader import open_reader
from extract.statements import BUILT_IN


def _check(url: str, **more: object) -> DayCheck:
    with open_reader(settings_for(url, **more)) as reader:
        return check_day(reader, DAY, ALL)


def _of(checked: DayCheck, name: TableName) -> TableCheck:
    return next(table for table in checked.tables if table.table == name)


def _faults(checked: DayCheck) -> list[tuple[str, str, str, int]]:
    return [(v.table, v.column, v.fault, v.rows) for table in checked.tables for v in table.violations]


def _site(tmp_path: Path, **changes: tuple[str, str]) -> Path:
    """A site's folder with our files, in each of which one thing is written otherwise."""
    for name, (ours, theirs) in changes.items():
        text = (BUILT_IN / "hosxp" / f"{name}.sql").read_text(encoding="utf-8")
        assert ours in text
        (tmp_path / f"{name}.sql").write_text(text.replace(ours, theirs), encoding="utf-8")
    return tmp_path


def test_sound_database_gives_what_is_agreed(hospital: str) -> None:
    checked = _check(hospital)
    assert (checked.visits, checked.unreadable, checked.needs_attention) == (14, False, False)
    assert [table.table for table in checked.tables] == ["labs", "vaccinations", "visits", "diagnoses"]
    assert (_of(checked, "visits").rows, _of(checked, "visits").kept) == (14, 14)
    assert all(column.given for table in checked.tables for column in table.columns)
    assert all(table.plan for table in checked.tables)


def test_rows_that_are_not_used_are_counted_apart(hospital: str) -> None:
    diagnoses = _of(_check(hospital), "diagnoses")
    assert diagnoses.rows > diagnoses.kept  # a procedure among them


def test_filled_lost_and_spoilt_cells_are_counted(hospital: str) -> None:
    columns = {column.name: column for column in _of(_check(hospital), "visits").columns}
    assert columns["fname"].spoilt == 1
    assert columns["cid"].filled < columns["hn"].filled <= 14
    if hospital.startswith("sqlite"):  # MariaDB's driver gives a zero date as nothing
        assert columns["dob"].lost == 2  # of one person, who came twice


def test_samples_are_five_at_most_and_masked(hospital: str) -> None:
    for table in _check(hospital).tables:
        for column in table.columns:
            assert len(column.samples) <= 5
            if column.name in ("cid", "hn", "vn", "license_no"):
                assert not re.search(r"[0-8]", "".join(column.samples))


def test_all_violations_are_said_at_once(hospital: str, tmp_path: Path) -> None:
    folder = _site(
        tmp_path,
        labs=("AS result_time", "AS reported_at"),
        vaccinations=("    f.family,\n", "    NULLIF(f.family, 'ovst') AS family,\n"),
        visits=("FROM ovst o\nLEFT JOIN patient p", "FROM ovst o\nJOIN (SELECT 1 AS n UNION ALL SELECT 2) x ON 1 = 1\nLEFT JOIN patient p"),
    )  # fmt: skip
    visits = (folder / "visits.sql").read_text(encoding="utf-8")
    (folder / "visits.sql").write_text(
        visits.replace("o.pttype AS local_scheme", "x.n AS local_scheme"), encoding="utf-8"
    )
    checked = _check(hospital, sql_folder=folder)
    assert _faults(checked) == [
        ("labs", "result_time", "missing", 0),
        ("labs", "reported_at", "unknown", 0),
        ("vaccinations", "family", "empty", 4),
        ("visits", "vn", "twice", 28),
    ]
    assert checked.needs_attention
    assert not checked.unreadable


@pytest.mark.parametrize(
    ("table", "ours", "theirs", "fault"),
    [
        ("labs", "l.lab_order_result AS result", "NULL AS result", ("result", "empty")),
        ("diagnoses", "SELECT d.vn, d.icd10,", "SELECT d.vn, NULLIF(d.icd10, d.icd10) AS icd10,", ("icd10", "empty")),
        ("visits", "    p.lname,\n", "    p.lname, p.fname,\n", ("fname", "repeated")),
        ("visits", "p.birthday AS dob", "'25100310' AS dob", ("dob", "no date")),
        ("visits", "    o.vn,\n", "    o.hn AS vn,\n", ("vn", "not given")),
    ],
)
def test_statement_that_gives_nothing_of_use_is_said(
    hospital: str, tmp_path: Path, table: TableName, ours: str, theirs: str, fault: tuple[str, str]
) -> None:
    folder = _site(tmp_path, **{table: (ours, theirs)})
    if table == "diagnoses":
        text = (folder / "diagnoses.sql").read_text(encoding="utf-8")
        (folder / "diagnoses.sql").write_text(text.partition("{% if wanted.first_time_icd10 %}")[0], encoding="utf-8")
    checked = _check(hospital, sql_folder=folder)
    assert (table, *fault) in [found[:3] for found in _faults(checked)]
    assert checked.needs_attention


def test_statement_that_cannot_be_run_leaves_the_others_to_be_looked_at(hospital: str, tmp_path: Path) -> None:
    (tmp_path / "labs.sql").write_text("SELECT nowhere.x FROM nowhere")
    checked = _check(hospital, sql_folder=tmp_path)
    fault = _of(checked, "labs").fault
    assert fault is not None
    assert fault.en.startswith("A table or column is not there or may not be read (labs.sql")
    assert checked.unreadable
    assert _of(checked, "vaccinations").rows > 0
    assert _of(checked, "visits").rows > 0


def test_what_is_asked_for_in_vain_is_named_with_what_it_costs(new_database: Callable[[], str]) -> None:
    url = new_database()
    fill(url, without=("visit_pttype", "occupation"))
    visits = _of(_check(url), "visits")
    assert set(visits.absent) == {"visit_pttype", "occupation"}
    assert visits.costs == ("occupa", "closing_code")


def test_day_without_visits_names_one_that_has_some(hospital: str) -> None:
    with open_reader(settings_for(hospital)) as reader:
        empty = check_day(reader, DAY + timedelta(days=6), ALL)
        none = check_day(reader, DAY + timedelta(days=90), ALL)
    assert (empty.visits, empty.other_day) == (0, DAY + timedelta(days=1))
    assert (none.visits, none.other_day) == (0, None)
    assert all(column.given for table in empty.tables for column in table.columns)


def test_statement_that_reads_a_whole_large_table_is_warned_about(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    url = new_database()
    many = [{"vn": f"6{number:011}", "hn": "1", "vstdate": "2020-01-01"} for number in range(12_000)]
    fill(url, {**HOSPITAL, "opdconfig": HOSPITAL["opdconfig"]})
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO ovst (vn, hn, vstdate) VALUES (:vn, :hn, :vstdate)"), many)
        if engine.dialect.name != "sqlite":
            connection.exec_driver_sql("ANALYZE TABLE ovst" if engine.dialect.name == "mysql" else "ANALYZE ovst")
    engine.dispose()
    # The day's column within a function, as it is often written, is no use to the index.
    folder = _site(tmp_path, vaccinations=('else "o.vstdate IN', 'else "COALESCE(o.vstdate, o.vstdate) IN'))
    text = (
        (folder / "vaccinations.sql")
        .read_text(encoding="utf-8")
        .replace("JOIN ovst_vaccine d", "LEFT JOIN ovst_vaccine d")
    )
    (folder / "vaccinations.sql").write_text(text, encoding="utf-8")
    ours, theirs = _check(url), _check(url, sql_folder=folder)
    assert [step for table in ours.tables for step in table.plan or () if step.too_much] == []
    steps = [step for step in _of(theirs, "vaccinations").plan or () if step.too_much]
    assert {step.table for step in steps} == {"ovst"}
    assert all(9_000 < (step.size or 0) < 15_000 for step in steps)
    assert theirs.needs_attention


def test_another_his_is_checked_as_its_folder_says(new_database: Callable[[], str], tmp_path: Path) -> None:
    url = new_database()
    build_cottage(url)
    folder = tmp_path / "cottage"
    shutil.copytree(FOLDER, folder)
    with open_reader(settings_for(url, kind="cottage", sql_folder=folder)) as reader:
        checked = check_day(reader, FIRST_DAY, ALL)
    assert (checked.visits, checked.unreadable, checked.needs_attention) == (2, False, False)

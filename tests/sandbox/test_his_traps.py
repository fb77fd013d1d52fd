"""What the traps of the synthetic hospital hold in its tables."""

import sqlite3
from datetime import date, timedelta
from pathlib import Path

import pytest

from sandbox.his import TRAPS, HisSummary, build_hosxp

# Late enough in the fiscal year for a third HbA1c in it.
FIRST_DAY, LAST_DAY = date(2026, 6, 1), date(2026, 6, 7)
Hospital = tuple[sqlite3.Connection, HisSummary]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    path = tmp_path_factory.mktemp("his") / "his.db"
    summary = build_hosxp(f"sqlite:///{path}", first_day=FIRST_DAY, days=7, visits_a_day=20)
    return sqlite3.connect(path), summary


def _of(hospital: Hospital, trap: str, query: str) -> list[tuple[object, ...]]:
    """The query's rows for each VN of the trap, in order."""
    connection, summary = hospital
    return [row for vn in summary.traps[trap] for row in connection.execute(query, (vn,))]


def test_every_trap_is_planted_and_described(hospital: Hospital) -> None:
    assert hospital[1].traps.keys() == TRAPS.keys()
    assert all(hospital[1].traps.values())
    assert all(text.endswith(".") and len(text) < 160 for text in TRAPS.values())


def test_no_visit_belongs_to_two_traps(hospital: Hospital) -> None:
    visits = [vn for trap in hospital[1].traps.values() for vn in trap]
    assert len(set(visits)) == len(visits)


def test_every_trap_lies_inside_the_window(hospital: Hospital) -> None:
    for trap in TRAPS.keys() - {"buddhist_visit_date"}:
        for (day,) in _of(hospital, trap, "SELECT vstdate FROM ovst WHERE vn = ?"):
            assert FIRST_DAY <= date.fromisoformat(str(day)) <= LAST_DAY, trap


def test_buddhist_visits_lie_543_years_after_the_window(hospital: Hospital) -> None:
    days = [day for (day,) in _of(hospital, "buddhist_visit_date", "SELECT vstdate FROM ovst WHERE vn = ?")]
    assert days
    assert all(f"{LAST_DAY.year + 543}-06-01" <= str(day) <= f"{LAST_DAY.year + 543}-06-07" for day in days)


def test_traps_leave_the_ordinary_days_as_they_are(tmp_path: Path) -> None:
    visits = []
    for name, traps in (("with.db", True), ("without.db", False)):
        build_hosxp(f"sqlite:///{tmp_path / name}", first_day=FIRST_DAY, days=2, visits_a_day=30, traps=traps)
        rows = sqlite3.connect(tmp_path / name).execute("SELECT * FROM ovst WHERE vsttime BETWEEN '07:00' AND '17:00'")
        visits.append(sorted(rows.fetchall()))
    assert visits[0] == visits[1]


def test_ordinary_days_hold_no_zero_date(tmp_path: Path) -> None:
    path = tmp_path / "his.db"
    build_hosxp(f"sqlite:///{path}", first_day=FIRST_DAY, days=1, visits_a_day=100, traps=False)
    assert "0000-00-00" not in "\n".join(sqlite3.connect(path).iterdump())


def test_mojibake_reads_again_when_its_bytes_do(hospital: Hospital) -> None:
    query = "SELECT p.fname FROM ovst JOIN patient p USING (hn) WHERE vn = ?"
    (visible,), (invisible,), (torn,) = _of(hospital, "mojibake_name", query)
    assert str(visible).encode("tis-620").decode() == "วิมล"
    assert str(invisible).encode("tis-620").decode() == "กาญจนา"
    assert torn == "เธ?เธฒเธ?เธ?เธ?เธฒ"


def test_identity_numbers_with_dashes_fit_their_column(hospital: Hospital) -> None:
    query = "SELECT p.cid FROM ovst JOIN patient p USING (hn) WHERE vn = ?"
    numbers = [str(cid) for (cid,) in _of(hospital, "identity_number_with_dashes", query)]
    assert all(len(number) == 17 and number.count("-") == 4 for number in numbers)


def test_a_visit_with_several_rights_has_one_closing_code(hospital: Hospital) -> None:
    codes = _of(hospital, "several_right_rows", "SELECT auth_code FROM visit_pttype WHERE vn = ?")
    assert sorted(str(code)[:2] for (code,) in codes if code) == ["EP", "EP", "PP", "PP"]
    assert len(codes) == 6


def test_labs_of_inpatients_stand_under_the_an(hospital: Hospital) -> None:
    for table_key, expected in (("o.vn", 0), ("o.an", 2)):
        query = f"SELECT h.vn FROM ovst o JOIN lab_head h ON h.vn = {table_key} WHERE o.vn = ?"
        assert len(_of(hospital, "labs_of_inpatient", query)) == expected


def test_a_repeated_order_ends_with_the_later_result(hospital: Hospital) -> None:
    connection, summary = hospital
    for vn in summary.traps["repeated_orders"]:
        rows = connection.execute(
            "SELECT lab_order_result FROM lab_head JOIN lab_order USING (lab_order_number) WHERE vn = ? ORDER BY report_time",
            (vn,),
        )
        assert [result for (result,) in rows] == ["6.1", "8.4"]


def test_the_same_dose_stands_in_two_families(hospital: Hospital) -> None:
    query = """SELECT COUNT(*) FROM ovst_vaccine v WHERE v.vn = ? AND (
        v.vn IN (SELECT vn FROM person_wbc_service) OR v.vn IN (SELECT vn FROM person_anc_service))"""
    assert _of(hospital, "dose_in_two_families", query) == [(1,), (1,), (1,)]


def test_the_third_hba1c_has_two_before_it_in_its_fiscal_year(hospital: Hospital) -> None:
    query = """SELECT e.vstdate FROM ovst o JOIN ovst e ON e.hn = o.hn WHERE o.vn = ? ORDER BY 1"""
    days = [date.fromisoformat(str(day)) for (day,) in _of(hospital, "third_hba1c_in_fiscal_year", query)]
    assert days == [LAST_DAY - timedelta(days=back) for back in (200, 100, 0)]
    assert days[0] >= date(2025, 10, 1)


def test_hypertension_that_is_not_new_stands_at_an_earlier_visit(hospital: Hospital) -> None:
    query = """SELECT COUNT(*) FROM ovst o JOIN ovstdiag d ON d.hn = o.hn AND d.vn <> o.vn
        WHERE o.vn = ? AND d.icd10 = 'I10' AND d.vstdate || d.vsttime < o.vstdate || o.vsttime"""
    assert _of(hospital, "not_newly_hypertensive", query) == [(1,), (1,)]


def test_an_expired_lot_ran_out_the_day_before(hospital: Hospital) -> None:
    query = """SELECT julianday(o.vstdate) - julianday(COALESCE(v.expire_date, d.vaccine_expire_date)) FROM ovst o
        LEFT JOIN ovst_vaccine v ON v.vn = o.vn LEFT JOIN person_wbc_service s ON s.vn = o.vn
        LEFT JOIN person_wbc_vaccine_detail d ON d.person_wbc_service_id = s.person_wbc_service_id WHERE o.vn = ?"""
    assert _of(hospital, "lot_expired", query) == [(1.0,), (1.0,)]


def test_dt_before_25_is_before_25_on_the_day(hospital: Hospital) -> None:
    query = "SELECT julianday(o.vstdate) - julianday(p.birthday) FROM ovst o JOIN patient p USING (hn) WHERE o.vn = ?"
    assert all(float(str(days)) < 25 * 365 for (days,) in _of(hospital, "dt_under_25", query))


def test_a_window_of_one_day_leaves_out_what_needs_two(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'his.db'}"
    summary = build_hosxp(url, first_day=date(2026, 10, 1), days=1, visits_a_day=1)
    empty = {trap for trap, visits in summary.traps.items() if not visits}
    assert empty == {"hba1c_twice_within_three_months", "third_hba1c_in_fiscal_year", "hypertension_followed_up"}

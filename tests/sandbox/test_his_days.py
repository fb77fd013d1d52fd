"""The ordinary days of the synthetic hospital, read with plain SQL of the tests' own."""

import sqlite3
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from sandbox.his import DENSE, HisSummary, VisitMix, build_hosxp
from sandbox.his.__main__ import main

FIRST_DAY = date(2026, 10, 12)
HBA1C, CREATININE, POTASSIUM = "101, 111, 121", "102, 112, 122", "103, 113, 123, 132"
UNIVERSAL = "o.pttype IN ('10', '11', '12', '13')"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> tuple[sqlite3.Connection, HisSummary]:
    path = tmp_path_factory.mktemp("his") / "his.db"
    summary = build_hosxp(f"sqlite:///{path}", first_day=FIRST_DAY, days=5, visits_a_day=200, traps=False)
    return sqlite3.connect(path), summary


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _with_lab(diagnosis: str, items: str) -> str:
    return f"""
        SELECT COUNT(DISTINCT o.vn) FROM ovst o JOIN ovstdiag d ON d.vn = o.vn JOIN lab_head h ON h.vn = o.vn
        JOIN lab_order l ON l.lab_order_number = h.lab_order_number
        WHERE o.vstdate >= '{FIRST_DAY}' AND {UNIVERSAL} AND {diagnosis} AND l.lab_items_code IN ({items}) AND l.confirm = 'Y'
    """


def test_the_summary_counts_the_dm_claims(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    connection, summary = hospital
    assert _count(connection, _with_lab("d.icd10 LIKE 'E11%'", HBA1C)) == summary.claims["dm"] == 80


def test_the_summary_counts_the_ht_claims(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    connection, summary = hospital
    new = """d.icd10 BETWEEN 'I10' AND 'I1599' AND NOT EXISTS (
        SELECT 1 FROM ovstdiag e WHERE e.hn = o.hn AND e.vstdate < o.vstdate AND e.icd10 BETWEEN 'I10' AND 'I1599')"""
    assert _count(connection, _with_lab(new, f"{CREATININE}, {POTASSIUM}")) == summary.claims["ht"] >= 40


def test_the_summary_counts_the_vaccine_claims(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    connection, summary = hospital
    doses = connection.execute("""
        SELECT export_vaccine_code, COUNT(*) FROM (
            SELECT export_vaccine_code FROM ovst_vaccine JOIN person_vaccine USING (person_vaccine_id)
            UNION ALL SELECT export_vaccine_code FROM person_wbc_vaccine_detail JOIN wbc_vaccine USING (wbc_vaccine_id)
            UNION ALL SELECT export_vaccine_code FROM person_epi_vaccine_list JOIN epi_vaccine USING (epi_vaccine_id)
            UNION ALL SELECT export_vaccine_code FROM village_student_vaccine_list
                JOIN student_vaccine USING (student_vaccine_id)
            UNION ALL SELECT export_vaccine_code FROM person_anc_service_detail JOIN anc_service USING (anc_service_id)
        ) GROUP BY 1
    """)
    by_code = dict(doses.fetchall())
    assert by_code.pop("815") == 20
    assert by_code.pop("106") == summary.claims["dt"] == 30
    assert sum(by_code.values()) == summary.claims["epi"] >= 60


def test_no_diabetic_has_two_hba1c_within_half_a_year(tmp_path: Path) -> None:
    mix = VisitMix(0.5, 0, 0, 0, 0, 0, 0, 0)
    path = tmp_path / "his.db"
    build_hosxp(f"sqlite:///{path}", first_day=FIRST_DAY, days=400, visits_a_day=4, traps=False, mix=mix)
    days: dict[str, list[date]] = defaultdict(list)
    query = "SELECT o.hn, o.vstdate FROM ovst o JOIN lab_head USING (vn) JOIN ovstdiag d USING (vn) WHERE d.icd10 LIKE 'E11%'"
    for hn, day in sqlite3.connect(path).execute(query):
        days[hn].append(date.fromisoformat(day))
    gaps = [
        later - earlier
        for person in days.values()
        for earlier, later in zip(sorted(person), sorted(person)[1:], strict=False)
    ]
    assert gaps
    assert min(gaps) >= timedelta(days=184)


def test_identity_numbers_are_unique_and_their_check_digits_right(
    hospital: tuple[sqlite3.Connection, HisSummary],
) -> None:
    numbers = [row[0] for row in hospital[0].execute("SELECT cid FROM patient")]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        total = sum(int(number[place]) * (13 - place) for place in range(12))
        assert number[12] == str((11 - total % 11) % 10)


def test_nobody_is_vaccinated_for_children_who_is_none(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    years = hospital[0].execute(
        "SELECT (julianday(s.service_date) - julianday(p.birthdate)) / 365.25 FROM person_wbc_service s "
        "JOIN person_wbc w USING (person_wbc_id) JOIN person p USING (person_id)"
    )
    assert all(0 <= age < 2 for (age,) in years)


def test_nobody_outside_pregnancy_has_dt_before_25(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    youngest = (
        hospital[0]
        .execute(
            "SELECT MIN(julianday(o.vstdate) - julianday(p.birthday)) FROM ovst_vaccine v "
            "JOIN person_vaccine USING (person_vaccine_id) JOIN ovst o USING (vn) JOIN patient p USING (hn) "
            "WHERE export_vaccine_code = '106'"
        )
        .fetchone()[0]
    )
    assert youngest >= 25 * 365.25


def test_most_visits_are_no_claim(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    connection, summary = hospital
    in_window = _count(connection, f"SELECT COUNT(*) FROM ovst WHERE vstdate >= '{FIRST_DAY}'")
    assert in_window == 1000
    assert summary.claims["dm"] + summary.claims["ht"] + summary.claims["dt"] < in_window / 4


def test_followed_up_hypertension_was_found_before_the_window(
    hospital: tuple[sqlite3.Connection, HisSummary],
) -> None:
    assert _count(hospital[0], f"SELECT COUNT(*) FROM ovst WHERE vstdate < '{FIRST_DAY}'") == 80


def test_a_dense_night_of_4000_visits_holds_5000_claims(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'his.db'}"
    summary = build_hosxp(url, first_day=FIRST_DAY, days=1, visits_a_day=4000, traps=False, mix=DENSE)
    assert sum(summary.claims.values()) >= 5000


def test_vns_are_the_buddhist_date_and_the_time(hospital: tuple[sqlite3.Connection, HisSummary]) -> None:
    for vn, day, clock in hospital[0].execute("SELECT vn, vstdate, vsttime FROM ovst"):
        assert vn == f"{int(day[:4]) + 543}"[2:] + (day[5:] + clock).replace("-", "").replace(":", "")


def test_impossible_numbers_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'his.db'}"
    with pytest.raises(ValueError, match="days"):
        build_hosxp(url, first_day=FIRST_DAY, days=0, visits_a_day=1)
    with pytest.raises(ValueError, match="visits"):
        build_hosxp(url, first_day=FIRST_DAY, days=1, visits_a_day=40_000)


def test_the_command_builds_once_and_refuses_to_write_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [f"sqlite:///{tmp_path / 'his.db'}", "--first-day", "2026-10-12", "--days", "1", "--visits", "5"]
    assert main(command) == 0
    assert "visits of" in capsys.readouterr().out
    assert main(command) == 2
    assert "already" in capsys.readouterr().err

"""The synthetic JHCIS beside the HOSxP of the same arguments: the same people, the same visits, the same facts.

Both are read in plain SQL of the tests' own, each as its reference says, and held against each other visit by visit.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sandbox.his import (
    DENSE,
    NOT_IN_JHCIS,
    TRAPS,
    HisSummary,
    build_hosxp,
    build_jhcis,
    vn_by_visitno,
)
from sandbox.his.__main__ import main

PLAN: dict[str, Any] = {"first_day": date(2026, 6, 1), "days": 7, "visits_a_day": 60}
UNIVERSAL = ("UCS", "WEL", "DIS")


@dataclass
class Hospital:
    """A built hospital, read once."""

    summary: HisSummary
    connection: sqlite3.Connection

    def one(self, query: str) -> dict[str, tuple[Any, ...]]:
        """The query's only row by its first column, a visit's number."""
        rows = self.connection.execute(query).fetchall()
        found = {str(number): row for number, *row in rows}
        assert len(found) == len(rows), "a visit was multiplied"
        return found

    def all(self, query: str) -> dict[str, list[tuple[Any, ...]]]:
        """The query's rows by their first column, a visit's number, in order."""
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for number, *row in self.connection.execute(query):
            found[str(number)].append(tuple(row))
        return found


def _built(build: Callable[..., HisSummary], folder: Path) -> Hospital:
    path = folder / "his.db"
    return Hospital(build(f"sqlite:///{path}", **PLAN), sqlite3.connect(path))


@pytest.fixture(scope="module")
def hosxp(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    return _built(build_hosxp, tmp_path_factory.mktemp("hosxp"))


@pytest.fixture(scope="module")
def jhcis(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    return _built(build_jhcis, tmp_path_factory.mktemp("jhcis"))


@pytest.fixture(scope="module")
def dense_day(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("dense") / "his.db"
    build_jhcis(f"sqlite:///{path}", first_day=date(2026, 6, 1), days=1, visits_a_day=400, traps=False, mix=DENSE)
    return sqlite3.connect(path)


@pytest.fixture(scope="module")
def pairs() -> dict[str, str]:
    return vn_by_visitno(**PLAN)


def _alike(ours: Mapping[str, Any], theirs: Mapping[str, Any], pairs: Mapping[str, str]) -> None:
    """What a visit has in JHCIS is what it has in HOSxP, or nothing in both; and some visit has something."""
    assert any(visitno in ours for visitno in pairs)
    for visitno, vn in pairs.items():
        assert ours.get(visitno) == theirs.get(vn), f"visitno {visitno} and vn {vn}"


def test_every_visit_of_either_is_paired_but_those_of_traps_the_other_has_not(
    hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]
) -> None:
    vns = {str(vn) for (vn,) in hosxp.connection.execute("SELECT vn FROM ovst")}
    unpaired = {vn for trap in NOT_IN_JHCIS for vn in hosxp.summary.traps[trap]}
    assert set(pairs.values()) == vns - unpaired
    numbers = {str(number) for (number,) in jhcis.connection.execute("SELECT visitno FROM visit")}
    own = {number for trap in jhcis.summary.traps.keys() - TRAPS.keys() for number in jhcis.summary.traps[trap]}
    # The visit that was cancelled before hypertension was found again is no trap's, but before one.
    assert set(pairs) < numbers
    assert len(numbers - set(pairs) - own) == 1


def test_trap_is_the_same_visits_in_both(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    for trap in TRAPS.keys() - NOT_IN_JHCIS.keys():
        assert [pairs[number] for number in jhcis.summary.traps[trap]] == hosxp.summary.traps[trap]


def test_ordinary_visits_hold_the_same_claims(hosxp: Hospital, jhcis: Hospital) -> None:
    assert jhcis.summary.claims == hosxp.summary.claims
    assert min(jhcis.summary.claims.values()) > 0


def test_person_is_the_same(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    ours = jhcis.one("""
        SELECT v.visitno, p.pid, p.idcard, COALESCE(t.titlename, p.prename), p.fname, p.lname, p.birth, p.sex,
            NULLIF(p.marystatus, '8'), o.occupaname, SUBSTR('0' || n.nationcode, -3)
        FROM visit v JOIN person p ON p.pcucodeperson = v.pcucodeperson AND p.pid = v.pid
        LEFT JOIN ctitle t ON t.titlecode = p.prename LEFT JOIN coccupa o ON o.occupacode = p.occupa
        LEFT JOIN cnation n ON n.nationcode = p.nation""")
    theirs = hosxp.one("""
        SELECT o.vn, CAST(p.hn AS INT), p.cid, p.pname, p.fname, p.lname, p.birthday, p.sex, m.nhso_marriage_code,
            j.name, SUBSTR('0' || n.nhso_code, -3)
        FROM ovst o JOIN patient p USING (hn) LEFT JOIN marrystatus m ON m.code = p.marrystatus
        LEFT JOIN occupation j ON j.occupation = p.occupation LEFT JOIN nationality n ON n.nationality = p.nationality""")
    _alike(ours, theirs, pairs)


def test_day_and_time_are_the_same(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    ours = jhcis.one("SELECT visitno, visitdate, timestart FROM visit")
    theirs = hosxp.one("SELECT vn, vstdate, vsttime FROM ovst")
    _alike(ours, theirs, pairs)


def test_universal_coverage_is_the_same(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    ours = jhcis.one(f"""
        SELECT v.visitno, CASE WHEN v.main_inscl <> '' THEN v.main_inscl IN {UNIVERSAL} ELSE r.rightgroup IN ('3', '4') END
        FROM visit v JOIN cright r USING (rightcode)""")
    theirs = hosxp.one(f"SELECT o.vn, p.hipdata_code IN {UNIVERSAL} FROM ovst o JOIN pttype p USING (pttype)")
    _alike(ours, theirs, pairs)


def test_closing_code_is_the_same(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    ours = jhcis.one("SELECT visitno, claimcode_nhso FROM visit WHERE claimcode_nhso <> ''")
    theirs = hosxp.one("SELECT vn, auth_code FROM visit_pttype WHERE auth_code <> '' AND pttype_number = 1")
    _alike(ours, theirs, pairs)


def test_diagnoses_are_the_same(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    ours = jhcis.all("""
        SELECT d.visitno, REPLACE(COALESCE(NULLIF(c.mapdisease, ''), d.diagcode), '.', ''), SUBSTR(d.dxtype, -1)
        FROM visit v JOIN visitdiag d ON d.pcucode = v.pcucode AND d.visitno = v.visitno
        LEFT JOIN cdisease c ON c.diseasecode = d.diagcode ORDER BY 1, 2""")
    theirs = hosxp.all("SELECT vn, icd10, diagtype FROM ovstdiag WHERE icd10 >= 'A' ORDER BY 1, 2")
    _alike(ours, theirs, pairs)


def _read(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[str, object]]]:
    """Lab results with their numbers as numbers, however they are typed."""

    def value(result: object) -> object:
        try:
            return float(str(result))
        except ValueError:
            return result

    return {number: [(code, value(result)) for code, result in found] for number, found in rows.items()}


def test_lab_results_are_the_same_in_the_order_of_their_orders(
    hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]
) -> None:
    ours = jhcis.all("""
        SELECT l.visitno, l.labcode, COALESCE(CAST(l.labresultdigit AS TEXT), l.labresulttext)
        FROM visit v JOIN visitlabchcyhembmsse l ON l.pcucode = v.pcucode AND l.visitno = v.visitno
        WHERE l.labcode IN ('CH99', 'CH09', 'CH19') ORDER BY 1, 2, l.seqonday""")
    theirs = hosxp.all("""
        SELECT h.vn, CASE WHEN l.lab_items_code IN (101, 111, 121) THEN 'CH99'
            WHEN l.lab_items_code IN (102, 112, 122) THEN 'CH09' ELSE 'CH19' END, l.lab_order_result
        FROM lab_head h JOIN lab_order l USING (lab_order_number)
        WHERE l.lab_items_code IN (101, 111, 121, 102, 112, 122, 103, 113, 123, 132) ORDER BY 1, 2, h.order_time""")
    _alike(_read(ours), _read(theirs), pairs)


DOSES_OF_JHCIS = """
    FROM visit v JOIN visitepi e ON e.pcucode = v.pcucode AND e.visitno = v.visitno
    JOIN cdrug c ON c.drugcode = e.vaccinecode AND c.drugtype = '05'
    LEFT JOIN user u ON u.pcucode = v.pcucode AND u.username = v.username"""
DOSES_OF_HOSXP = """
    SELECT vn, export_vaccine_code AS code, vaccine_lot_no AS lot, expire_date AS expiry, doctor_code
        FROM ovst_vaccine JOIN person_vaccine USING (person_vaccine_id)
    UNION ALL SELECT vn, export_vaccine_code, vaccine_lotno, vaccine_expire_date, doctor_code
        FROM person_wbc_service JOIN person_wbc_vaccine_detail USING (person_wbc_service_id) JOIN wbc_vaccine USING (wbc_vaccine_id)
    UNION ALL SELECT vn, export_vaccine_code, vaccine_lotno, vaccine_expire_date, doctor_code
        FROM person_epi_vaccine JOIN person_epi_vaccine_list USING (person_epi_vaccine_id) JOIN epi_vaccine USING (epi_vaccine_id)
    UNION ALL SELECT vn, export_vaccine_code, vaccine_lotno, vaccine_expire_date, doctor_code
        FROM village_student_vaccine JOIN village_student_vaccine_list USING (village_student_vaccine_id)
        JOIN student_vaccine USING (student_vaccine_id)
    UNION ALL SELECT vn, export_vaccine_code, vaccine_lotno, vaccine_expire_date, anc_doctor_code
        FROM person_anc_service JOIN person_anc_service_detail USING (person_anc_service_id) JOIN anc_service USING (anc_service_id)
"""


def test_doses_are_the_same(hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]) -> None:
    ours = jhcis.all(f"""
        SELECT e.visitno, CASE WHEN c.files18epi BETWEEN '201' AND '205' THEN '106' ELSE c.files18epi END,
            e.lotno, e.datevacineexpire {DOSES_OF_JHCIS} ORDER BY 1, 2, 3""")
    theirs = hosxp.all(f"SELECT vn, code, lot, expiry FROM ({DOSES_OF_HOSXP}) ORDER BY 1, 2, 3")
    _alike(ours, theirs, pairs)


def test_giver_is_the_same_where_one_gave_all_doses_of_the_visit(
    hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]
) -> None:
    ours = jhcis.one(f"SELECT DISTINCT e.visitno, u.fullname, u.noofoccupation {DOSES_OF_JHCIS}")
    theirs = hosxp.all(f"""
        SELECT DISTINCT g.vn, d.name, d.licenseno FROM ({DOSES_OF_HOSXP}) g LEFT JOIN doctor d ON d.code = g.doctor_code""")
    by_one = {visitno: vn for visitno, vn in pairs.items() if len(theirs.get(vn, ())) == 1}
    _alike({number: [tuple(row)] for number, row in ours.items()}, theirs, by_one)
    by_several = {visitno: vn for visitno, vn in pairs.items() if len(theirs.get(vn, ())) > 1}
    assert all(tuple(ours[visitno]) in theirs[vn] for visitno, vn in by_several.items())


def test_dt_of_a_pregnant_woman_has_a_code_of_pregnancy(
    hosxp: Hospital, jhcis: Hospital, pairs: dict[str, str]
) -> None:
    pregnant = {str(vn) for (vn,) in hosxp.connection.execute("SELECT vn FROM person_anc_service")}
    codes = jhcis.all(
        f"SELECT e.visitno, c.files18epi {DOSES_OF_JHCIS} WHERE c.files18epi IN ('106', '201', '202', '203', '204', '205')"
    )
    paired = {visitno: rows for visitno, rows in codes.items() if visitno in pairs}
    assert {pairs[visitno] in pregnant for visitno in paired} == {True, False}
    for visitno, rows in paired.items():
        assert all((code != "106") == (pairs[visitno] in pregnant) for (code,) in rows)


@pytest.mark.parametrize(
    ("what", "query"),
    [
        ("title as a code", "SELECT 1 FROM person WHERE prename IN (SELECT titlecode FROM ctitle)"),
        ("title as text", "SELECT 1 FROM person WHERE prename IN (SELECT titlename FROM ctitle)"),
        ("right by main_inscl", "SELECT 1 FROM visit WHERE main_inscl = 'UCS'"),
        ("right by its group", "SELECT 1 FROM visit v JOIN cright USING (rightcode) WHERE main_inscl IS NULL AND rightgroup = '3'"),
        ("diagnosis with a dot", "SELECT 1 FROM visitdiag WHERE diagcode = 'E11.9'"),
        ("diagnosis without a dot", "SELECT 1 FROM visitdiag WHERE diagcode = 'E119'"),
        ("diagnosis of the centre's own", "SELECT 1 FROM visitdiag JOIN cdisease ON diseasecode = diagcode WHERE mapdisease = 'E11.9'"),
        ("result as a number", "SELECT 1 FROM visitlabchcyhembmsse WHERE labcode = 'CH99' AND labresultdigit > 0"),
        ("result as text", "SELECT 1 FROM visitlabchcyhembmsse WHERE labcode = 'CH99' AND labresulttext GLOB '[0-9].[0-9]'"),
    ],
)  # fmt: skip
def test_each_way_of_writing_occurs_on_an_ordinary_day(dense_day: sqlite3.Connection, what: str, query: str) -> None:
    assert dense_day.execute(query).fetchone(), what


def test_everything_of_the_centre_bears_its_code(jhcis: Hospital) -> None:
    codes = jhcis.connection.execute("SELECT DISTINCT pcucode, pcucodeperson, pid > 0 FROM visit").fetchall()
    assert codes == [("10953", "10953", 1)]
    assert jhcis.connection.execute("SELECT offid FROM office ORDER BY 1").fetchall() == [("0000x",), ("10953",)]


def test_traps_leave_the_pairs_of_ordinary_visits_as_they_are(pairs: dict[str, str]) -> None:
    ordinary = vn_by_visitno(**PLAN, traps=False)
    assert len(ordinary) >= 7 * 60
    assert ordinary.items() <= pairs.items()


def test_the_command_builds_a_jhcis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "his.db"
    command = [f"sqlite:///{path}", "--his", "jhcis", "--first-day", "2026-10-12", "--days", "1", "--visits", "5"]
    assert main(command) == 0
    assert "visits of" in capsys.readouterr().out
    assert sqlite3.connect(path).execute("SELECT COUNT(*) FROM visit").fetchone()[0] > 5

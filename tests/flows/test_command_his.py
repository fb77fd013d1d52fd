"""`moph-claim his new`, `his check` and `his map` as a person calls them: what they say, their exit codes, nothing personal."""

import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_line import Said, moph_claim
from databases import SQLITE_FIRST
from night_shift import FIRST_DAY, Site, people_of, week_of
from rich.cells import cell_len

from core.clock import today
from extract.site_maps import MAPS, read_map
from extract.statements import BUILT_IN
from sandbox.his import build_hosxp, build_jhcis
from sandbox.process import Sandbox


@pytest.fixture
def hospital_on(tmp_path: Path, sandbox: Sandbox, database_on: Callable[[str], str]) -> Callable[[str], Site]:
    """A week of the hospital with every trap on "sqlite", "mariadb" or "postgresql", and its settings."""

    def make(backend: str) -> Site:
        url = database_on(backend)
        week_of(url)
        return Site(tmp_path / "site", his=url, sandbox=sandbox)

    return make


def _check(site: Site, day: date | None = FIRST_DAY, **environment: str) -> Said:
    return moph_claim(site.folder, "his", "check", *(["--day", str(day)] if day else []), **environment)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"his__charset": "latin1"}, "The facility's name reads as ???"),
        ({"facility__hcode": "07534"}, "The hospital database belongs to facility 10953, but facility.hcode is 07534"),
    ],
    ids=["wrong charset", "another's database"],
)
def test_check_reads_nobody_of_a_database_that_is_not_rightly_named(
    hospital_on: Callable[[str], Site], settings: dict[str, str], sentence: str
) -> None:
    site = hospital_on("mariadb")
    site.set(**settings)
    said = _check(site)
    _server, last = said.out.strip().splitlines()
    assert (said.code, last.startswith(f"✗ {sentence}")) == (2, True)


@pytest.mark.parametrize("backend", SQLITE_FIRST)
def test_check_says_of_every_statement_what_came_and_of_nobody_who_it_was(
    hospital_on: Callable[[str], Site], backend: str
) -> None:
    site = hospital_on(backend)
    said = _check(site)
    assert (said.code, said.err) == (0, "")
    assert "✓ Facility 10953 โรงพยาบาลตัวอย่าง (the name can be read" in said.out
    assert "✓ a write is refused: " in said.out
    assert "! The HIS cannot find a person by identity number without reading the whole table" in said.out
    assert re.search(rf"{FIRST_DAY}: \d+ visits have a claimable result or a dose", said.out)
    for file in ("labs", "vaccinations", "visits", "diagnoses"):
        assert f"hosxp/{file}.sql" in said.out
    assert said.out.count("Plan: table") == said.out.count("Samples (masked)") == 4
    assert "999999999" in said.out
    engine = sa.create_engine(site.values["his.url"])
    with engine.connect() as connection:
        numbers = set(connection.execute(sa.text("select hn from patient")).scalars())
        numbers |= set(connection.execute(sa.text("select vn from ovst")).scalars())
    engine.dispose()
    people = people_of(site.values["his.url"]) | numbers
    assert len(people) > 200
    assert [word for word in people if word in said.out] == []


@pytest.mark.parametrize("backend", SQLITE_FIRST)
def test_check_of_a_health_centre_names_nobody(
    tmp_path: Path, sandbox: Sandbox, database_on: Callable[[str], str], backend: str
) -> None:
    url = database_on(backend)
    build_jhcis(url, first_day=FIRST_DAY, days=1, visits_a_day=30, hospital_name="สถานีอนามัยทดสอบ")
    site = Site(tmp_path / "site", his=url, sandbox=sandbox, lines={"his.kind": "jhcis"})
    said = _check(site)
    assert (said.code, said.err) == (0, "")
    assert "user" in said.out[said.out.index("Plan: table") :]
    engine = sa.create_engine(url)
    staff = engine.dialect.identifier_preparer.quote_identifier("user")
    with engine.connect() as connection:
        rows = [*connection.execute(sa.text("select idcard, fname, lname from person"))]
        rows += connection.execute(sa.text(f"select fullname, noofoccupation, idcard from {staff}"))
    engine.dispose()
    people = {str(cell).strip() for row in rows for cell in row if cell}
    assert [word for word in people if word in said.out] == []


@pytest.mark.parametrize(
    ("name", "slip"),
    [
        ("labs", "101,32410"),
        pytest.param("vaccines", "9001,1000", marks=pytest.mark.slow),
        pytest.param("marital_status", "1,single", marks=pytest.mark.slow),
    ],
)
def test_a_code_in_a_map_that_is_on_no_list_is_said_by_check_and_doctor(site: Site, name: str, slip: str) -> None:
    maps = site.folder / "maps"
    maps.mkdir()
    (maps / f"{name}.csv").write_text(f"local_code,code\n{slip}\nFBS,-\n", encoding="utf-8")
    site.set(his__maps_folder=str(maps))
    local, code = slip.split(",")
    sentence = f"{name}.csv: {local} is said to stand for {code}, which is none of the codes that are claimed"
    checked, examined = _check(site), moph_claim(site.folder, "doctor")
    assert (checked.code, checked.out.count("is said to stand for")) == (1, 1)
    assert f"✗ {sentence}" in checked.out
    assert f"✗ Code maps: {sentence}" in examined.out


@pytest.mark.parametrize("language", ["th", pytest.param("en", marks=pytest.mark.slow)])
def test_check_fits_a_terminal_of_a_hundred_columns(site: Site, language: str) -> None:
    site.set(language=language)
    said = _check(site, COLUMNS="100")
    assert said.code == 0
    # Paths and the sentences around the tables may be as long as they are.
    drawn = [line for line in said.out.splitlines() if line.startswith(("┃", "│", "┏"))]
    assert len(drawn) > 60
    assert max(map(cell_len, drawn)) <= 100
    assert ("ต้องให้" in said.out) == (language == "th")


def test_check_of_a_day_without_visits_suggests_one_and_exits_1(site: Site) -> None:
    said = _check(site, FIRST_DAY + timedelta(days=20))
    assert said.code == 1
    assert (
        "no visit has a claimable result or a dose; a day that has some: moph-claim his check --day 2026-05-"
        in said.out
    )


def test_check_lists_all_that_is_not_as_agreed_and_exits_1(site: Site) -> None:
    own = site.folder / "own"
    own.mkdir()
    (own / "diagnoses.sql").write_text(
        "SELECT vn, icd10, diagtype AS kind, 0 AS earlier FROM ovstdiag WHERE vn IN :visits"
    )
    site.set(his__sql_folder=str(own))
    said = _check(site)
    assert said.code == 1
    wrong = said.out[said.out.index("Not as agreed") :]
    assert [line.split("│")[2].strip() for line in wrong.splitlines() if line.startswith("│")] == [
        "dx_type", "dx_date", "dx_time", "kind"
    ]  # fmt: skip
    assert re.search(r"│ dx_type .*│ MISSING", said.out)
    assert re.search(r"│ kind .*│ UNKNOWN", said.out)


def test_check_of_a_statement_that_cannot_be_run_says_why_and_exits_2(site: Site) -> None:
    own = site.folder / "own"
    own.mkdir()
    (own / "labs.sql").write_text("DELETE FROM ovst")
    site.set(his__sql_folder=str(own))
    said = _check(site)
    assert said.code == 2
    assert f"The SQL file {own / 'labs.sql'} cannot be used (it must be one SELECT)" in said.out
    assert "Vaccinations" in said.out


@pytest.mark.slow
def test_check_and_doctor_say_that_persons_cannot_be_asked_for_or_why(site: Site, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(BUILT_IN / "hosxp", own)
    site.set(his__kind="own", his__sql_folder=str(own))
    (own / "persons.sql").write_text("SELECT hn FROM patient", encoding="utf-8")
    said = _check(site)
    assert (said.code, f"✗ {own / 'persons.sql'} does not give what the contract wants" in said.out) == (1, True)
    (own / "persons.sql").unlink()
    # Was: nothing, so that it looked as if persons were asked for.
    for said in (_check(site), moph_claim(site.folder, "doctor")):
        assert (said.code, "! " in said.out, "The HIS's SQL folder has no persons.sql" in said.out) == (0, True, True)


def test_check_of_a_database_without_the_tables_names_them_and_exits_2(site: Site) -> None:
    site.set(his__kind="jhcis")
    said = _check(site)
    assert said.code == 2
    assert "lacks tables or columns that are needed: office" in said.out
    assert "Traceback" not in said.out + said.err


def test_check_shows_the_name_that_a_wrong_character_set_has_spoilt_and_exits_2(site: Site, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'spoilt.sqlite'}"
    build_hosxp(
        url, first_day=FIRST_DAY, days=1, visits_a_day=5, hospital_name="โรงพยาบาล".encode().decode("cp874", "replace")
    )
    site.set(his__url=url)
    said = _check(site)
    assert said.code == 2
    assert "the character set is wrong" in said.out
    assert "เธ" in said.out


def test_check_without_a_database_is_one_sentence(site: Site) -> None:
    site.set(his__url="mysql://reader:hidden@127.0.0.1:9/hos")
    sentence = _check(site).sentence
    assert sentence.startswith("The hospital database does not answer (127.0.0.1:9/hos)")


def test_check_of_a_day_that_is_none_is_one_sentence(site: Site) -> None:
    assert moph_claim(site.folder, "his", "check", "--day", "31/10/2569").sentence == (
        "The day 31/10/2569 is not understood: write it in CE, as 2026-10-31."
    )


def test_new_lays_out_a_folder_says_what_to_do_and_the_check_of_it_finds_the_facility_missing(site: Site) -> None:
    said = moph_claim(site.folder, "his", "new", "clinic")
    folder = site.folder / "clinic"
    assert (said.code, said.err) == (0, "")
    assert f'kind = "clinic"\n     sql_folder = "{folder}"' in said.out
    assert sorted(path.name for path in folder.iterdir()) == [
        "diagnoses.sql", "his.toml", "labs.sql", "vaccinations.sql", "visits.sql"
    ]  # fmt: skip
    site.set(his__kind="clinic", his__sql_folder=str(folder))
    checked = _check(site)
    assert checked.code == 2
    assert "does not say which facility it belongs to" in checked.out
    assert "MISSING" not in checked.out


def test_new_does_not_write_over_a_folder(site: Site) -> None:
    assert moph_claim(site.folder, "his", "new", "clinic", "--folder", "sql").code == 0
    kept = (site.folder / "sql" / "his.toml").read_bytes()
    assert (
        "is not empty: nothing was written"
        in moph_claim(site.folder, "his", "new", "other", "--folder", "sql").sentence
    )
    assert (site.folder / "sql" / "his.toml").read_bytes() == kept


def test_map_writes_six_files_and_keeps_what_a_person_has_put_in(tmp_path: Path, sandbox: Sandbox) -> None:
    url = f"sqlite:///{tmp_path / 'hosxp.sqlite'}"
    build_hosxp(url, first_day=today() - timedelta(days=3), days=3, visits_a_day=30)
    site = Site(tmp_path / "site", his=url, sandbox=sandbox)
    said = moph_claim(site.folder, "his", "map", "--days", "3")
    folder = site.folder / "maps"
    assert (said.code, said.err) == (1, "")
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.csv" for name in MAPS)
    assert f'[his] maps_folder = "{folder}"' in said.out
    labs = read_map(folder / "labs.csv")
    (unknown, *_) = [local for local, row in labs.items() if not row["code"]]
    text = (folder / "labs.csv").read_text(encoding="utf-8-sig")
    (folder / "labs.csv").write_text(text.replace(f"\n{unknown},,", f"\n{unknown},-,"), encoding="utf-8-sig")
    site.set(his__maps_folder=str(folder))
    again = moph_claim(site.folder, "his", "map", "--days", "3")
    assert "maps_folder" not in again.out
    row = read_map(folder / "labs.csv")[unknown]
    assert (row["code"], row["decided_by"]) == ("-", "person")
    to_review = [int(re.search(r"labs\.csv.* (\d+) │$", out, re.MULTILINE)[1]) for out in (said.out, again.out)]  # type: ignore[index]
    assert to_review[1] == to_review[0] - 1


def test_another_facilitys_codes_do_not_come_into_the_maps(site: Site) -> None:
    site.set(facility__hcode="99999")
    said = moph_claim(site.folder, "his", "map", "--days", "1")
    assert said.sentence.startswith("The hospital database belongs to facility 10953, but facility.hcode is 99999")
    assert not (site.folder / "maps").exists()


def test_map_of_days_in_which_nothing_is_left_to_review_exits_0(site: Site) -> None:
    said = moph_claim(site.folder, "his", "map", "--days", "1", "--folder", "elsewhere")
    assert (said.code, said.err) == (0, "")
    assert (site.folder / "elsewhere" / "labs.csv").read_bytes() == (
        b"\xef\xbb\xbflocal_code,code,name,records,his_code,decided_by\r\n"
    )

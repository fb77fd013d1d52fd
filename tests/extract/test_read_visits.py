"""Named visits read again by their numbers: the rows of their days as they are now, without reading the days."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from cottage import FIRST_DAY, FOLDER, SECOND_DAY, build_cottage
from databases import SQLITE_FIRST
from small_hospital import ALL, DAY, fill, settings_for

from core.errors import ConfigurationError
from extract import contract, reader
from extract import source as source_module
from extract.contract import DayTables
from extract.errors import ContractError, SourceError
from extract.source import HisSource, open_source
from extract.statements import BUILT_IN
from sandbox.his import build_hosxp, build_jhcis

ROOT = Path(__file__).parents[2]
BUILD = {"hosxp": build_hosxp, "jhcis": build_jhcis}
FIRST, DAYS = date(2026, 9, 14), 3
# of one person: with a lab and a diagnosis, with one of them, with both
DIABETIC, OTHERS, LATER_THAT_DAY = "690921080000", ["690921110000", "690921120000"], "690921130000"
SIBLING, WITH_SIBLING = "690921073000", "690921100000"  # of another
HYPERTENSIVE = "690921090000"
OTHER_DAY = date(2026, 9, 25)


def _assert_same(ours: DayTables, theirs: DayTables) -> None:
    assert ours.day == theirs.day
    for table in contract.TABLES:
        pd.testing.assert_frame_equal(getattr(ours, table), getattr(theirs, table))


def _part(tables: DayTables, numbers: Iterable[str]) -> DayTables:
    """Of a day's tables the rows of these visits."""
    frames = {name: getattr(tables, name) for name in contract.TABLES}
    wanted = {n: frame[frame["vn"].isin([*numbers])].reset_index(drop=True) for n, frame in frames.items()}
    return DayTables(tables.day, **wanted)  # type: ignore[arg-type]


def _one_of_each_person(tables: DayTables) -> list[str]:
    visits = tables.visits
    return list(visits.loc[visits["hn"].isna() | ~visits["hn"].duplicated(), "vn"])


def _numbers(found: Iterable[DayTables]) -> dict[date, list[str]]:
    return {tables.day: list(tables.visits["vn"]) for tables in found}


def _change(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(params=SQLITE_FIRST)
def his(request: pytest.FixtureRequest, database_on: Callable[[str], str]) -> str:
    """The URL of the hospital by hand, for one test to change."""
    url = database_on(request.param)
    fill(url)
    return url


def _read(url: str, visits: Mapping[date, Iterable[str]], **settings: object) -> list[DayTables]:
    with open_source(settings_for(url, **settings)) as source:
        return [*source.read_visits({day: [*numbers] for day, numbers in visits.items()}, ALL)]


@pytest.mark.parametrize("kind", BUILD)
@pytest.mark.parametrize("backend", SQLITE_FIRST)
def test_every_visit_has_the_rows_that_its_whole_day_gives_it(
    database_on: Callable[[str], str], kind: str, backend: str
) -> None:
    url = database_on(backend)
    BUILD[kind](url, first_day=FIRST, days=DAYS, visits_a_day=60)
    with open_source(settings_for(url, kind=kind)) as source:
        assert source.reader.reads_by_visit(ALL)
        days = [source.read_day(FIRST + timedelta(days=n), ALL) for n in range(DAYS)]
        again = [*source.read_visits(_numbers(days), ALL)]
        once = {tables.day: _one_of_each_person(tables) for tables in days}
        by_person = [*source.read_visits(once, ALL)]
        fifth = {tables.day: list(tables.visits["vn"][::5]) for tables in days}
        some = [*source.read_visits(fifth, ALL)]
    for whole, of_all, of_persons, of_some in zip(days, again, by_person, some, strict=True):
        _assert_same(of_all, whole)
        _assert_same(of_persons, whole)
        _assert_same(of_some, _part(whole, of_some.visits["vn"]))
        assert {*fifth[whole.day]} <= set(of_some.visits["vn"])
    assert sum(map(len, once.values())) < sum(len(whole.visits) for whole in days)
    assert sum(len(tables.visits) for tables in some) < sum(len(whole.visits) for whole in days) / 2


def test_other_visits_of_the_person_and_day_come_along(source: HisSource) -> None:
    (found,) = source.read_visits({DAY: [WITH_SIBLING]}, ALL)
    _assert_same(found, _part(source.read_day(DAY, ALL), [SIBLING, WITH_SIBLING]))
    assert len(found.visits) == 2


def test_moved_visit_is_under_the_day_on_which_it_is_now(his: str) -> None:
    _change(his, f"UPDATE ovst SET vstdate = '{OTHER_DAY}' WHERE vn = '{DIABETIC}'")
    _change(his, f"UPDATE ovst SET vstdate = '2569-09-25' WHERE vn = '{HYPERTENSIVE}'")  # kept in Buddhist years
    with open_source(settings_for(his)) as source:
        (found,) = source.read_visits({DAY: [DIABETIC, HYPERTENSIVE]}, ALL)
        _assert_same(found, source.read_day(OTHER_DAY, ALL))
    assert list(found.visits["vn"]) == [DIABETIC, HYPERTENSIVE]


def test_visit_named_under_two_days_is_given_once(source: HisSource) -> None:
    found = [*source.read_visits({OTHER_DAY: [DIABETIC], DAY: [DIABETIC, HYPERTENSIVE]}, ALL)]
    assert _numbers(found) == {DAY: [DIABETIC, HYPERTENSIVE, *OTHERS, LATER_THAT_DAY]}


def test_visit_that_is_gone_or_no_candidate_any_more_is_in_no_day(his: str) -> None:
    _change(
        his,
        f"DELETE FROM ovst WHERE vn = '{DIABETIC}'",
        f"UPDATE lab_head SET vn = NULL WHERE vn = '{HYPERTENSIVE}'",
        "UPDATE ovst SET vstdate = NULL WHERE vn = '690922080000'",
    )
    assert _read(his, {DAY: [DIABETIC, HYPERTENSIVE, "never"], date(2026, 9, 22): ["690922080000"]}) == []


def test_number_of_another_person_now_comes_with_that_persons_visits(his: str) -> None:
    _change(his, f"UPDATE ovst SET hn = '000000003' WHERE vn = '{HYPERTENSIVE}'")
    (found,) = _read(his, {DAY: [HYPERTENSIVE]})
    assert list(found.visits["vn"]) == [SIBLING, HYPERTENSIVE, WITH_SIBLING]
    assert set(found.visits["hn"]) == {"000000003"}


@pytest.mark.parametrize("number", ["NULL", "''"])
def test_visit_without_a_person_comes_alone(his: str, number: str) -> None:
    _change(his, f"UPDATE ovst SET hn = {number} WHERE vn IN ('{DIABETIC}', '{HYPERTENSIVE}')")
    (found,) = _read(his, {DAY: [DIABETIC]})
    assert list(found.visits["vn"]) == [DIABETIC]


def test_visit_that_moves_while_it_is_read_is_in_no_day(his: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_source(settings_for(his)) as source:
        look_up = HisSource._present_days

        def then_move(*arguments: object) -> dict[date, set[str]]:
            days = look_up(*arguments)  # type: ignore[arg-type]
            _change(his, f"UPDATE ovst SET vstdate = '{OTHER_DAY}' WHERE vn = '{DIABETIC}'")
            return days

        monkeypatch.setattr(HisSource, "_present_days", then_move)
        found = [*source.read_visits({DAY: [DIABETIC, HYPERTENSIVE], date(2026, 9, 22): ["690922080000"]}, ALL)]
    assert _numbers(found) == {DAY: [HYPERTENSIVE], date(2026, 9, 22): ["690922080000"]}


def test_nothing_named_is_nothing_read(source: HisSource) -> None:
    assert [*source.read_visits({}, ALL)] == [*source.read_visits({DAY: []}, ALL)] == []


def test_visits_of_many_statements_come_a_day_at_a_time_and_each_day_once(
    his: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change(his, f"UPDATE ovst SET vstdate = '{OTHER_DAY}' WHERE vn = '{DIABETIC}'")
    slept: list[float] = []
    monkeypatch.setattr(source_module.time, "sleep", slept.append)
    with open_source(settings_for(his, day_pause_seconds=30)) as source:
        days = [source.read_day(day, ALL) for day in (DAY, date(2026, 9, 22), OTHER_DAY)]
        for module in (reader, source_module):
            monkeypatch.setattr(module, "VISITS_A_STATEMENT", 1)
        slept.clear()
        known = [DIABETIC, *days[0].visits["vn"]]
        again = [*source.read_visits({DAY: known, date(2026, 9, 22): days[1].visits["vn"]}, ALL)]
    for ours, theirs in zip(again, days, strict=True):
        _assert_same(ours, theirs)
    assert [seconds > 29 for seconds in slept] == [True] * 4  # where the visits are, then each of the days


def _own_file(folder: Path, name: str, ours: str, theirs: str) -> Path:
    """A site's folder with one built-in file of HOSxP, one place changed."""
    text = (BUILT_IN / "hosxp" / name).read_text(encoding="utf-8")
    assert len(text.split(f"{ours}\n")) == 2
    (folder / name).write_text(text.replace(f"{ours}\n", f"{theirs}\n"), encoding="utf-8")
    return folder


BY_VISIT = '{{ "v.vn IN :visits" if by_visit else "v.vstdate IN (:day, :buddhist_day)" }}'


def test_whole_days_are_read_where_a_sites_file_cannot_name_visits(his: str, tmp_path: Path) -> None:
    folder = _own_file(tmp_path, "labs.sql", BY_VISIT, "v.vstdate IN (:day, :buddhist_day)")
    _change(his, f"UPDATE ovst SET vstdate = '{OTHER_DAY}' WHERE vn = '{DIABETIC}'")
    named = {DAY: [DIABETIC, WITH_SIBLING, "never"]}
    with open_source(settings_for(his, sql_folder=folder)) as source:
        assert not source.reader.reads_by_visit(ALL)
        found = [*source.read_visits(named, ALL)]
    assert _numbers(found) == {DAY: [SIBLING, WITH_SIBLING], OTHER_DAY: [DIABETIC]}
    for ours, theirs in zip(found, _read(his, named), strict=True):
        _assert_same(ours, theirs)


def test_site_file_that_asks_for_the_day_too_is_run_for_each_day(his: str, tmp_path: Path) -> None:
    _own_file(tmp_path, "labs.sql", BY_VISIT, f"{BY_VISIT} AND v.vstdate IN (:day, :buddhist_day)")
    _own_file(
        tmp_path, "visits.sql", "WHERE o.vn IN :visits", "WHERE o.vn IN :visits AND o.vstdate IN (:day, :buddhist_day)"
    )
    named = {DAY: [DIABETIC, WITH_SIBLING], date(2026, 9, 22): ["690922080000"]}
    with open_source(settings_for(his, sql_folder=tmp_path)) as source:
        assert source.reader.reads_by_visit(ALL)
        found = [*source.read_visits(named, ALL)]
    assert _numbers(found) == {
        DAY: [SIBLING, DIABETIC, WITH_SIBLING, *OTHERS, LATER_THAT_DAY],
        date(2026, 9, 22): ["690922080000"],
    }
    for ours, theirs in zip(found, _read(his, named), strict=True):
        _assert_same(ours, theirs)


def test_hospital_without_vaccine_tables_is_read_by_visit_too(database_on: Callable[[str], str]) -> None:
    url = database_on("sqlite")
    fill(url, without=("ovst_vaccine", "person_wbc_service", "person_epi_vaccine", "village_student_vaccine",
                       "person_anc_service"))  # fmt: skip
    with open_source(settings_for(url)) as source:
        assert source.reader.reads_by_visit(ALL)
        (found,) = source.read_visits({DAY: [DIABETIC]}, ALL)
        _assert_same(found, _part(source.read_day(DAY, ALL), found.visits["vn"]))
    assert DIABETIC in set(found.visits["vn"])


def test_example_of_a_new_his_reads_by_visit_with_what_its_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "new-his.md").read_text(encoding="utf-8")
    condition, same_day = (block.partition("```")[0] for block in page.rpartition("\n## ")[2].split("```sql\n")[1:])
    url, folder = f"sqlite:///{tmp_path / 'cottage.sqlite'}", tmp_path / "cottage"
    build_cottage(url)
    folder.mkdir()
    for file in FOLDER.iterdir():
        text, by_day = file.read_text(encoding="utf-8"), "WHERE e.enc_day IN (:day, :buddhist_day)\n"
        assert (by_day in text) == (file.name in ("labs.sql", "vaccinations.sql"))
        (folder / file.name).write_text(text.replace(by_day, condition), encoding="utf-8")
    named = {FIRST_DAY: ["1", "4"], SECOND_DAY: ["5"]}
    whole = _read(url, named, kind="cottage", sql_folder=FOLDER)
    assert _numbers(whole) == {FIRST_DAY: ["1"], SECOND_DAY: ["5"]}
    with open_source(settings_for(url, kind="cottage", sql_folder=folder)) as source:
        assert not source.reader.reads_by_visit(ALL)  # it does not say yet who else belongs to them
        (folder / "same_day.sql").write_text(same_day, encoding="utf-8")
        assert source.reader.reads_by_visit(ALL)
        for ours, theirs in zip(source.read_visits(named, ALL), whole, strict=True):
            _assert_same(ours, theirs)


def test_file_that_names_visits_where_a_whole_day_is_read_is_said(hospital: str, tmp_path: Path) -> None:
    folder = _own_file(tmp_path, "labs.sql", BY_VISIT, "v.vn IN :visits")
    # Before, a KeyError.
    with (
        open_source(settings_for(hospital, sql_folder=folder)) as source,
        pytest.raises(ConfigurationError, match="it uses visits where a whole day is read"),
    ):
        source.read_day(DAY, ALL)


def test_wrong_column_of_the_persons_visits_is_named(hospital: str, tmp_path: Path) -> None:
    (tmp_path / "same_day.sql").write_text("SELECT o.hn FROM ovst o WHERE o.vn IN :visits", encoding="utf-8")
    with pytest.raises(ContractError, match=r"same_day\.sql .* in column hn, vn"):
        _read(hospital, {DAY: [DIABETIC]}, sql_folder=tmp_path)


def test_limit_of_rows_holds(hospital: str) -> None:
    with pytest.raises(SourceError, match="more rows"):
        _read(hospital, {DAY: [DIABETIC, HYPERTENSIVE]}, most_rows_a_day=1)


def test_no_snapshot_is_open_while_the_caller_works(source: HisSource) -> None:
    for _ in source.read_visits({DAY: [DIABETIC], date(2026, 9, 22): ["690922080000"]}, ALL):
        assert not source.reader.connection.in_transaction()

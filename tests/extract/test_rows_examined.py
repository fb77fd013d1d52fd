"""What reading one day, or some visits, costs the hospital's server does not grow with the years the database holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from small_hospital import ALL, settings_for

from bench.rows_examined import RowsExamined
from extract.contract import TABLES, DayTables
from extract.source import open_source
from sandbox.his import build_hosxp, build_jhcis

FIRST_DAY = date(2026, 9, 14)
DAYS = 10
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)

BUILD = {"hosxp": build_hosxp, "jhcis": build_jhcis}
OF_NO_VISIT = {
    "hosxp": {
        "lab_head": "lab_order_number",
        "ovst_vaccine": "ovst_vaccine_id",
        "person_wbc_service": "person_wbc_service_id",
        "person_epi_vaccine": "person_epi_vaccine_id",
    },
    "jhcis": {},
}
"""Tables that also hold rows without a visit, such as what was given elsewhere, and their keys."""


@contextmanager
def _administrator(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def _analyze(connection: sa.Connection) -> None:
    """As the server itself does from time to time."""
    names = sa.inspect(connection).get_table_names()
    postgres = connection.dialect.name == "postgresql"
    connection.exec_driver_sql("ANALYZE" if postgres else f"ANALYZE TABLE {', '.join(names)}")


def _build(kind: str, url: str, days: int) -> None:
    BUILD[kind](url, first_day=FIRST_DAY, days=days, visits_a_day=150, traps=False)
    with _administrator(url) as connection:
        for table, number in OF_NO_VISIT[kind].items():
            rows = ", ".join(f"({n})" for n in range(1_000_000, 1_000_000 + 10 * days))
            connection.exec_driver_sql(f"INSERT INTO {table} ({number}) VALUES {rows}")
        _analyze(connection)


def _examined(kind: str, url: str, days: int) -> tuple[int, dict[str, int]]:
    """Visits read of the same day of the same hospital, whatever its days, and the rows examined for each table."""
    _build(kind, url, days)
    with open_source(settings_for(url, kind=kind)) as source:
        source.missing_tables()
        rows = RowsExamined(source.reader.connection)
        read = source.read_day(LAST_DAY, ALL)
        return len(read.visits), dict(rows.by_table)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BUILD)
@pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)
def test_rows_examined_for_a_day_do_not_grow_with_the_other_days(kind: str, new_database: Callable[[], str]) -> None:
    visits, once = _examined(kind, new_database(), DAYS)
    again, four_times = _examined(kind, new_database(), 4 * DAYS)
    assert visits == again > 20
    assert min(once[table] for table in TABLES) > visits
    # At most one row a visit: of a small code list, which a server looks up for each or reads whole, as it pleases.
    assert {table: rows for table, rows in four_times.items() if rows > once[table] + visits} == {}


def _examined_again(kind: str, url: str) -> tuple[list[str], dict[str, int], int]:
    """Every tenth visit of the first days read again: the persons, the rows examined, and those of these days read whole."""
    with open_source(settings_for(url, kind=kind)) as source:
        source.missing_tables()
        rows = RowsExamined(source.reader.connection)
        whole = [source.read_day(FIRST_DAY + timedelta(days=n), ALL) for n in range(DAYS)]
        examined = rows.by_table.total()
        rows.clear()
        named = {tables.day: list(tables.visits["vn"][::10]) for tables in whole}
        persons = [hn for tables in source.read_visits(named, ALL) for hn in tables.visits["hn"]]
        return persons, dict(rows.by_table), examined


OTHER_VISITS = {
    "hosxp": "INSERT INTO ovst (vn, hn, vstdate) VALUES ('9{n:011}', '{person}', '2026-01-05')",
    "jhcis": "INSERT INTO visit (pcucode, visitno, pcucodeperson, pid, visitdate) "
    "SELECT MAX(pcucode), 9{n:07}, MAX(pcucodeperson), {person}, '2026-01-05' FROM visit",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BUILD)
@pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)
def test_visits_read_again_cost_their_part_of_their_days_whatever_other_days_hold(
    kind: str, new_database: Callable[[], str]
) -> None:
    url = new_database()
    _build(kind, url, DAYS)
    persons, once, whole = _examined_again(kind, url)
    assert 30 < len(persons) < 80
    assert sum(once.values()) < whole / 5
    larger = new_database()
    _build(kind, larger, 4 * DAYS)
    again, four_times, _ = _examined_again(kind, larger)
    assert len(again) == len(persons)
    assert {table: rows for table, rows in four_times.items() if rows > once[table] + len(persons)} == {}
    # Persons who have been there often: each other visit is looked at once, and once more for first diagnoses.
    others = [(n, person) for n, person in enumerate(sorted({*persons}) * 20)]
    with _administrator(url) as connection:
        for n, person in others:
            connection.exec_driver_sql(OTHER_VISITS[kind].format(n=n, person=person))
        _analyze(connection)
    _, often, _ = _examined_again(kind, url)
    assert sum(often.values()) < sum(once.values()) + 2 * len(others)


@pytest.mark.slow
@pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)
def test_a_large_table_without_an_index_is_read_once_and_not_for_each_visit(new_database: Callable[[], str]) -> None:
    url = new_database()
    build_hosxp(url, first_day=FIRST_DAY, days=DAYS, visits_a_day=150, traps=False)
    with _administrator(url) as connection:
        rows = ", ".join(f"({n})" for n in range(1_000_000, 1_012_000))
        connection.exec_driver_sql(f"INSERT INTO ovst_vaccine (ovst_vaccine_id) VALUES {rows}")
        _analyze(connection)
        sound, settings_of_sound = _read_and_settings(url)
        (index,) = (
            i["name"] for i in sa.inspect(connection).get_indexes("ovst_vaccine") if i["column_names"] == ["vn"]
        )
        of_table = " ON ovst_vaccine" if connection.dialect.name == "mysql" else ""
        connection.exec_driver_sql(f"DROP INDEX {index}{of_table}")
    read, settings = _read_and_settings(url)
    assert settings_of_sound == []
    once = [["4", "2"], ["on", "off"]]
    assert [setting.rpartition(" = ")[2] for setting in settings] in once
    assert [setting.rpartition(" = ")[2] for setting in _settings_of_visits_of_all_days(url)] in once
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(read, table), getattr(sound, table))


def _settings_of_visits_of_all_days(url: str) -> list[str]:
    """The statements by which it was changed how the server joins, while some visits of each day are read again."""
    said: list[str] = []
    with open_source(settings_for(url)) as source:
        days = [source.read_day(FIRST_DAY + timedelta(days=n), ALL) for n in range(DAYS)]
        sa.event.listen(source.reader.connection, "before_cursor_execute", lambda *told: said.append(told[2]))
        assert len([*source.read_visits({d.day: list(d.visits["vn"][:2]) for d in days}, ALL)]) == DAYS
    return [sql for sql in said if "SET " in sql]


def _read_and_settings(url: str) -> tuple[DayTables, list[str]]:
    """The last day, and the statements by which it was changed how the server joins."""
    said: list[str] = []
    with open_source(settings_for(url)) as source:
        sa.event.listen(source.reader.connection, "before_cursor_execute", lambda *told: said.append(told[2]))
        return source.read_day(LAST_DAY, ALL), [sql for sql in said if "SET " in sql]

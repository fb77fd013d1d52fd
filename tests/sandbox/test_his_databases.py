"""The synthetic hospitals on SQLite, MariaDB (TIS-620) and PostgreSQL."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sandbox.his import HisExistsError, HisSummary, build_hosxp, build_jhcis
from sandbox.his.hosxp.tables import hosxp_tables
from sandbox.his.jhcis.tables import jhcis_tables

FIRST_DAY = date(2026, 10, 12)


TABLES = {build_hosxp: hosxp_tables, build_jhcis: jhcis_tables}
Build = Callable[..., HisSummary]
both = pytest.mark.parametrize("build", [build_hosxp, build_jhcis])


def _build(url: str, build: Build = build_hosxp, **changes: Any) -> HisSummary:
    return build(url, **{"first_day": FIRST_DAY, "days": 3, "visits_a_day": 30, **changes})


@pytest.fixture
def mariadb(database_on: Callable[[str], str]) -> str:
    return database_on("mariadb")


@pytest.fixture
def postgres(database_on: Callable[[str], str]) -> str:
    return database_on("postgresql")


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'his.db'}"


def _plain(value: Any) -> Any:
    """What a driver gives, as the generator wrote it; PyMySQL gives None or text for a zero date."""
    match value:
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            text = value.isoformat()
            return "0000-00-00" if text == "1899-12-30" else text
        case timedelta():
            return f"{value!s:0>8}"
        case _:
            return value


def _rows(url: str, build: Build = build_hosxp) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, read without SQLAlchemy's opinion of the types."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    quote = engine.dialect.identifier_preparer.quote
    with engine.connect() as connection:
        return {
            name: sorted(
                (tuple(map(_plain, row)) for row in connection.exec_driver_sql(f"SELECT * FROM {quote(name)}")),
                key=repr,
            )
            for name in TABLES[build]().tables
        }


@both
def test_mariadb_holds_the_same_rows_as_sqlite(sqlite: str, mariadb: str, build: Build) -> None:
    assert _build(sqlite, build) == _build(mariadb, build)
    expected, found = _rows(sqlite, build), _rows(mariadb, build)
    for table, rows in expected.items():
        # PyMySQL reads a zero date as None or as text, by version.
        without = [tuple(None if value == "0000-00-00" else value for value in row) for row in rows]
        got = [tuple(None if value == "0000-00-00" else value for value in row) for row in found[table]]
        assert sorted(got, key=repr) == sorted(without, key=repr), table


@both
def test_postgresql_holds_the_same_rows_as_sqlite(sqlite: str, postgres: str, build: Build) -> None:
    assert _build(sqlite, build) == _build(postgres, build)
    expected, found = _rows(sqlite, build), _rows(postgres, build)
    for table, rows in expected.items():
        assert found[table] == rows, table


@both
def test_mariadb_tables_are_kept_in_tis620(mariadb: str, build: Build) -> None:
    _build(mariadb, build, days=1, visits_a_day=1)
    with sa.create_engine(mariadb, poolclass=sa.NullPool).connect() as connection:
        charsets = connection.exec_driver_sql(
            "SELECT DISTINCT character_set_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND character_set_name IS NOT NULL"
        ).scalars()
        assert list(charsets) == ["tis620"]


@pytest.mark.parametrize(
    ("database", "condition"),
    [
        ("sqlite", "{} = '0000-00-00'"),
        ("mariadb", "{0} = 0 AND {0} IS NOT NULL"),
        ("postgres", "{} = DATE '1899-12-30'"),
    ],
)
@pytest.mark.parametrize(
    ("build", "table", "born"), [(build_hosxp, "patient", "birthday"), (build_jhcis, "person", "birth")]
)
def test_a_zero_date_is_kept_as_the_database_keeps_it(
    request: pytest.FixtureRequest, build: Build, table: str, born: str, database: str, condition: str
) -> None:
    url = request.getfixturevalue(database)
    summary = _build(url, build, days=1, visits_a_day=1)
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        count = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table} WHERE {condition.format(born)}").scalar()
    assert count == len(summary.traps["zero_date_of_birth"])


SEARCHED = {
    build_hosxp: {("ovst", "vstdate"), ("ovst", "hn"), ("ovstdiag", "vn"), ("ovstdiag", "hn")},
    build_jhcis: {
        ("visit", "visitdate"),
        ("visit", "pcucodeperson", "pid"),
        *((table, "pcucode", "visitno") for table in ("visitdiag", "visitepi", "visitlabchcyhembmsse")),
    },
}


@both
@pytest.mark.parametrize("database", ["sqlite", "mariadb", "postgres"])
def test_the_columns_a_hospital_searches_by_are_indexed(
    request: pytest.FixtureRequest, database: str, build: Build
) -> None:
    url = request.getfixturevalue(database)
    _build(url, build, days=1, visits_a_day=1, traps=False)
    inspector = sa.inspect(sa.create_engine(url, poolclass=sa.NullPool))
    indexed = {
        (table, *index["column_names"]) for table, *_ in SEARCHED[build] for index in inspector.get_indexes(table)
    }
    assert SEARCHED[build] <= indexed


@both
def test_a_hospital_is_never_written_over(sqlite: str, build: Build) -> None:
    _build(sqlite, build, days=1, visits_a_day=1)
    before = _rows(sqlite, build)
    with pytest.raises(HisExistsError):
        _build(sqlite, build, days=1, visits_a_day=2)
    assert _rows(sqlite, build) == before


def test_one_his_is_never_written_into_the_database_of_another(sqlite: str) -> None:
    _build(sqlite, build_hosxp, days=1, visits_a_day=1)
    before = _rows(sqlite, build_hosxp)
    with pytest.raises(HisExistsError):
        _build(sqlite, build_jhcis, days=1, visits_a_day=1)
    assert _rows(sqlite, build_hosxp) == before
    assert "visit" not in sa.inspect(sa.create_engine(sqlite)).get_table_names()


@both
def test_the_same_seed_gives_the_same_hospital(tmp_path: Path, build: Build) -> None:
    one, two = (f"sqlite:///{tmp_path / name}" for name in ("one.db", "two.db"))
    assert _build(one, build, seed=7) == _build(two, build, seed=7)
    assert _rows(one, build) == _rows(two, build)


def test_another_seed_gives_another_hospital(tmp_path: Path) -> None:
    one, two = (f"sqlite:///{tmp_path / name}" for name in ("one.db", "two.db"))
    _build(one, seed=7)
    _build(two, seed=8)
    assert _rows(one)["patient"] != _rows(two)["patient"]

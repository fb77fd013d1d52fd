"""A generated hospital reads alike from the three databases, its traps told apart by the visit."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from small_hospital import ALL, settings_for

from extract import contract
from extract.contract import DayTables
from extract.source import open_source
from sandbox.his import HisSummary, build_hosxp

FIRST_DAY = date(2026, 9, 14)
DAYS = 3


def _read(url: str) -> tuple[HisSummary, list[DayTables]]:
    summary = build_hosxp(url, first_day=FIRST_DAY, days=DAYS, visits_a_day=60)
    with open_source(settings_for(url)) as source:
        return summary, [source.read_day(FIRST_DAY + timedelta(days=day), ALL) for day in range(DAYS)]


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> tuple[HisSummary, list[DayTables]]:
    folder: Path = tmp_path_factory.mktemp("synthetic")
    return _read(f"sqlite:///{folder / 'his.db'}")


def _all(days: list[DayTables], table: str) -> pd.DataFrame:
    return pd.concat([getattr(day, table) for day in days])


@pytest.mark.parametrize("new_database", ["mariadb", "postgresql"], indirect=True)
def test_server_gives_the_same_tables_as_sqlite(
    new_database: Callable[[], str], on_sqlite: tuple[HisSummary, list[DayTables]]
) -> None:
    _, days = _read(new_database())
    for ours, theirs in zip(days, on_sqlite[1], strict=True):
        assert len(ours.visits) > 0
        for table in contract.TABLES:
            pd.testing.assert_frame_equal(getattr(ours, table), getattr(theirs, table))


@pytest.mark.parametrize(
    "trap", ["result_blank", "not_confirmed", "item_of_another_code", "item_known_to_the_site_only"]
)
def test_visit_without_a_result_of_ours_stays_in_the_database(
    on_sqlite: tuple[HisSummary, list[DayTables]], trap: str
) -> None:
    summary, days = on_sqlite
    assert summary.traps[trap]
    assert not set(summary.traps[trap]) & set(_all(days, "visits")["vn"])


@pytest.mark.parametrize(
    "trap",
    ["labs_of_inpatient", "item_known_by_price_list", "item_known_by_system_list", "item_known_by_provis_code",
     "potassium_within_panel", "reported_days_later", "repeated_orders", "result_is_a_remark"],
)  # fmt: skip
def test_visit_with_a_result_of_ours_is_read(on_sqlite: tuple[HisSummary, list[DayTables]], trap: str) -> None:
    summary, days = on_sqlite
    assert set(summary.traps[trap]) <= set(_all(days, "labs")["vn"])


def test_later_of_repeated_orders_comes_last(on_sqlite: tuple[HisSummary, list[DayTables]]) -> None:
    summary, days = on_sqlite
    labs = _all(days, "labs")
    for vn in summary.traps["repeated_orders"]:
        assert list(labs[labs["vn"] == vn]["result"]) == ["6.1", "8.4"]


def test_panel_gives_its_potassium_alone(on_sqlite: tuple[HisSummary, list[DayTables]]) -> None:
    summary, days = on_sqlite
    labs = _all(days, "labs").set_index("vn").loc[summary.traps["potassium_within_panel"]]
    assert sorted(zip(labs["lab_code"], labs["result"], strict=True)) == [
        ("32103", "4.1"),
        ("32103", "4.1"),
        ("32202", "1.10"),
    ]

"""What a person was claimed for before: which claims stand against a new one, and which give way to it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from day_builder import (
    DAY,
    VN,
    cid,
    diagnosis,
    dm_day,
    dose,
    dt_day,
    earlier,
    epi_day,
    ht_day,
    keys,
    lab,
    make,
    only_claim,
    only_error,
    rules,
    tables,
    visit,
)

from core.errors import ConfigurationError
from extract.contract import DayTables
from transform.code_lists import FOLDER
from transform.codes import read_codes
from transform.settings import TransformSettings

OPENED: dict[str, Any] = {"closing_code": "PP1234567890"}
STANDS_AGAINST: list[tuple[Callable[..., DayTables], dict[str, Any], str]] = [
    (dm_day, earlier("dm", "1", "2026-09-01"), "dm.interval"),
    (ht_day, earlier("ht", "1", "2024-09-01"), "ht.claimed_before"),
    (lambda **changes: epi_day(changes=changes), earlier("epi", "1", "2026-09-01", "091"), "vaccine.claimed_before"),
    (lambda **changes: dt_day(changes), earlier("dt", "1", "2026-09-21", "106"), "vaccine.claimed_before"),
]
"""A day with one claim, a claim of the history that stands against it, and the rule that says so."""


def _from_now(days: int) -> str:
    return (DAY + timedelta(days=days)).isoformat()


def _waiting(claim: dict[str, Any]) -> dict[str, Any]:
    return claim | {"yields": True}


def _vaccine_list(folder: Path, **interval_days: str) -> TransformSettings:
    """A site's own list of vaccines with the interval of some codes."""
    listed = pd.read_csv(FOLDER / "vaccines.csv", dtype="str")
    listed["interval_days"] = listed["code"].map({code.lstrip("_"): days for code, days in interval_days.items()})
    listed.to_csv(folder / "vaccines.csv", index=False)
    return TransformSettings(codes_folder=folder)


@pytest.mark.parametrize("days", [-27, 27, 0])
@pytest.mark.parametrize(("of", "kind", "item"), [(epi_day, "epi", "091"), (dt_day, "dt", "106")])
def test_a_vaccine_claimed_at_another_visit_within_four_weeks_is_not_claimed_again(
    of: Any, kind: Any, item: str, days: int
) -> None:
    # was a second claim of the same dose
    issue = only_error(make(of(), earlier(kind, "1", _from_now(days), item)))
    assert issue.rule == "vaccine.claimed_before"
    assert _from_now(days) in issue.message.en


@pytest.mark.parametrize("days", [-28, 28])
def test_a_vaccine_claimed_four_weeks_apart_is_another_dose(days: int) -> None:
    only_claim(make(dt_day(), earlier("dt", "1", _from_now(days), "106")))


def test_another_vaccine_or_persons_claim_and_the_claim_itself_stand_not_against_a_dose() -> None:
    others = [
        earlier("epi", "1", "2026-09-20", "081"),
        earlier("epi", "1", "2026-09-20", "091", pid=cid(2)),
        earlier("epi", VN, "2026-09-20", "091"),
    ]
    only_claim(make(epi_day(), *others))


def test_a_dose_entered_at_two_visits_is_one_however_late_the_second() -> None:
    limits = read_codes().on(DAY).limits
    # was 30, so that a dose entered again 28 to 30 days later was claimed twice
    assert limits["dose_days_before"] < limits["vaccine_interval_days"]


def test_the_list_gives_a_vaccine_an_interval_of_its_own(tmp_path: Path) -> None:
    settings = _vaccine_list(tmp_path, _106="180")
    history = [earlier("dt", "1", _from_now(-179), "106"), earlier("epi", "1", _from_now(-28), "091")]
    # was claimed: the interval of all vaccines, four weeks
    assert "less than 180 days apart" in only_error(make(dt_day(), *history, settings=settings)).message.en
    only_claim(make(epi_day(), *history, settings=settings))


def test_a_list_without_intervals_is_read(tmp_path: Path) -> None:
    listed = pd.read_csv(FOLDER / "vaccines.csv", dtype="str").drop(columns="interval_days")
    listed.to_csv(tmp_path / "vaccines.csv", index=False)
    settings = TransformSettings(codes_folder=tmp_path)
    # was refused: the column interval_days is missing
    only_claim(make(dt_day(), settings=settings))
    assert rules(make(dt_day(), earlier("dt", "1", _from_now(-27), "106"), settings=settings)) == [
        "vaccine.claimed_before"
    ]


def test_an_interval_that_is_no_number_of_days_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="interval_days"):
        make(dt_day(), settings=_vaccine_list(tmp_path, _106="4 weeks"))


@pytest.mark.parametrize(("of", "claim", "rule"), STANDS_AGAINST)
def test_a_claim_that_waits_for_its_closing_code_gives_way_to_a_visit_that_has_one(
    of: Any, claim: dict[str, Any], rule: str
) -> None:
    made = make(of(), _waiting(claim))
    # was refused: the person was paid for by nobody
    sent = only_claim(made)
    assert made.set_aside == (((claim["kind"], "1", claim["item"]), (sent.kind, sent.vn, sent.item)),)
    assert rules(make(of(), claim)) == [rule]


@pytest.mark.parametrize(("of", "claim", "rule"), STANDS_AGAINST)
def test_a_claim_that_waits_for_its_closing_code_stands_against_a_visit_without_one(
    of: Any, claim: dict[str, Any], rule: str
) -> None:
    made = make(of(**OPENED), _waiting(claim))
    assert (only_error(made).rule, made.set_aside) == (rule, ())


def test_of_a_full_fiscal_year_the_claim_that_waits_gives_way() -> None:
    history = [earlier("dm", "1", "2025-10-01"), earlier("dm", "2", "2026-02-01", yields=True)]
    made = make(dm_day(), *history)
    only_claim(made)
    assert made.set_aside == ((("dm", "2", ""), ("dm", VN, "")),)
    assert rules(make(dm_day(**OPENED), *history)) == ["dm.fiscal_year"]


def test_a_claim_that_waits_and_is_in_nobodys_way_is_not_set_aside() -> None:
    visits, waiting = [visit()], {"yields": True}
    day = tables(visits, [diagnosis()], [lab()], [dose(), dose("106")])
    history = [
        earlier("dm", "1", "2026-02-01", **waiting),
        earlier("dm", "2", "2026-09-01", pid=cid(2), **waiting),
        earlier("epi", "1", "2026-09-20", "081", **waiting),
        earlier("dt", "1", _from_now(-28), "106", **waiting),
    ]
    made = make(day, *history)
    assert (len(made.claims), made.set_aside) == (3, ())


def test_a_claim_that_waits_is_not_set_aside_for_what_is_refused() -> None:
    made = make(dm_day("Hemolysis"), earlier("dm", "1", "2026-09-01", yields=True))
    assert (rules(made), made.set_aside) == (["lab.not_a_number"], ())


def _two_visits(first: dict[str, Any], second: dict[str, Any]) -> DayTables:
    visits = [visit("1", visit_time="08:00", **first), visit("2", visit_time="14:00", **second)]
    vns = ("1", "2")
    return tables(
        visits, [diagnosis(vn=vn) for vn in vns], [lab(vn=vn) for vn in vns], [dose("106", vn=vn) for vn in vns]
    )


def test_of_two_visits_of_a_day_the_one_with_its_closing_code_claims() -> None:
    # was visit 1: the earlier
    assert {key[2] for key in keys(make(_two_visits(OPENED, {})))} == {"2"}
    assert {key[2] for key in keys(make(_two_visits({}, {})))} == {"1"}
    assert {key[2] for key in keys(make(_two_visits(OPENED, OPENED)))} == {"1"}


def test_of_two_visits_of_a_day_the_one_claimed_already_stays_though_the_other_has_its_closing_code() -> None:
    history = [earlier("dm", "1", "2026-09-21"), earlier("dt", "1", "2026-09-21", "106")]
    made = make(_two_visits(OPENED, {}), *history)
    assert ({key[2] for key in keys(made)}, made.set_aside) == ({"1"}, ())
    # the number of the person was mended since: still the visit that has claimed
    of_another = [claim | {"pid": cid(2)} for claim in history]
    assert {key[2] for key in keys(make(_two_visits(OPENED, {}), *of_another))} == {"1"}


def test_of_two_visits_of_a_day_the_one_that_waits_gives_way_to_the_one_with_its_closing_code() -> None:
    history = [earlier("dm", "1", "2026-09-21", yields=True), earlier("dt", "1", "2026-09-21", "106", yields=True)]
    made = make(_two_visits(OPENED, {}), *history)
    assert {key[2] for key in keys(made)} == {"2"}
    assert made.set_aside == ((("dm", "1", ""), ("dm", "2", "")), (("dt", "1", "106"), ("dt", "2", "106")))
    assert {key[2] for key in keys(make(_two_visits(OPENED, OPENED), *history))} == {"1"}

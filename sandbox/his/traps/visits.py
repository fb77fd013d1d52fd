"""Traps in the visit: its date, its rights, its diagnoses, and who claimed it. Docstrings say what is right."""

from datetime import timedelta
from typing import Any

from sandbox.his import lookups as has
from sandbox.his.database import ZERO_DATE
from sandbox.his.traps.stage import Stage
from sandbox.his.visits import LabOrder, Right


def buddhist_visit_date(stage: Stage) -> list[str]:
    """The visit stands under a date in Buddhist years: refused."""

    def stored() -> dict[str, Any]:
        day = stage.next_day()
        # A leap year plus 543 is none.
        return {"day": day, "stored_day": f"{day.year + 543}-{day.month:02d}-{min(day.day, 28):02d}"}

    return [stage.dm(**stored()), stage.epi(**stored())]


def visit_time_missing(stage: Stage) -> list[str]:
    """No time of day: refused, none is invented."""
    return [stage.dm(stored_time=None), stage.epi(stored_time=None)]


def visit_near_midnight(stage: Stage) -> list[str]:
    """Five past midnight and two to midnight: claimed on the day itself, whatever the clock of the computer."""
    return [stage.dm(second=301, day=stage.first_day), stage.dm(second=86_281, day=stage.last_day)]


def leading_zeros(stage: Stage) -> list[str]:
    """VN and HN begin with noughts: claimed with them."""
    return [stage.dm(vn="000123456789"), stage.epi(vn="0007")]


def several_right_rows(stage: Stage) -> list[str]:
    """Several `visit_pttype` rows, one opened (PP), one closed (EP): one claim, under the EP code."""
    closed, opened = Right("11", "EP9000000001"), Right("12", "PP9000000002")
    return [
        stage.dm(rights=(closed, opened, Right("40"))),
        stage.epi(rights=(Right("10", "PP9000000003"), Right("20"), Right("30", "EP9000000004"))),
    ]


def closing_code_in_older_column(stage: Stage) -> list[str]:
    """`auth_code` is empty and `claim_code` holds the closing code: claimed under it."""
    return [
        stage.dm(rights=(Right("11", None, "EP9000000005"),)),
        stage.epi(rights=(Right("11", "", "EP9000000006"),)),
    ]


def opened_not_closed(stage: Stage) -> list[str]:
    """Only an opening code (PP): claimed with a warning; the server decides."""
    return [stage.dm(rights=(Right("11", "PP9000000007"),))]


def no_closing_code(stage: Stage) -> list[str]:
    """No code on the right, and no right row at all: claimed with a warning; the server decides."""
    return [stage.dm(rights=(Right("11"),)), stage.epi(rights=())]


def two_visits_one_day(stage: Stage) -> list[str]:
    """The same diabetic twice on one day: the first is claimed, the second refused."""
    patient, day = stage.adult(), stage.next_day()
    return [stage.dm(patient, day=day), stage.dm(patient, result="7.9", day=day)]


def two_vaccinations_one_day(stage: Stage) -> list[str]:
    """The same child twice on one day, another vaccine each time: both claimed."""
    child, day = stage.child(), stage.next_day()
    return [stage.epi(child, day=day), stage.epi(child, stage.dose("ovst", "081"), day=day)]


def diabetes_and_hypertension(stage: Stage) -> list[str]:
    """Both found at one visit, with HbA1c and creatinine: two claims."""
    results = ((has.HBA1C_BY_PRICE, "8.1"), (has.CREATININE_BY_PRICE, "0.90"))
    return [stage.dm(diagnoses=(("E119", "1"), ("I10", "2")), orders=(LabOrder(results),))]


def diagnosis_not_principal(stage: Stage) -> list[str]:
    """The diagnosis that counts stands last, behind others and a procedure: claimed with the codes as they are."""
    return [
        stage.dm(diagnoses=(("J00", "1"), ("9929", "1"), ("E785", "2"), ("E116", "4"))),
        stage.ht(diagnoses=(("N390", "1"), ("I119", "2"))),
    ]


def diabetes_of_other_type(stage: Stage) -> list[str]:
    """Type 1 diabetes (E10) with HbA1c: no claim and no issue."""
    return [stage.dm(diagnoses=(("E109", "1"),))]


def claimed_by_the_his(stage: Stage) -> list[str]:
    """The hospital's own program has a transaction for the visit: not sent again."""
    return [
        stage.dm(his_uid="his-0001"),
        stage.epi(his_uid="his-0002"),
        stage.dt(None, stage.dose("ovst", "106", his_uid="his-0003")),
    ]


def unfinished_claim_of_the_his(stage: Stage) -> list[str]:
    """The hospital's own program looked at the visit and has no transaction: claimed."""
    return [stage.dm(his_uid=""), stage.dt(None, stage.dose("ovst", "106", his_uid=""))]


def hba1c_twice_within_three_months(stage: Stage) -> list[str]:
    """The same diabetic on two days of the window, up to 40 apart: the first is claimed, the second refused.

    Empty when the window is a single day.
    """
    first = max(stage.first_day, stage.last_day - timedelta(days=40))
    if first == stage.last_day:
        return []
    patient = stage.adult()
    return [stage.dm(patient, day=first), stage.dm(patient, result="7.0", day=stage.last_day)]


def third_hba1c_in_fiscal_year(stage: Stage) -> list[str]:
    """On the window's last day, the third of the fiscal year: refused once the two before it are claimed.

    Those lie 100 and 200 days back, mostly before the window. Empty when that is not the same fiscal year.
    """
    day = stage.last_day
    new_year = day.replace(year=day.year - (day.month < 10), month=10, day=1)
    if day - timedelta(days=200) < new_year:
        return []
    patient = stage.adult()
    for days in (200, 100):
        stage.dm(patient, day=day - timedelta(days=days))
    return [stage.dm(patient, day=day)]


def not_newly_hypertensive(stage: Stage) -> list[str]:
    """Hypertension stands at a visit 200 days ago, and at one earlier the same day: refused."""
    known, day = stage.adult(), stage.next_day()
    stage.ht(known, orders=(), day=stage.first_day - timedelta(days=200))
    same_day = stage.adult()
    stage.ht(same_day, orders=(), day=day, diagnoses=(("I10", "1"),))
    return [stage.ht(known, day=day, diagnoses=(("I119", "1"),)), stage.ht(same_day, day=day)]


def hypertension_followed_up(stage: Stage) -> list[str]:
    """Newly hypertensive, and back on the window's last day: the first is claimed, the second refused.

    Empty when the window is a single day.
    """
    if stage.first_day == stage.last_day:
        return []
    patient = stage.adult()
    return [stage.ht(patient, day=stage.first_day), stage.ht(patient, day=stage.last_day)]


def earlier_hypertension_without_date(stage: Stage) -> list[str]:
    """The other visit with hypertension has a zero date, which says nothing: claimed."""
    patient = stage.adult()
    stage.ht(patient, orders=(), day=stage.first_day - timedelta(days=300), stored_day=ZERO_DATE)
    return [stage.ht(patient)]


TRAPS = (
    buddhist_visit_date,
    visit_time_missing,
    visit_near_midnight,
    leading_zeros,
    several_right_rows,
    closing_code_in_older_column,
    opened_not_closed,
    no_closing_code,
    two_visits_one_day,
    two_vaccinations_one_day,
    diabetes_and_hypertension,
    diagnosis_not_principal,
    diabetes_of_other_type,
    claimed_by_the_his,
    unfinished_claim_of_the_his,
    hba1c_twice_within_three_months,
    third_hba1c_in_fiscal_year,
    not_newly_hypertensive,
    hypertension_followed_up,
    earlier_hypertension_without_date,
)

"""Traps in the visit: its date, its rights, its diagnoses, and who claimed it. Docstrings say what is right."""

from datetime import timedelta
from typing import Any

from sandbox.his import lookups
from sandbox.his.database import ZERO_DATE
from sandbox.his.traps.visit_factory import VisitFactory
from sandbox.his.visits import LabOrder, Right


def buddhist_visit_date(factory: VisitFactory) -> list[str]:
    """The visit stands under a date in Buddhist years: refused."""

    def stored() -> dict[str, Any]:
        day = factory.next_day()
        # A leap year plus 543 is none.
        return {"day": day, "stored_day": f"{day.year + 543}-{day.month:02d}-{min(day.day, 28):02d}"}

    return [factory.dm(**stored()), factory.epi(**stored())]


def visit_time_missing(factory: VisitFactory) -> list[str]:
    """No time of day: refused, none is invented."""
    return [factory.dm(stored_time=None), factory.epi(stored_time=None)]


def visit_near_midnight(factory: VisitFactory) -> list[str]:
    """Five past midnight and two to midnight: claimed on the day itself, whatever the clock of the computer."""
    return [factory.dm(second=301, day=factory.first_day), factory.dm(second=86_281, day=factory.last_day)]


def leading_zeros(factory: VisitFactory) -> list[str]:
    """VN and HN begin with noughts: claimed with them."""
    return [factory.dm(vn="000123456789"), factory.epi(vn="0007")]


def several_right_rows(factory: VisitFactory) -> list[str]:
    """Several `visit_pttype` rows, one opened (PP), one closed (EP): one claim, under the EP code."""
    closed, opened = Right("11", "EP9000000001"), Right("12", "PP9000000002")
    return [
        factory.dm(rights=(closed, opened, Right("40"))),
        factory.epi(rights=(Right("10", "PP9000000003"), Right("20"), Right("30", "EP9000000004"))),
    ]


def closing_code_in_older_column(factory: VisitFactory) -> list[str]:
    """`auth_code` is empty and `claim_code` holds the closing code: claimed under it."""
    return [
        factory.dm(rights=(Right("11", None, "EP9000000005"),)),
        factory.epi(rights=(Right("11", "", "EP9000000006"),)),
    ]


def opened_not_closed(factory: VisitFactory) -> list[str]:
    """Only an opening code (PP): claimed with a warning; the server decides."""
    return [factory.dm(rights=(Right("11", "PP9000000007"),))]


def no_closing_code(factory: VisitFactory) -> list[str]:
    """No code on the right, and no right row at all: claimed with a warning; the server decides."""
    return [factory.dm(rights=(Right("11"),)), factory.epi(rights=())]


def two_visits_one_day(factory: VisitFactory) -> list[str]:
    """The same diabetic twice on one day: the first is claimed, the second refused."""
    patient, day = factory.adult(), factory.next_day()
    return [factory.dm(patient, day=day), factory.dm(patient, result="7.9", day=day)]


def two_vaccinations_one_day(factory: VisitFactory) -> list[str]:
    """The same child twice on one day, another vaccine each time: both claimed."""
    child, day = factory.child(), factory.next_day()
    return [factory.epi(child, day=day), factory.epi(child, factory.dose("ovst", "081"), day=day)]


def diabetes_and_hypertension(factory: VisitFactory) -> list[str]:
    """Both found at one visit, with HbA1c and creatinine: two claims."""
    results = ((lookups.HBA1C_BY_PRICE, "8.1"), (lookups.CREATININE_BY_PRICE, "0.90"))
    return [factory.dm(diagnoses=(("E119", "1"), ("I10", "2")), orders=(LabOrder(results),))]


def diagnosis_not_principal(factory: VisitFactory) -> list[str]:
    """The diagnosis that counts stands last, behind others and a procedure: claimed with the codes as they are."""
    return [
        factory.dm(diagnoses=(("J00", "1"), ("9929", "1"), ("E785", "2"), ("E116", "4"))),
        factory.ht(diagnoses=(("N390", "1"), ("I119", "2"))),
    ]


def diabetes_of_other_type(factory: VisitFactory) -> list[str]:
    """Type 1 diabetes (E10) with HbA1c: no claim and no issue."""
    return [factory.dm(diagnoses=(("E109", "1"),))]


def claimed_by_the_his(factory: VisitFactory) -> list[str]:
    """The hospital's own program has a transaction for the visit: not sent again."""
    return [
        factory.dm(his_uid="his-0001"),
        factory.epi(his_uid="his-0002"),
        factory.dt(None, factory.dose("ovst", "106", his_uid="his-0003")),
    ]


def unfinished_claim_of_the_his(factory: VisitFactory) -> list[str]:
    """The hospital's own program looked at the visit and has no transaction: claimed."""
    return [factory.dm(his_uid=""), factory.dt(None, factory.dose("ovst", "106", his_uid=""))]


def hba1c_twice_within_three_months(factory: VisitFactory) -> list[str]:
    """The same diabetic on two days of the window, up to 40 apart: the first is claimed, the second refused.

    Empty when the window is a single day.
    """
    first = max(factory.first_day, factory.last_day - timedelta(days=40))
    if first == factory.last_day:
        return []
    patient = factory.adult()
    return [factory.dm(patient, day=first), factory.dm(patient, result="7.0", day=factory.last_day)]


def third_hba1c_in_fiscal_year(factory: VisitFactory) -> list[str]:
    """On the window's last day, the third of the fiscal year: refused once the two before it are claimed.

    Those lie 100 and 200 days back, mostly before the window. Empty when that is not the same fiscal year.
    """
    day = factory.last_day
    new_year = day.replace(year=day.year - (day.month < 10), month=10, day=1)
    if day - timedelta(days=200) < new_year:
        return []
    patient = factory.adult()
    for days in (200, 100):
        factory.dm(patient, day=day - timedelta(days=days))
    return [factory.dm(patient, day=day)]


def not_newly_hypertensive(factory: VisitFactory) -> list[str]:
    """Hypertension stands at a visit 200 days ago: refused. It stands at one earlier the same day: claimed."""
    known, day = factory.adult(), factory.next_day()
    factory.ht(known, orders=(), day=factory.first_day - timedelta(days=200))
    same_day = factory.adult()
    factory.ht(same_day, orders=(), day=day, diagnoses=(("I10", "1"),))
    return [factory.ht(known, day=day, diagnoses=(("I119", "1"),)), factory.ht(same_day, day=day)]


def hypertension_followed_up(factory: VisitFactory) -> list[str]:
    """Newly hypertensive, and back on the window's last day: the first is claimed, the second refused.

    Empty when the window is a single day.
    """
    if factory.first_day == factory.last_day:
        return []
    patient = factory.adult()
    return [factory.ht(patient, day=factory.first_day), factory.ht(patient, day=factory.last_day)]


def earlier_hypertension_without_date(factory: VisitFactory) -> list[str]:
    """The other visit with hypertension has a zero date, which says nothing: claimed."""
    patient = factory.adult()
    factory.ht(patient, orders=(), day=factory.first_day - timedelta(days=300), stored_day=ZERO_DATE)
    return [factory.ht(patient)]


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

"""Traps in what several records of one day say together. Docstrings say what is right."""

from sandbox.his import lookups
from sandbox.his.traps.visit_factory import VisitFactory
from sandbox.his.visits import LabOrder


def result_at_another_visit(factory: VisitFactory) -> list[str]:
    """Diabetes in the morning, HbA1c at another visit of the day, which is for a cold: refused, both are named."""
    return _two_visits(factory, (("E119", "1"),), None, (lookups.HBA1C_BY_PRICE, "7.2"))


def results_at_two_visits(factory: VisitFactory) -> list[str]:
    """Hypertension with creatinine, and potassium at another visit of the day: refused, not claimed by half."""
    return _two_visits(
        factory, (("I10", "1"),), (lookups.CREATININE_BY_PRICE, "1.10"), (lookups.POTASSIUM_BY_PRICE, "4.1")
    )


def _two_visits(
    factory: VisitFactory,
    diagnoses: tuple[tuple[str, str], ...],
    own: tuple[int, str] | None,
    other: tuple[int, str],
) -> list[str]:
    patient, day = factory.adult(), factory.next_day()
    orders = (LabOrder((own,)),) if own else ()
    return [
        factory.visit(patient, day=day, diagnoses=diagnoses, orders=orders),
        factory.visit(patient, day=day, diagnoses=(("J00", "1"),), orders=(LabOrder((other,)),)),
    ]


def identity_number_of_two(factory: VisitFactory) -> list[str]:
    """Mother and newborn under one identity number on one day: both refused."""
    mother, day = factory.woman(), factory.next_day()
    return [factory.dt(mother, day=day), factory.epi(factory.child(cid=mother.cid), day=day)]


def right_missing(factory: VisitFactory) -> list[str]:
    """The visit has no right at all: refused."""
    return [factory.dm(factory.adult(pttype="")), factory.ht(factory.adult(pttype=""))]


def visit_at_midnight(factory: VisitFactory) -> list[str]:
    """The time is 00:00, which may be none: claimed with a warning."""
    return [factory.dm(stored_time="00:00:00"), factory.epi(stored_time="00:00:00")]


def dose_claimed_by_the_his(factory: VisitFactory) -> list[str]:
    """The hospital's own program has a transaction for the doses of a visit with HbA1c: the HbA1c is claimed."""
    return [factory.dm(doses=(factory.dose("ovst", "106", his_uid=""),), his_uid="his-0004")]


TRAPS = (
    result_at_another_visit,
    results_at_two_visits,
    identity_number_of_two,
    right_missing,
    visit_at_midnight,
    dose_claimed_by_the_his,
)

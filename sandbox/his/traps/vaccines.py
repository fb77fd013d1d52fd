"""Traps in vaccinations: which vaccine, which lot, who gave it, to whom. Docstrings say what is right."""

from datetime import timedelta

from sandbox.his import lookups
from sandbox.his.database import ZERO_DATE
from sandbox.his.traps.visit_factory import VisitFactory
from sandbox.his.visits import Antenatal, clock


def every_family(factory: VisitFactory) -> list[str]:
    """One dose each from `ovst_vaccine`, the child health book, EPI, school and antenatal care: all claimed."""
    pregnancy = Antenatal(2, 20)
    return [
        factory.epi(None, factory.dose("ovst", "081")),
        factory.epi(None, factory.dose("wbc", "R11")),
        factory.epi(factory.person(1.6), factory.dose("epi", "034")),
        factory.epi(factory.person(12.2), factory.dose("school", "022")),
        factory.dt(factory.woman(), factory.dose("anc", "106"), antenatal=pregnancy),
    ]


def dose_in_two_families(factory: VisitFactory) -> list[str]:
    """The same dose in `ovst_vaccine`, once without its lot, and in another family: one claim, with the lot."""
    return [
        factory.epi(None, factory.dose("ovst", "D21"), factory.dose("wbc", "D21")),
        factory.epi(None, factory.dose("ovst", "D21", lot=None, expiry=None), factory.dose("wbc", "D21")),
        factory.dt(
            factory.woman(), factory.dose("ovst", "106"), factory.dose("anc", "106"), antenatal=Antenatal(1, 20)
        ),
    ]


def giver_missing(factory: VisitFactory) -> list[str]:
    """Nobody gave it, somebody unknown to `doctor` did, and somebody without a name: refused."""
    return [
        factory.epi(None, factory.dose("wbc", "D21", doctor=code))
        for code in (None, "9999", lookups.NURSE_WITHOUT_NAME)
    ]


def licence_missing(factory: VisitFactory) -> list[str]:
    """The giver has no licence number: refused."""
    codes = (("wbc", "D21"), ("ovst", "081"))
    return [factory.epi(None, factory.dose(*code, doctor=lookups.NURSE_WITHOUT_LICENCE)) for code in codes]


def lot_missing(factory: VisitFactory) -> list[str]:
    """No lot number: refused."""
    return [
        factory.epi(None, factory.dose("wbc", "D21", lot="")),
        factory.dt(None, factory.dose("ovst", "106", lot=None)),
    ]


def lot_expired(factory: VisitFactory) -> list[str]:
    """The lot ran out the day before: refused."""
    day = factory.next_day()
    expiry = (day - timedelta(days=1)).isoformat()
    return [
        factory.epi(None, factory.dose("wbc", "D21", expiry=expiry), day=day),
        factory.dt(None, factory.dose("ovst", "106", expiry=expiry), day=day),
    ]


def lot_expires_that_day(factory: VisitFactory) -> list[str]:
    """The lot runs out on the day itself: claimed."""
    day = factory.next_day()
    return [factory.epi(None, factory.dose("wbc", "D21", expiry=day.isoformat()), day=day)]


def expiry_missing(factory: VisitFactory) -> list[str]:
    """The expiry is a zero date, and none: refused."""
    return [
        factory.epi(None, factory.dose("wbc", "D21", expiry=ZERO_DATE)),
        factory.dt(None, factory.dose("ovst", "106", expiry=None)),
    ]


def vaccine_without_code(factory: VisitFactory) -> list[str]:
    """The hospital's own vaccine item has no export code: refused."""
    return [
        factory.epi(None, factory.dose("ovst", lookups.UNMAPPED)),
        factory.epi(factory.person(1.6), factory.dose("epi", lookups.UNMAPPED)),
    ]


def vaccine_not_paid_for(factory: VisitFactory) -> list[str]:
    """Influenza is not on the list: no claim and no issue."""
    return [factory.dt(None, factory.dose("ovst", lookups.INFLUENZA))]


def vaccine_no_longer_valid(factory: VisitFactory) -> list[str]:
    """IPV under code 401, which ended on 2023-06-30: refused."""
    return [factory.epi(None, factory.dose("wbc", "401")), factory.epi(None, factory.dose("ovst", "401"))]


def vaccine_code_in_small_letters(factory: VisitFactory) -> list[str]:
    """The export code is typed in small letters, one with a blank behind it: claimed as D21 and HPVC21."""
    return [
        factory.epi(None, factory.dose("wbc", "d21 ")),
        factory.epi(factory.person(12, named_as="2"), factory.dose("ovst", "hpvc21")),
    ]


def hpv_outside_its_ages(factory: VisitFactory) -> list[str]:
    """HPV for a boy, and for a woman of 40: claimed with a warning."""
    boy, woman = factory.person(12, named_as="1"), factory.woman(40)
    return [factory.epi(boy, factory.dose("school", "HPVG41")), factory.epi(woman, factory.dose("ovst", "HPVG41"))]


def dt_under_25(factory: VisitFactory) -> list[str]:
    """dT (106) at 20 years: refused; 24 years and 11 months also."""
    return [factory.dt(factory.person(20)), factory.dt(factory.person(24.92), day=factory.first_day)]


def dt_in_pregnancy_under_25(factory: VisitFactory) -> list[str]:
    """dT (106) at 19 years in an antenatal visit, kept by either family: claimed."""
    pregnancy = Antenatal(1, 20)
    return [
        factory.dt(factory.woman(19), factory.dose("anc", "106"), antenatal=pregnancy),
        factory.dt(factory.woman(19), factory.dose("ovst", "106"), antenatal=pregnancy),
    ]


def p41_in_pregnancy(factory: VisitFactory) -> list[str]:
    """aP (P41) with gravida and weeks, kept by either family: claimed with `prenatal`."""
    return [
        factory.epi(factory.woman(), factory.dose("anc", "P41"), antenatal=Antenatal(2, 30)),
        factory.epi(factory.woman(), factory.dose("ovst", "P41"), antenatal=Antenatal(1, 28)),
    ]


def p41_without_pregnancy(factory: VisitFactory) -> list[str]:
    """aP (P41) without an antenatal service, and without gravida and weeks: claimed with a warning, no `prenatal`."""
    return [
        factory.epi(factory.woman(), factory.dose("ovst", "P41")),
        factory.epi(factory.woman(), factory.dose("anc", "P41"), antenatal=Antenatal(None, None)),
    ]


def antenatal_service_that_is_no_vaccine(factory: VisitFactory) -> list[str]:
    """An examination in the antenatal list, without code and lot, beside a dT: only the dT is a claim."""
    exam = factory.dose("anc", "", lot=None, expiry=None, doctor=None)
    return [factory.dt(factory.woman(), exam, factory.dose("anc", "106"), antenatal=Antenatal(1, 20))]


def given_at_its_own_time(factory: VisitFactory) -> list[str]:
    """`immunization_datetime` is half past four of the day, before the visit: that is when it was given."""
    day = factory.next_day()
    return [factory.epi(None, factory.dose("ovst", "081", given=f"{day} {clock(16 * 3600 + 1800)}"), day=day)]


def dose_quantity_in_millilitres(factory: VisitFactory) -> list[str]:
    """The quantity stands as 0.5, and is missing: claimed with what the setting says."""
    return [factory.epi(None, factory.dose("ovst", "081", quantity=quantity)) for quantity in (0.5, None)]


def given_elsewhere(factory: VisitFactory) -> list[str]:
    """A dose another hospital gave, kept as history beside today's D21: only D21 is a claim."""
    child = factory.child()
    day = factory.next_day()
    factory.records.given_elsewhere(child, "081", day)
    return [factory.epi(child, day=day)]


TRAPS = (
    every_family,
    dose_in_two_families,
    giver_missing,
    licence_missing,
    lot_missing,
    lot_expired,
    lot_expires_that_day,
    expiry_missing,
    vaccine_without_code,
    vaccine_not_paid_for,
    vaccine_no_longer_valid,
    vaccine_code_in_small_letters,
    hpv_outside_its_ages,
    dt_under_25,
    dt_in_pregnancy_under_25,
    p41_in_pregnancy,
    p41_without_pregnancy,
    antenatal_service_that_is_no_vaccine,
    given_at_its_own_time,
    dose_quantity_in_millilitres,
    given_elsewhere,
)

"""Traps in vaccinations: which vaccine, which lot, who gave it, to whom. Docstrings say what is right."""

from datetime import timedelta

from sandbox.his import lookups as has
from sandbox.his.database import ZERO_DATE
from sandbox.his.traps.stage import Stage
from sandbox.his.visits import Antenatal, clock


def every_family(stage: Stage) -> list[str]:
    """One dose each from `ovst_vaccine`, the child health book, EPI, school and antenatal care: all claimed."""
    pregnancy = Antenatal(2, 20)
    return [
        stage.epi(None, stage.dose("ovst", "081")),
        stage.epi(None, stage.dose("wbc", "R11")),
        stage.epi(stage.person(1.6), stage.dose("epi", "034")),
        stage.epi(stage.person(12.2), stage.dose("school", "022")),
        stage.dt(stage.woman(), stage.dose("anc", "106"), antenatal=pregnancy),
    ]


def dose_in_two_families(stage: Stage) -> list[str]:
    """The same dose in `ovst_vaccine`, once without its lot, and in another family: one claim, with the lot."""
    return [
        stage.epi(None, stage.dose("ovst", "D21"), stage.dose("wbc", "D21")),
        stage.epi(None, stage.dose("ovst", "D21", lot=None, expiry=None), stage.dose("wbc", "D21")),
        stage.dt(stage.woman(), stage.dose("ovst", "106"), stage.dose("anc", "106"), antenatal=Antenatal(1, 20)),
    ]


def giver_missing(stage: Stage) -> list[str]:
    """Nobody gave it, somebody unknown to `doctor` did, and somebody without a name: refused."""
    return [stage.epi(None, stage.dose("wbc", "D21", doctor=code)) for code in (None, "9999", has.NURSE_WITHOUT_NAME)]


def licence_missing(stage: Stage) -> list[str]:
    """The giver has no licence number: refused."""
    codes = (("wbc", "D21"), ("ovst", "081"))
    return [stage.epi(None, stage.dose(*code, doctor=has.NURSE_WITHOUT_LICENCE)) for code in codes]


def lot_missing(stage: Stage) -> list[str]:
    """No lot number: refused."""
    return [stage.epi(None, stage.dose("wbc", "D21", lot="")), stage.dt(None, stage.dose("ovst", "106", lot=None))]


def lot_expired(stage: Stage) -> list[str]:
    """The lot ran out the day before: refused."""
    day = stage.next_day()
    expiry = (day - timedelta(days=1)).isoformat()
    return [
        stage.epi(None, stage.dose("wbc", "D21", expiry=expiry), day=day),
        stage.dt(None, stage.dose("ovst", "106", expiry=expiry), day=day),
    ]


def lot_expires_that_day(stage: Stage) -> list[str]:
    """The lot runs out on the day itself: claimed."""
    day = stage.next_day()
    return [stage.epi(None, stage.dose("wbc", "D21", expiry=day.isoformat()), day=day)]


def expiry_missing(stage: Stage) -> list[str]:
    """The expiry is a zero date, and none: refused."""
    return [
        stage.epi(None, stage.dose("wbc", "D21", expiry=ZERO_DATE)),
        stage.dt(None, stage.dose("ovst", "106", expiry=None)),
    ]


def vaccine_without_code(stage: Stage) -> list[str]:
    """The hospital's own vaccine item has no export code: refused."""
    return [
        stage.epi(None, stage.dose("ovst", has.UNMAPPED)),
        stage.epi(stage.person(1.6), stage.dose("epi", has.UNMAPPED)),
    ]


def vaccine_not_paid_for(stage: Stage) -> list[str]:
    """Influenza is not on the list: no claim and no issue."""
    return [stage.dt(None, stage.dose("ovst", has.INFLUENZA))]


def vaccine_no_longer_valid(stage: Stage) -> list[str]:
    """IPV under code 401, which ended on 2023-06-30: refused."""
    return [stage.epi(None, stage.dose("wbc", "401")), stage.epi(None, stage.dose("ovst", "401"))]


def vaccine_code_in_small_letters(stage: Stage) -> list[str]:
    """The export code is typed in small letters, one with a blank behind it: claimed as D21 and HPVC21."""
    return [
        stage.epi(None, stage.dose("wbc", "d21 ")),
        stage.epi(stage.person(12, named_as="2"), stage.dose("ovst", "hpvc21")),
    ]


def hpv_outside_its_ages(stage: Stage) -> list[str]:
    """HPV for a boy, and for a woman of 40: claimed with a warning."""
    boy, woman = stage.person(12, named_as="1"), stage.woman(40)
    return [stage.epi(boy, stage.dose("school", "HPVG41")), stage.epi(woman, stage.dose("ovst", "HPVG41"))]


def dt_under_25(stage: Stage) -> list[str]:
    """dT (106) at 20 years: refused; 24 years and 11 months also."""
    return [stage.dt(stage.person(20)), stage.dt(stage.person(24.92), day=stage.first_day)]


def dt_in_pregnancy_under_25(stage: Stage) -> list[str]:
    """dT (106) at 19 years in an antenatal visit, kept by either family: claimed."""
    pregnancy = Antenatal(1, 20)
    return [
        stage.dt(stage.woman(19), stage.dose("anc", "106"), antenatal=pregnancy),
        stage.dt(stage.woman(19), stage.dose("ovst", "106"), antenatal=pregnancy),
    ]


def p41_in_pregnancy(stage: Stage) -> list[str]:
    """aP (P41) with gravida and weeks, kept by either family: claimed with `prenatal`."""
    return [
        stage.epi(stage.woman(), stage.dose("anc", "P41"), antenatal=Antenatal(2, 30)),
        stage.epi(stage.woman(), stage.dose("ovst", "P41"), antenatal=Antenatal(1, 28)),
    ]


def p41_without_pregnancy(stage: Stage) -> list[str]:
    """aP (P41) without an antenatal service, and without gravida and weeks: claimed with a warning, no `prenatal`."""
    return [
        stage.epi(stage.woman(), stage.dose("ovst", "P41")),
        stage.epi(stage.woman(), stage.dose("anc", "P41"), antenatal=Antenatal(None, None)),
    ]


def antenatal_service_that_is_no_vaccine(stage: Stage) -> list[str]:
    """An examination in the antenatal list, without code and lot, beside a dT: only the dT is a claim."""
    exam = stage.dose("anc", "", lot=None, expiry=None, doctor=None)
    return [stage.dt(stage.woman(), exam, stage.dose("anc", "106"), antenatal=Antenatal(1, 20))]


def given_at_its_own_time(stage: Stage) -> list[str]:
    """`immunization_datetime` is half past four of the day, before the visit: that is when it was given."""
    day = stage.next_day()
    return [stage.epi(None, stage.dose("ovst", "081", given=f"{day} {clock(16 * 3600 + 1800)}"), day=day)]


def dose_quantity_in_millilitres(stage: Stage) -> list[str]:
    """The quantity stands as 0.5, and is missing: claimed with what the setting says."""
    return [stage.epi(None, stage.dose("ovst", "081", quantity=quantity)) for quantity in (0.5, None)]


def given_elsewhere(stage: Stage) -> list[str]:
    """A dose another hospital gave, kept as history beside today's D21: only D21 is a claim."""
    child = stage.child()
    day = stage.next_day()
    stage.records.given_elsewhere(child, "081", day)
    return [stage.epi(child, day=day)]


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

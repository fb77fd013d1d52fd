"""Traps of JHCIS alone, and those it cannot hold. Docstrings say what is wrong with the visits and what is right."""

from sandbox.his import lookups
from sandbox.his.jhcis.lookups import LOCAL_DIABETES, LOCAL_HYPERTENSION, LOCAL_SUSPICION, VACCINE_CODES
from sandbox.his.traps import SHARED, Trap, described
from sandbox.his.traps.visit_factory import VisitFactory
from sandbox.his.visits import Antenatal

NOT_IN_JHCIS: dict[str, str] = {
    "passport_only": "`person` has no passport number: these would be people without any number.",
    "leading_zeros": "visitno and pid are numbers.",
    "several_right_rows": "A visit has one right.",
    "closing_code_in_older_column": "There is one column for it.",
    "claimed_by_the_his": "JHCIS claims nothing itself.",
    "unfinished_claim_of_the_his": "JHCIS claims nothing itself.",
    "dose_claimed_by_the_his": "JHCIS claims nothing itself.",
    "not_confirmed": "A result is there or it is not.",
    "labs_of_inpatient": "A health centre admits nobody.",
    "item_known_by_price_list": "A lab item is known by its `labcode`, the same at every visit.",
    "item_known_by_system_list": "A lab item is known by its `labcode`, the same at every visit.",
    "item_known_by_provis_code": "A lab item is known by its `labcode`, the same at every visit.",
    "vaccine_code_in_small_letters": "Its HPV code is longer than `files18epi`; `code_in_small_letters` stands for it.",
    "hpv_outside_its_ages": "The HPV codes are longer than `files18epi`; `vaccine_known_to_the_site_only` has one.",
    "p41_in_pregnancy": "Nothing says gravida and weeks; `p41_without_pregnancy` is there.",
    "antenatal_service_that_is_no_vaccine": "`visitepi` holds vaccines only.",
    "given_at_its_own_time": "`dateepi` is a day.",
    "dose_quantity_in_millilitres": "There is no quantity.",
}
"""Traps of HOSxP that these tables cannot hold, and why. Their visits are left out."""


def cancelled_visit(factory: VisitFactory) -> list[str]:
    """`flagservice` is 99: no claim and no issue."""
    return [factory.dm(flagservice="99"), factory.ht(flagservice="99"), factory.epi(flagservice="99")]


def unmarked_visit(factory: VisitFactory) -> list[str]:
    """`flagservice` is missing, which is not 99: claimed."""
    return [factory.dm(flagservice=None), factory.epi(flagservice=None)]


def hypertension_at_cancelled_visit(factory: VisitFactory) -> list[str]:
    """The earlier visit with hypertension was cancelled: newly found, and claimed."""
    patient = factory.adult()
    factory.ht(patient, orders=(), day=factory.first_day, second=3600, flagservice="99")
    return [factory.ht(patient, day=factory.last_day)]


def other_scheme_than_the_right(factory: VisitFactory) -> list[str]:
    """`main_inscl` is OFC where the right's group says universal coverage: no claim and no issue."""
    return [factory.dm(main_inscl="OFC"), factory.ht(main_inscl="OFC")]


def universal_coverage_by_scheme(factory: VisitFactory) -> list[str]:
    """`main_inscl` is UCS, and WEL, where the right's group says civil servant: claimed."""
    return [
        factory.dm(factory.adult(pttype="20"), main_inscl="UCS"),
        factory.ht(factory.adult(pttype="20"), main_inscl="WEL"),
    ]


def universal_coverage_by_group(factory: VisitFactory) -> list[str]:
    """`main_inscl` is empty and the right's group is 3, and 4: claimed."""
    return [factory.dm(main_inscl=""), factory.ht(factory.adult(pttype="13"), main_inscl="")]


def diagnosis_spelt_otherwise(factory: VisitFactory) -> list[str]:
    """The diagnosis has a dot, or is a code of the centre's own that `mapdisease` leads back from: claimed."""
    return [
        factory.dm(diagnoses=(("E11.9", "1"),)),
        factory.dm(diagnoses=((LOCAL_DIABETES, "1"),)),
        factory.ht(diagnoses=((LOCAL_HYPERTENSION, "1"),)),
    ]


def diagnosis_mapped_elsewhere(factory: VisitFactory) -> list[str]:
    """A code of the centre's own begins with E11 and `mapdisease` says R73.0: no claim and no issue."""
    return [factory.dm(diagnoses=((LOCAL_SUSPICION, "1"),))]


def pid_of_another_centre(factory: VisitFactory) -> list[str]:
    """Another centre's person bears the same pid: claimed once, for the right person."""
    patient = factory.adult()
    factory.records.add(
        "person",
        *(lookups.OTHER_HOSPITAL, patient.number, "นาย", "คนอื่น", "ตัวอย่าง", "1970-01-01", "1", None),
        *("1", "001", "99", "10", "9"),
    )
    return [factory.dm(patient)]


def visitno_of_another_centre(factory: VisitFactory) -> list[str]:
    """Diabetes, HbA1c and a dose stand under the visitno, but of another centre: no claim and no issue."""
    patient, day = factory.adult(), factory.next_day()
    number = factory.visit(patient, day=day, diagnoses=(("J00", "1"),))
    other, visitno, today = lookups.OTHER_HOSPITAL, int(number), day.isoformat()
    factory.records.add("visitdiag", other, visitno, "E11.9", "01", None, None)
    factory.records.add("visitlabchcyhembmsse", other, visitno, other, patient.number, today, 1, "CH99", 7.2, None)
    dose = (VACCINE_CODES["D21"], today, "TRAP01", "2099-12-31", None)
    factory.records.add("visitepi", other, visitno, other, patient.number, *dose, other, None)
    return [number]


def dt_doses_of_pregnancy(factory: VisitFactory) -> list[str]:
    """dT in pregnancy under 25, first to fifth dose, under codes 201 to 205: claimed as 106."""
    women = [factory.woman(19) for _ in range(5)]
    return [factory.dt(woman, factory.dose("anc", "106"), antenatal=Antenatal(1, 20)) for woman in women]


def code_in_small_letters(factory: VisitFactory) -> list[str]:
    """`files18epi` is typed in small letters: claimed as D21."""
    return [factory.epi(None, factory.dose("wbc", "d21 "))]


def vaccine_known_to_the_site_only(factory: VisitFactory) -> list[str]:
    """The first HPV has no `files18epi`: refused, but claimed if the site's own map says HPVG41."""
    return [factory.epi(factory.person(12, named_as="2"), factory.dose("school", "HPVG41"))]


JHCIS_ONLY: tuple[Trap, ...] = (
    cancelled_visit,
    unmarked_visit,
    hypertension_at_cancelled_visit,
    other_scheme_than_the_right,
    universal_coverage_by_scheme,
    universal_coverage_by_group,
    diagnosis_spelt_otherwise,
    diagnosis_mapped_elsewhere,
    pid_of_another_centre,
    visitno_of_another_centre,
    dt_doses_of_pregnancy,
    code_in_small_letters,
    vaccine_known_to_the_site_only,
)

JHCIS_TRAPS: dict[str, str] = described(trap for trap in (*SHARED, *JHCIS_ONLY) if trap.__name__ not in NOT_IN_JHCIS)
"""Trap of a JHCIS by name, as `sandbox.his.TRAPS`; where a description names a table of HOSxP, its counterpart counts.

Doses of all families stand in `visitepi`, the giver is `visit.username`, a row without a visitno is what was given
elsewhere, `datecheck` is the day of the report, `seqonday` the order of the orders.
"""

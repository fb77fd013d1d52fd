"""Traps of JHCIS alone, and those it cannot hold. Docstrings say what is wrong with the visits and what is right."""

from sandbox.his import lookups as has
from sandbox.his.jhcis.lookups import LOCAL_DIABETES, LOCAL_HYPERTENSION, LOCAL_SUSPICION, VACCINE_CODES
from sandbox.his.traps import SHARED, Trap, described
from sandbox.his.traps.stage import Stage
from sandbox.his.visits import Antenatal

NOT_IN_JHCIS: dict[str, str] = {
    "passport_only": "`person` has no passport number: these would be people without any number.",
    "leading_zeros": "visitno and pid are numbers.",
    "several_right_rows": "A visit has one right.",
    "closing_code_in_older_column": "There is one column for it.",
    "claimed_by_the_his": "JHCIS claims nothing itself.",
    "unfinished_claim_of_the_his": "JHCIS claims nothing itself.",
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


def cancelled_visit(stage: Stage) -> list[str]:
    """`flagservice` is 99: no claim and no issue."""
    return [stage.dm(flagservice="99"), stage.ht(flagservice="99"), stage.epi(flagservice="99")]


def unmarked_visit(stage: Stage) -> list[str]:
    """`flagservice` is missing, which is not 99: claimed."""
    return [stage.dm(flagservice=None), stage.epi(flagservice=None)]


def hypertension_at_cancelled_visit(stage: Stage) -> list[str]:
    """The earlier visit with hypertension was cancelled: newly found, and claimed."""
    patient = stage.adult()
    stage.ht(patient, orders=(), day=stage.first_day, second=3600, flagservice="99")
    return [stage.ht(patient, day=stage.last_day)]


def other_scheme_than_the_right(stage: Stage) -> list[str]:
    """`main_inscl` is OFC where the right's group says universal coverage: no claim and no issue."""
    return [stage.dm(main_inscl="OFC"), stage.ht(main_inscl="OFC")]


def universal_coverage_by_scheme(stage: Stage) -> list[str]:
    """`main_inscl` is UCS, and WEL, where the right's group says civil servant: claimed."""
    return [stage.dm(stage.adult(pttype="20"), main_inscl="UCS"), stage.ht(stage.adult(pttype="20"), main_inscl="WEL")]


def universal_coverage_by_group(stage: Stage) -> list[str]:
    """`main_inscl` is empty and the right's group is 3, and 4: claimed."""
    return [stage.dm(main_inscl=""), stage.ht(stage.adult(pttype="13"), main_inscl="")]


def diagnosis_spelt_otherwise(stage: Stage) -> list[str]:
    """The diagnosis has a dot, or is a code of the centre's own that `mapdisease` leads back from: claimed."""
    return [
        stage.dm(diagnoses=(("E11.9", "1"),)),
        stage.dm(diagnoses=((LOCAL_DIABETES, "1"),)),
        stage.ht(diagnoses=((LOCAL_HYPERTENSION, "1"),)),
    ]


def diagnosis_mapped_elsewhere(stage: Stage) -> list[str]:
    """A code of the centre's own begins with E11 and `mapdisease` says R73.0: no claim and no issue."""
    return [stage.dm(diagnoses=((LOCAL_SUSPICION, "1"),))]


def pid_of_another_centre(stage: Stage) -> list[str]:
    """Another centre's person bears the same pid: claimed once, for the right person."""
    patient = stage.adult()
    stage.records.add(
        "person",
        *(has.OTHER_HOSPITAL, patient.number, "นาย", "คนอื่น", "ตัวอย่าง", "1970-01-01", "1", None),
        *("1", "001", "99", "10", "9"),
    )
    return [stage.dm(patient)]


def visitno_of_another_centre(stage: Stage) -> list[str]:
    """Diabetes, HbA1c and a dose stand under the visitno, but of another centre: no claim and no issue."""
    patient, day = stage.adult(), stage.next_day()
    number = stage.visit(patient, day=day, diagnoses=(("J00", "1"),))
    other, visitno, today = has.OTHER_HOSPITAL, int(number), day.isoformat()
    stage.records.add("visitdiag", other, visitno, "E11.9", "01", None, None)
    stage.records.add("visitlabchcyhembmsse", other, visitno, other, patient.number, today, 1, "CH99", 7.2, None)
    dose = (VACCINE_CODES["D21"], today, "TRAP01", "2099-12-31", None)
    stage.records.add("visitepi", other, visitno, other, patient.number, *dose, other, None)
    return [number]


def dt_doses_of_pregnancy(stage: Stage) -> list[str]:
    """dT in pregnancy under 25, first to fifth dose, under codes 201 to 205: claimed as 106."""
    women = [stage.woman(19) for _ in range(5)]
    return [stage.dt(woman, stage.dose("anc", "106"), antenatal=Antenatal(1, 20)) for woman in women]


def code_in_small_letters(stage: Stage) -> list[str]:
    """`files18epi` is typed in small letters: claimed as D21."""
    return [stage.epi(None, stage.dose("wbc", "d21 "))]


def vaccine_known_to_the_site_only(stage: Stage) -> list[str]:
    """The first HPV has no `files18epi`: refused, but claimed if the site's own map says HPVG41."""
    return [stage.epi(stage.person(12, named_as="2"), stage.dose("school", "HPVG41"))]


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

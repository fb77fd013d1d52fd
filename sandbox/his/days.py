"""Ordinary days at a hospital: who comes, and what is recorded."""

from collections import deque
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.his import lookups
from sandbox.his.people import OTHER_RIGHTS, UNIVERSAL_COVERAGE, Patient, new_patient
from sandbox.his.visits import Antenatal, Diagnoses, Dose, LabOrder, Records, Results, Right, Visit

OPENS, CLOSES = 7 * 3600, 17 * 3600
"""Ordinary visits begin between these seconds of the day, at most one a second."""

_HALF_A_YEAR = 184
"""Days until a diabetic comes again, so that nobody has more than two HbA1c in a fiscal year."""


@dataclass(frozen=True, slots=True)
class VisitMix:
    """Reasons of a day's visits, as shares of them; the rest are colds.

    The first four are claims without fault: dm with HbA1c, newly found ht with creatinine or potassium, epi with one to
    three doses, dt with one dose.
    """

    dm: float = 0.08
    ht: float = 0.04
    epi: float = 0.06
    dt: float = 0.03
    ht_follow_up: float = 0.08
    dm_without_hba1c: float = 0.05
    dm_of_other_right: float = 0.02
    influenza: float = 0.02

    def plan(self, visits: int) -> list[str]:
        """The reasons of one day's visits: the same number of each every day."""
        reasons = [name for name in VisitMix.__slots__ for _ in range(round(getattr(self, name) * visits))]
        return (reasons + ["cold"] * max(0, visits - len(reasons)))[:visits]


DENSE = VisitMix(0.34, 0.2, 0.32, 0.09, 0.02, 0.01, 0.01, 0.01)
"""Days on which nearly every visit is a claim, for measuring."""

# Age in months, family of tables, codes: the national vaccination programme, shortened.
_CHILDHOOD: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (0, "ovst", ("010", "041")),
    (2, "wbc", ("D21", "081", "R11")),
    (4, "wbc", ("D22", "I11", "R12")),
    (6, "wbc", ("D23", "083")),
    (9, "wbc", ("061",)),
    (12, "ovst", ("J11",)),
    (19, "epi", ("034", "084", "073")),
    (30, "epi", ("J12",)),
    (50, "epi", ("035", "085")),
    (84, "school", ("072", "011")),
    (146, "school", ("022",)),
)
_COLDS = ("J00", "J029", "K30", "M545", "R51", "A099", "L309", "Z000", "N390", "K297")
_DIABETES = ("E119", "E119", "E112", "E116", "E114")
_HYPERTENSION = ("I10", "I10", "I10", "I10", "I119", "I129", "I139", "I150")


class Days:
    """The people of one hospital and their ordinary visits.

    Args:
        rng: Random numbers.
        records: Writes people and visits as rows of a HIS.
        first_day: The first day of the window; older history is before it.
        visits_a_day: Ordinary visits a day.
        mix: Their reasons.
    """

    def __init__(self, rng: Random, records: Records, first_day: date, visits_a_day: int, mix: VisitMix) -> None:
        self.rng = rng
        self.records = records
        self.claims = {"dm": 0, "ht": 0, "epi": 0, "dt": 0}
        self._first_day = first_day
        self._plan = mix.plan(visits_a_day)
        self._diabetics: deque[tuple[date, Patient]] = deque()
        self._hypertensives: deque[Patient] = deque()
        self._regulars: deque[Patient] = deque()
        # So many people in each pool that nobody comes twice within a month.
        self._pool = 30 * visits_a_day

    def day(self, day: date) -> int:
        """Write one ordinary day; returns the number of its visits."""
        plan = self._plan.copy()
        self.rng.shuffle(plan)
        step = (CLOSES - OPENS) / max(1, len(plan))
        for place, reason in enumerate(plan):
            self.records.visit(getattr(self, f"_{reason}")(day, OPENS + int(place * step)))
        return len(plan)

    def newcomer(
        self, day: date, years: tuple[float, float], rights: tuple[str, ...], sex: str | None = None
    ) -> Patient:
        """Register a new person of an age between `years`, with one of the rights."""
        born = day - timedelta(days=int(self.rng.uniform(*years) * 365.25))
        pttype = self.rng.choice(rights)
        patient = new_patient(self.rng, self.records.serial("person"), born=born, on=day, sex=sex, pttype=pttype)
        self.records.register(patient)
        return patient

    def lot(self, day: date) -> tuple[str, str]:
        """A lot number and its expiry date, months after `day`."""
        number = self.rng.randrange(100)
        return f"LOT{number:03d}", (day + timedelta(days=120 + 5 * number)).isoformat()

    def dose(self, family: str, code: str, day: date) -> Dose:
        """A dose with nothing missing."""
        lot, expiry = self.lot(day)
        return Dose(family, code, lot, expiry, self.rng.choice(lookups.NURSES))

    def kidneys(self) -> Results:
        """Creatinine, potassium or both, on their own or with the panel of salts."""
        creatinine = (self.rng.choice(lookups.CREATININE), f"{self.rng.uniform(0.5, 2.4):.2f}")
        potassium = (self.rng.choice(lookups.POTASSIUM), f"{self.rng.uniform(3.2, 5.4):.1f}")
        panel = (
            (lookups.PANEL_SODIUM, str(self.rng.randint(132, 146))),
            (lookups.PANEL_POTASSIUM, potassium[1]),
            (lookups.PANEL_CHLORIDE, str(self.rng.randint(96, 108))),
            (lookups.PANEL_CO2, str(self.rng.randint(20, 30))),
        )
        return self.rng.choice(((creatinine,), (potassium,), (creatinine, potassium), (creatinine, *panel)))

    def hba1c(self) -> tuple[int, str | None]:
        """A lab item for HbA1c and its result; some analysers add a percent sign."""
        unit = " %" if self.rng.random() < 0.05 else ""
        return self.rng.choice(lookups.HBA1C), f"{self.rng.uniform(5.2, 13.5):.1f}{unit}"

    def _dm(self, day: date, second: int) -> Visit:
        self.claims["dm"] += 1
        diagnoses: Diagnoses = ((self.rng.choice(_DIABETES), "1"),)
        results: Results = (self.hba1c(), (lookups.GLUCOSE, str(self.rng.randint(90, 260))))
        if self._diabetics and (day - self._diabetics[0][0]).days >= _HALF_A_YEAR:
            patient = self._diabetics.popleft()[1]
        else:
            patient = self.newcomer(day, (35, 85), UNIVERSAL_COVERAGE)
            if self.rng.random() < 0.1:  # and blood pressure found high the same day: two claims
                self.claims["ht"] += 1
                diagnoses = (*diagnoses, (self.rng.choice(_HYPERTENSION), "2"))
                results = (*results, *self.kidneys())
        self._diabetics.append((day, patient))
        return Visit(patient, day, second, diagnoses, (LabOrder(results),))

    def _ht(self, day: date, second: int) -> Visit:
        self.claims["ht"] += 1
        patient = self.newcomer(day, (35, 80), UNIVERSAL_COVERAGE)
        diagnoses = ((self.rng.choice(_HYPERTENSION), "1"), ("E785", "2"))
        return Visit(patient, day, second, diagnoses, (LabOrder(self.kidneys()),))

    def _epi(self, day: date, second: int) -> Visit:
        if self.rng.random() < 0.04:
            return self._whooping_cough(day, second)
        months, family, codes = self.rng.choice(_CHILDHOOD)
        patient = self.newcomer(day, ((months + 0.2) / 12, (months + 0.9) / 12), UNIVERSAL_COVERAGE + OTHER_RIGHTS)
        self.claims["epi"] += len(codes)
        doses = tuple(self.dose(family, code, day) for code in codes)
        return Visit(patient, day, second, (("Z271" if months else "Z232", "1"),), (), doses)

    def _whooping_cough(self, day: date, second: int) -> Visit:
        """aP for a pregnant woman, with the data on the pregnancy that the claim needs."""
        self.claims["epi"] += 1
        patient = self.newcomer(day, (20, 38), UNIVERSAL_COVERAGE + OTHER_RIGHTS, sex="2")
        antenatal = Antenatal(self.rng.randint(1, 4), self.rng.randint(27, 35))
        return Visit(patient, day, second, (("Z348", "1"),), (), (self.dose("anc", "P41", day),), antenatal)

    def _dt(self, day: date, second: int) -> Visit:
        self.claims["dt"] += 1
        rights = UNIVERSAL_COVERAGE + OTHER_RIGHTS
        if self.rng.random() < 0.15:
            patient = self.newcomer(day, (18, 40), rights, sex="2")
            antenatal = Antenatal(self.rng.randint(1, 4), self.rng.randint(12, 38))
            return Visit(patient, day, second, (("Z348", "1"),), (), (self.dose("anc", "106", day),), antenatal)
        patient = self.newcomer(day, (25.1, 80), rights)
        return Visit(patient, day, second, (("Z235", "1"),), (), (self.dose("ovst", "106", day),))

    def _ht_follow_up(self, day: date, second: int) -> Visit:
        """Hypertension known for long; sometimes with creatinine or potassium, which is no claim."""
        if len(self._hypertensives) < self._pool:
            patient = self.newcomer(day, (40, 85), UNIVERSAL_COVERAGE + OTHER_RIGHTS)
            self._remember(patient, len(self._hypertensives))
        else:
            patient = self._hypertensives.popleft()
        self._hypertensives.append(patient)
        orders = (LabOrder(self.kidneys()),) if self.rng.random() < 0.1 else ()
        return Visit(patient, day, second, (("I10", "1"),), orders, rights=self._maybe_closed(patient))

    def _remember(self, patient: Patient, place: int) -> None:
        """Write the visit before the window at which the hypertension was found."""
        day = self._first_day - timedelta(days=1 + place % 400)
        self.records.visit(Visit(patient, day, OPENS + place // 400, (("I10", "1"),)))

    def _dm_without_hba1c(self, day: date, second: int) -> Visit:
        patient = self._regular(day)
        orders = (LabOrder(((lookups.GLUCOSE, str(self.rng.randint(90, 260))),)),)
        return Visit(patient, day, second, (("E119", "1"),), orders, rights=self._maybe_closed(patient))

    def _dm_of_other_right(self, day: date, second: int) -> Visit:
        patient = self.newcomer(day, (35, 80), OTHER_RIGHTS)
        return Visit(patient, day, second, (("E119", "1"),), (LabOrder((self.hba1c(),)),))

    def _influenza(self, day: date, second: int) -> Visit:
        patient = self._regular(day)
        return Visit(patient, day, second, (("Z251", "1"),), (), (self.dose("ovst", lookups.INFLUENZA, day),))

    def _cold(self, day: date, second: int) -> Visit:
        patient, chance = self._regular(day), self.rng.random()
        diagnoses: Diagnoses = ((self.rng.choice(_COLDS), "1"),)
        orders: tuple[LabOrder, ...] = ()
        if chance < 0.1:  # a procedure, coded in ICD-9 in the same table
            diagnoses = (*diagnoses, ("9929", "1"))
        elif chance < 0.3:
            blood = ((lookups.HAEMOGLOBIN, f"{self.rng.uniform(9, 16):.1f}"), (lookups.WHITE_CELLS, "7.4"))
            orders = (LabOrder(blood), LabOrder(((lookups.CHOLESTEROL, str(self.rng.randint(140, 290))),), 25))
        return Visit(patient, day, second, diagnoses, orders, rights=self._maybe_closed(patient))

    def _regular(self, day: date) -> Patient:
        """One of the people who come every month or so, each in turn."""
        if len(self._regulars) < self._pool:
            patient = self.newcomer(day, (1, 88), UNIVERSAL_COVERAGE + OTHER_RIGHTS)
        else:
            patient = self._regulars.popleft()
        self._regulars.append(patient)
        return patient

    def _maybe_closed(self, patient: Patient) -> tuple[Right, ...] | None:
        """A right without closing code for half of the visits that are not claimed."""
        return None if self.rng.random() < 0.5 else (Right(patient.pttype),)

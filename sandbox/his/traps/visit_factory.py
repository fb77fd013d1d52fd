"""Makes the visits of traps: claims without fault except for what the trap changes."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.his import lookups
from sandbox.his.days import CLOSES
from sandbox.his.people import Patient, new_patient
from sandbox.his.visits import Dose, LabOrder, Records, Results, Visit

_RIGHT = "11"


class VisitFactory:
    """Writes visits that are claims without fault except for the changes given, spread over the days of the window.

    Args:
        rng: Random numbers.
        records: Writes the visits as rows of a HIS.
        first_day: First day of the window.
        days: Days in the window.
    """

    def __init__(self, rng: Random, records: Records, first_day: date, days: int) -> None:
        self.records = records
        self.first_day = first_day
        self.last_day = first_day + timedelta(days=days - 1)
        self._rng = rng
        self._days = days
        self._turn = 0
        self._seconds: Counter[date] = Counter()

    def next_day(self) -> date:
        """The next day of the window; after the last the first again."""
        self._turn += 1
        return self.first_day + timedelta(days=(self._turn - 1) % self._days)

    def person(self, years: float, *, named_as: str | None = None, **changes: Any) -> Patient:
        """Register a person with universal coverage, with changes to the fields of `Patient`.

        Args:
            years: Age on the first day of the window.
            named_as: Sex: "1" man, "2" woman, None for either.
            changes: Fields that differ from a person without fault.
        """
        born = self.first_day - timedelta(days=int(years * 365.25))
        number = self.records.serial("person")
        patient = new_patient(self._rng, number, born=born, on=self.first_day, sex=named_as, pttype=_RIGHT)
        patient = replace(patient, **changes)
        self.records.register(patient)
        return patient

    def adult(self, **changes: Any) -> Patient:
        """Register a person of 55 years."""
        return self.person(55, **changes)

    def child(self, **changes: Any) -> Patient:
        """Register a child of two months."""
        return self.person(0.18, **changes)

    def woman(self, years: float = 28) -> Patient:
        """Register a woman of childbearing age."""
        return self.person(years, named_as="2")

    def visit(self, patient: Patient, *, day: date | None = None, **fields: Any) -> str:
        """Write a visit with these fields of `Visit`, later than the ordinary visits of its day; returns its VN."""
        day = day or self.next_day()
        self._seconds[day] += 1
        fields = {"second": CLOSES + 61 * self._seconds[day], **fields}
        return self.records.visit(Visit(patient, day, **fields))

    def dm(self, patient: Patient | None = None, result: str | None = "7.2", **fields: Any) -> str:
        """Type 2 diabetes with HbA1c."""
        order = LabOrder(((lookups.HBA1C_BY_PRICE, result),))
        return self.visit(patient or self.adult(), **{"diagnoses": (("E119", "1"),), "orders": (order,), **fields})

    def ht(
        self, patient: Patient | None = None, results: Results = ((lookups.CREATININE_BY_PRICE, "1.10"),), **fields: Any
    ) -> str:
        """Hypertension with creatinine."""
        orders = (LabOrder(results),)
        return self.visit(patient or self.adult(), **{"diagnoses": (("I10", "1"),), "orders": orders, **fields})

    def epi(self, patient: Patient | None = None, *doses: Dose, **fields: Any) -> str:
        """A child's vaccination: without `doses` the first DTP-HB-Hib of the child health book."""
        fields = {"diagnoses": (("Z271", "1"),), "doses": doses or (self.dose("wbc", "D21"),), **fields}
        return self.visit(patient or self.child(), **fields)

    def dt(self, patient: Patient | None = None, *doses: Dose, **fields: Any) -> str:
        """An adult's dT."""
        fields = {"diagnoses": (("Z235", "1"),), "doses": doses or (self.dose("ovst", "106"),), **fields}
        return self.visit(patient or self.adult(), **fields)

    def dose(self, family: str, code: str, **changes: Any) -> Dose:
        """A dose without fault except for the changes to the fields of `Dose`."""
        expiry = (self.last_day + timedelta(days=300)).isoformat()
        return replace(Dose(family, code, "TRAP01", expiry, lookups.NURSES[0]), **changes)

"""Traps in the laboratory: what the result says, and which item it belongs to. Docstrings say what is right."""

from sandbox.his import lookups
from sandbox.his.traps.visit_factory import VisitFactory
from sandbox.his.visits import LabOrder


def _results(factory: VisitFactory, *results: str | None) -> list[str]:
    return [factory.dm(result=result) for result in results]


def result_with_unit(factory: VisitFactory) -> list[str]:
    """The result carries its per cent sign: claimed as 7.2."""
    return _results(factory, "7.2 %", "7.2%")


def result_with_blanks_around(factory: VisitFactory) -> list[str]:
    """The result has blanks around it: claimed as 7.2."""
    return _results(factory, "  7.2 ")


def result_beyond_the_analyser(factory: VisitFactory) -> list[str]:
    """`<4.0` and `>14`: refused."""
    return _results(factory, "<4.0", ">14")


def result_is_a_remark(factory: VisitFactory) -> list[str]:
    """Words instead of a number, English and Thai: refused."""
    return _results(factory, "Hemolysis", "ส่งตรวจซ้ำ", "รอผล 7.2")


def result_is_not_one_number(factory: VisitFactory) -> list[str]:
    """A decimal comma, and two numbers: refused, never guessed."""
    return _results(factory, "7,2", "7.2 6.8")


def result_out_of_range(factory: VisitFactory) -> list[str]:
    """A number no HbA1c can be: refused."""
    return _results(factory, "72", "0.7")


def result_blank(factory: VisitFactory) -> list[str]:
    """The result is empty: no claim and no issue."""
    return _results(factory, "", "   ", None)


def one_result_of_two_unusable(factory: VisitFactory) -> list[str]:
    """Creatinine is good, potassium haemolysed: claimed with the creatinine, and a warning."""
    return [factory.ht(results=((lookups.CREATININE_BY_PRICE, "1.10"), (lookups.POTASSIUM_BY_PRICE, "Hemolysis")))]


def both_results_unusable(factory: VisitFactory) -> list[str]:
    """Creatinine and potassium both haemolysed: refused."""
    return [factory.ht(results=((lookups.CREATININE_BY_PRICE, "Hemolysis"), (lookups.POTASSIUM_BY_PRICE, ">9")))]


def repeated_orders(factory: VisitFactory) -> list[str]:
    """HbA1c ordered twice, also with the later order written first: one claim with the later result, 8.4."""
    early = LabOrder(((lookups.HBA1C_BY_PRICE, "6.1"),), minutes=10)
    late = LabOrder(((lookups.HBA1C_BY_PRICE, "8.4"),), minutes=90)
    return [factory.dm(orders=(early, late)), factory.dm(orders=(late, early))]


def latest_result_unusable(factory: VisitFactory) -> list[str]:
    """The later of two results is a remark: refused, the earlier does not count."""
    early = LabOrder(((lookups.HBA1C_BY_PRICE, "7.1"),), minutes=10)
    late = LabOrder(((lookups.HBA1C_BY_PRICE, "Hemolysis"),), minutes=90)
    return [factory.dm(orders=(early, late))]


def not_confirmed(factory: VisitFactory) -> list[str]:
    """The laboratory has not confirmed the result: no claim and no issue."""
    results = ((lookups.HBA1C_BY_PRICE, "7.2"),)
    return [factory.dm(orders=(LabOrder(results, confirmed=mark),)) for mark in ("N", None)]


def reported_days_later(factory: VisitFactory) -> list[str]:
    """The result came three days after the visit: claimed for the day of the visit."""
    return [factory.dm(orders=(LabOrder(((lookups.HBA1C_BY_PRICE, "7.2"),), days_late=3),))]


def labs_of_inpatient(factory: VisitFactory) -> list[str]:
    """Admitted from the visit, so the labs stand under the AN: claimed."""
    return [factory.dm(an="690000001"), factory.ht(an="690000002")]


def item_known_by_price_list(factory: VisitFactory) -> list[str]:
    """The items' NHSO codes stand in `nondrugitems`: claimed (dm, ht with both results)."""
    return _by(factory, lookups.HBA1C_BY_PRICE, lookups.CREATININE_BY_PRICE, lookups.POTASSIUM_BY_PRICE)


def item_known_by_system_list(factory: VisitFactory) -> list[str]:
    """The items are only linked to `sys_lab_code`, one misspelt: claimed (dm, ht with both results)."""
    return _by(factory, lookups.HBA1C_BY_SYSTEM, lookups.CREATININE_BY_SYSTEM, lookups.POTASSIUM_BY_SYSTEM)


def item_known_by_provis_code(factory: VisitFactory) -> list[str]:
    """The items only have a `provis_labcode`: claimed (dm, ht with both results)."""
    return _by(factory, lookups.HBA1C_BY_PROVIS, lookups.CREATININE_BY_PROVIS, lookups.POTASSIUM_BY_PROVIS)


def _by(factory: VisitFactory, hba1c: int, creatinine: int, potassium: int) -> list[str]:
    return [
        factory.dm(orders=(LabOrder(((hba1c, "7.2"),)),)),
        factory.ht(results=((creatinine, "1.10"), (potassium, "4.2"))),
    ]


def item_known_to_the_site_only(factory: VisitFactory) -> list[str]:
    """Item 141 has no code of any kind: claimed if the site's own map says 32401, else nothing."""
    return [factory.dm(orders=(LabOrder(((lookups.HBA1C_OF_THE_SITE, "7.2"),)),))]


def item_of_another_code(factory: VisitFactory) -> list[str]:
    """Urine creatinine has a price-list code of its own, which outweighs the weaker lists: no claim and no issue."""
    return [factory.ht(results=((lookups.CREATININE_OF_URINE, "1.10"),))]


def potassium_within_panel(factory: VisitFactory) -> list[str]:
    """Potassium 4.1 stands beside chloride 102 in the panel 32001: claimed as 32103 (the second with creatinine)."""
    panel = (
        (lookups.PANEL_SODIUM, "139"),
        (lookups.PANEL_POTASSIUM, "4.1"),
        (lookups.PANEL_CHLORIDE, "102"),
        (lookups.PANEL_CO2, "24"),
    )
    return [factory.ht(results=panel), factory.ht(results=(*panel, (lookups.CREATININE_BY_PRICE, "1.10")))]


TRAPS = (
    result_with_unit,
    result_with_blanks_around,
    result_beyond_the_analyser,
    result_is_a_remark,
    result_is_not_one_number,
    result_out_of_range,
    result_blank,
    one_result_of_two_unusable,
    both_results_unusable,
    repeated_orders,
    latest_result_unusable,
    not_confirmed,
    reported_days_later,
    labs_of_inpatient,
    item_known_by_price_list,
    item_known_by_system_list,
    item_known_by_provis_code,
    item_known_to_the_site_only,
    item_of_another_code,
    potassium_within_panel,
)

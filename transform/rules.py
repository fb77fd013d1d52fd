"""The registry of all rules, for the documentation and the commands."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from transform import (
    after_acceptance,
    claims,
    diagnoses,
    dm,
    dose_rules,
    dt,
    epi,
    ht,
    ineligible,
    labs,
    labs_of_day,
    person,
    set_aside,
    unmapped,
    visits,
    workbook_rows,
)
from transform.rule import Rule


@cache
def registry() -> Mapping[str, Rule]:
    """All rules by their code, in the order of the documentation."""
    modules = (
        visits,
        person,
        diagnoses,
        labs,
        labs_of_day,
        dm,
        ht,
        dose_rules,
        epi,
        dt,
        unmapped,
        ineligible,
        workbook_rows,
        claims,
        set_aside,
        after_acceptance,
    )
    return MappingProxyType({rule.code: rule for module in modules for rule in module.RULES})


OF_HISTORY = (
    dm.INTERVAL,
    dm.FISCAL_YEAR,
    ht.CLAIMED_BEFORE,
    dose_rules.CLAIMED_BEFORE,
    dose_rules.SAME_DAY,
    set_aside.SET_ASIDE,
)
"""The rules by which another claim of the person is in the way, for as long as that one may be accepted."""

__all__ = ["OF_HISTORY", "Rule", "registry"]

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
    person,
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
        dm,
        ht,
        dose_rules,
        epi,
        dt,
        unmapped,
        ineligible,
        workbook_rows,
        claims,
        after_acceptance,
    )
    return MappingProxyType({rule.code: rule for module in modules for rule in module.RULES})


__all__ = ["Rule", "registry"]

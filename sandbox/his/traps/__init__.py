"""Traps: visits with every known difficulty of hospital data, and what the program must do with them."""

from collections.abc import Callable, Iterable

from sandbox.his.traps import days, labs, people, vaccines, visits
from sandbox.his.traps.visit_factory import VisitFactory

Trap = Callable[[VisitFactory], list[str]]
"""Writes the visits of one difficulty; returns their numbers."""

SHARED: tuple[Trap, ...] = (*people.TRAPS, *visits.TRAPS, *labs.TRAPS, *vaccines.TRAPS, *days.TRAPS)
"""The traps of every HIS that can represent them. Their order decides which person has which trap: it must not change."""


def described(traps: Iterable[Trap]) -> dict[str, str]:
    """Trap by name: what is wrong with its visits, and what is right to make of them."""
    return {trap.__name__: (trap.__doc__ or "").strip().splitlines()[0] for trap in traps}


TRAPS: dict[str, str] = described(SHARED)

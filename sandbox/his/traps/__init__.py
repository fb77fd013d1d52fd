"""Every known difficulty of hospital data, a few of each: what is planted, and what is right to make of it."""

from collections.abc import Callable, Iterable

from sandbox.his.traps import labs, people, vaccines, visits
from sandbox.his.traps.visit_factory import VisitFactory

Trap = Callable[[VisitFactory], list[str]]
"""Writes the visits of one difficulty down and gives their numbers."""

SHARED: tuple[Trap, ...] = (*people.TRAPS, *visits.TRAPS, *labs.TRAPS, *vaccines.TRAPS)
"""The difficulties of every HIS that can hold them, in the order they are planted: it decides who is who."""


def described(traps: Iterable[Trap]) -> dict[str, str]:
    """Trap by name: what is wrong with its visits, and what is right to make of them."""
    return {trap.__name__: (trap.__doc__ or "").strip().splitlines()[0] for trap in traps}


TRAPS: dict[str, str] = described(SHARED)

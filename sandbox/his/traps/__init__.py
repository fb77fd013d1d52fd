"""Every known difficulty of hospital data, a few of each: what is planted, and what is right to make of it."""

from sandbox.his.traps import labs, people, vaccines, visits
from sandbox.his.traps.stage import Stage

_TRAPS = {trap.__name__: trap for module in (people, visits, labs, vaccines) for trap in module.TRAPS}

TRAPS: dict[str, str] = {name: (trap.__doc__ or "").strip().splitlines()[0] for name, trap in _TRAPS.items()}
"""Trap by name: what is wrong with its visits, and what is right to make of them."""


def set_traps(stage: Stage) -> dict[str, list[str]]:
    """Write the visits of every trap down and give their VNs by trap."""
    return {name: trap(stage) for name, trap in _TRAPS.items()}

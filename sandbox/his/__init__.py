"""Synthetic hospital databases: HOSxP tables full of people who do not exist."""

from sandbox.his.build import HisSummary, build_hosxp
from sandbox.his.database import HisExistsError, create_database, drop_database
from sandbox.his.days import DENSE, Mix
from sandbox.his.traps import TRAPS

__all__ = [
    "DENSE",
    "TRAPS",
    "HisExistsError",
    "HisSummary",
    "Mix",
    "build_hosxp",
    "create_database",
    "drop_database",
]

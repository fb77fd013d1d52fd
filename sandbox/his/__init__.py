"""Synthetic hospital databases: tables of HOSxP or JHCIS full of people who do not exist."""

from sandbox.his.build import HisSummary, build_hosxp, build_jhcis, vn_by_visitno
from sandbox.his.database import HisExistsError, create_database, drop_database
from sandbox.his.days import DENSE, VisitMix
from sandbox.his.jhcis.traps import JHCIS_TRAPS, NOT_IN_JHCIS
from sandbox.his.traps import TRAPS

__all__ = [
    "DENSE",
    "JHCIS_TRAPS",
    "NOT_IN_JHCIS",
    "TRAPS",
    "HisExistsError",
    "HisSummary",
    "VisitMix",
    "build_hosxp",
    "build_jhcis",
    "create_database",
    "drop_database",
    "vn_by_visitno",
]

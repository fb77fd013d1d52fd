"""Hospitals that differ from the book: tables missing, columns renamed, text in a wrong character set."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hospitals import BUILD, PLAN, Reading, read_days

from extract.errors import SourceError
from extract.statements import BUILT_IN
from sandbox.his import HisSummary

pytestmark = pytest.mark.xdist_group("hospitals")

HIS = ("hosxp", "jhcis")
BACKENDS = ("sqlite", "mariadb", "postgresql")
DAYS = [PLAN["first_day"]]

HALF = {
    "hosxp": (
        "occupation", "person_epi_vaccine_list", "student_vaccine", "person_anc", "ovst_nhso_eligible",
        "ovst_vaccine_eligible", "patient.passport_no", "visit_pttype.claim_code", "ovst_vaccine.dose_qty",
    ),
    "jhcis": (
        "ctitle", "coccupa", "cnation", "clabchcyhembmsse", "visit.main_inscl", "visitepi.manufacturer",
        "visitlabchcyhembmsse.seqonday", "visitlabchcyhembmsse.datecheck",
    ),
}  # fmt: skip
OTHER_HALF = {
    "hosxp": (
        "marrystatus", "nationality", "doctor", "nondrugitems", "sys_lab_link", "visit_pttype", "ovst_vaccine",
        "person_wbc_vaccine_detail", "anc_service", "ovst.an",
    ),
    "jhcis": (
        "cdisease", "cstatus", "user", "visitepi", "cdrug", "visit.claimcode_nhso", "person.marystatus", "person.occupa",
    ),
}  # fmt: skip

RENAMED = {"hosxp": ("patient", "cid", "p"), "jhcis": ("person", "idcard", "p")}
"""The column of the identity number, and its table in visits.sql."""


def _altered(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        quote = connection.dialect.identifier_preparer.quote
        for statement in statements:
            connection.exec_driver_sql(statement.format(user=quote("user")))


def _dropped(names: Collection[str]) -> list[str]:
    tables = ["{user}" if name == "user" else name for name in names if "." not in name]
    columns = [name.partition(".")[::2] for name in names if "." in name]
    return [
        *(f"DROP TABLE {table}" for table in tables),
        *(f"ALTER TABLE {table} DROP COLUMN {column}" for table, column in columns),
    ]


Made = Callable[[str, str], tuple[str, HisSummary]]


@pytest.fixture(scope="module")
def day_of(database_on: Callable[[str], str]) -> Made:
    """Gives a new hospital of one day on a database, that may be spoilt."""

    def made(his: str, backend: str) -> tuple[str, HisSummary]:
        url = database_on(backend)
        return url, BUILD[his](url, **{**PLAN, "days": 1, "visits_a_day": 25, "traps": False})

    return made


def _read(his: str, url: str, hospital: HisSummary, **settings: Any) -> Reading:
    return read_days(his, url, hospital, DAYS, **settings)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("his", HIS)
def test_hospital_loses_its_optional_tables_half_by_half_and_is_read_on(day_of: Made, his: str, backend: str) -> None:
    url, hospital = day_of(his, backend)
    whole = _read(his, url, hospital)
    _altered(url, *_dropped(HALF[his]))
    half = _read(his, url, hospital)
    _altered(url, *_dropped(OTHER_HALF[his]))
    bare = _read(his, url, hospital)

    def of(reading: Reading, *kinds: str) -> set[tuple[str, str, str]]:
        return {(claim.kind, claim.vn, claim.item) for claim in reading.claims if claim.kind in kinds}

    assert of(half, "dm", "ht") == of(whole, "dm", "ht") != set()
    assert set() != of(half, "epi", "dt") <= of(whole, "epi", "dt")
    assert set() != of(bare, "dm", "ht") <= of(whole, "dm", "ht")
    assert of(bare, "epi", "dt") == set()


@pytest.mark.parametrize(("his", "backend"), [("hosxp", "postgresql"), ("jhcis", "mariadb")])
def test_renamed_column_is_named_and_read_with_the_sites_own_sql(
    day_of: Made, his: str, backend: str, tmp_path: Path
) -> None:
    url, hospital = day_of(his, backend)
    whole = _read(his, url, hospital)
    assert whole.claims
    table, column, alias = RENAMED[his]
    _altered(url, f"ALTER TABLE {table} RENAME COLUMN {column} TO citizen_number")
    with pytest.raises(SourceError, match=rf"lacks tables or columns that are needed: {table}\.{column}\."):
        _read(his, url, hospital)
    for name, old, new in (
        ("visits.sql", f"{alias}.{column}", f"{alias}.citizen_number AS cid"),
        ("his.toml", f'"{table}.{column}"', f'"{table}.citizen_number"'),
    ):
        built_in = (BUILT_IN / his / name).read_text(encoding="utf-8")
        own = built_in.replace(f"{old} AS cid", old).replace(old, new)
        assert own != built_in
        (tmp_path / name).write_text(own, encoding="utf-8")
    read = _read(his, url, hospital, sql_folder=tmp_path)
    assert read.claims == whole.claims
    assert read.issues == whole.issues

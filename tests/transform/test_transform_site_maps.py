"""The site's own code maps: each wins over the HIS, "-" silences a code, and a code that nobody knows is an issue."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hospitals import Reading, read_days

from extract.site_maps import MAPS
from sandbox.his import lookups as has
from sandbox.his.hosxp.lookups import vaccine_item
from sandbox.his.jhcis.lookups import VACCINE_CODES
from transform.rules import registry

pytestmark = pytest.mark.xdist_group("hospitals")

HIS = ("hosxp", "jhcis")
ReadingOf = Callable[[str, str], Reading]
Maps = Mapping[str, Mapping[str, str]]

ALIKE = {
    "schemes": {"20": "UCS"},
    "nationalities": {"48": "099"},
    "marital_status": {"2": "4"},
    "occupations": {"001": "ชาวนา"},
}
OTHERWISE: dict[str, Maps] = {
    "hosxp": {
        "labs": {"141": "32401", "142": "32202"},
        "vaccines": {f"ovst:{vaccine_item('ovst', has.INFLUENZA)}": "106"},
        **ALIKE,
    },
    "jhcis": {
        "labs": {"LA01": "32401", "LU01": "32202"},
        "vaccines": {f"epi:{VACCINE_CODES[has.INFLUENZA]}": "106", f"epi:{VACCINE_CODES['HPVG41']}": "HPVG41"},
        **ALIKE,
    },
}
"""Maps that say something else than the HIS, or what it does not know."""

UNKNOWN: dict[str, dict[str, list[str]]] = {
    his: {
        "labs": labs,
        "vaccines": vaccines,
        "schemes": ["40"],
        "nationalities": ["00"],
        "marital_status": ["8"],
        "occupations": ["001"],
    }
    for his, labs, vaccines in [
        ("hosxp", ["141"], [f"{family}:{vaccine_item(family, has.UNMAPPED)}" for family in ("ovst", "epi")]),
        ("jhcis", ["LA01"], [f"epi:{VACCINE_CODES[code]}" for code in (has.UNMAPPED, "HPVG41")]),
    ]
}
"""Codes that stand for nothing in the HIS; the occupation is taken out of its list for it."""

RULE = {
    "labs": "lab.code_unmapped",
    "vaccines": "vaccine.code_missing",
    "schemes": "visit.scheme_unmapped",
    "nationalities": "person.nation_unmapped",
    "marital_status": "person.marriage_unmapped",
    "occupations": "person.occupation_unmapped",
}
TABLE_OF_WORK = {"hosxp": "occupation WHERE occupation", "jhcis": "coccupa WHERE occupacode"}
OF_RIGHT = {
    "hosxp": "SELECT vn FROM ovst WHERE pttype = '20'",
    "jhcis": "SELECT visitno FROM visit WHERE rightcode = '20'",
}


def _written(folder: Path, maps: Maps) -> Path:
    """A folder of maps as a spreadsheet saves them."""
    for name, codes in maps.items():
        lines = ["local_code,code,note", *(f"{local},{code}," for local, code in codes.items())]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return folder


@pytest.fixture(scope="module")
def otherwise(reading_of: ReadingOf, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Reading]:
    """Gives what a HIS gave on a database with the maps of `OTHERWISE`."""
    readings: dict[tuple[str, str], Reading] = {}

    def reading(his: str, backend: str) -> Reading:
        if (his, backend) not in readings:
            plain = reading_of(his, backend)
            folder = _written(tmp_path_factory.mktemp("maps"), OTHERWISE[his])
            readings[his, backend] = read_days(his, plain.url, plain.hospital, maps_folder=folder)
        return readings[his, backend]

    return reading


@pytest.fixture(scope="module", params=HIS)
def nobody_knows(
    request: pytest.FixtureRequest, reading_of: ReadingOf, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Reading, Reading]:
    """A HIS with the codes of `UNKNOWN`: reviewed without a word of them, and with "-" for each."""
    his, folder = request.param, tmp_path_factory.mktemp("maps")
    plain = reading_of(his, "sqlite")
    path = shutil.copy(plain.url.removeprefix("sqlite:///"), folder / "his.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute(f"DELETE FROM {TABLE_OF_WORK[his]} = '001'")
    silent = {name: dict.fromkeys(codes, "-") for name, codes in UNKNOWN[his].items()}
    reviewed = _written(folder, {name: {"another": "-"} for name in MAPS})
    unknown = read_days(his, f"sqlite:///{path}", plain.hospital, maps_folder=reviewed)
    return his, unknown, read_days(his, f"sqlite:///{path}", plain.hospital, maps_folder=_written(folder, silent))


def _sent(reading: Reading, field: str) -> Counter[Any]:
    return Counter(json.loads(claim.payload).get(field) for claim in reading.claims)


@pytest.mark.parametrize("his", HIS)
def test_site_map_of_labs_wins(reading_of: ReadingOf, otherwise: ReadingOf, his: str) -> None:
    for trap, kind in (("item_known_to_the_site_only", "dm"), ("item_of_another_code", "ht")):
        assert reading_of(his, "sqlite").kinds_of(trap) == [""]
        assert otherwise(his, "sqlite").kinds_of(trap) == [kind]


@pytest.mark.parametrize("his", HIS)
def test_site_map_of_vaccines_wins(reading_of: ReadingOf, otherwise: ReadingOf, his: str) -> None:
    assert reading_of(his, "sqlite").kinds_of("vaccine_not_paid_for") == [""]
    assert otherwise(his, "sqlite").kinds_of("vaccine_not_paid_for") == ["dt 106"]


def test_vaccine_of_jhcis_that_only_the_site_knows_is_claimed_with_its_map(otherwise: ReadingOf) -> None:
    reading = otherwise("jhcis", "sqlite")
    assert reading.kinds_of("vaccine_known_to_the_site_only") == ["epi HPVG41"]
    assert reading.rules_of(reading.hospital.traps["vaccine_known_to_the_site_only"]) == set()


@pytest.mark.parametrize("his", HIS)
def test_site_map_of_schemes_wins(reading_of: ReadingOf, otherwise: ReadingOf, his: str) -> None:
    plain, reading = reading_of(his, "sqlite"), otherwise(his, "sqlite")
    with sqlite3.connect(plain.url.removeprefix("sqlite:///")) as connection:
        civil_servants = {str(vn) for (vn,) in connection.execute(OF_RIGHT[his])}

    def of_civil_servants(found: Reading) -> set[str]:
        return {claim.vn for claim in found.claims if claim.kind in ("dm", "ht") and claim.vn in civil_servants}

    assert of_civil_servants(plain) == set(plain.hospital.traps.get("universal_coverage_by_scheme", ()))
    assert of_civil_servants(plain) < of_civil_servants(reading)


@pytest.mark.parametrize("his", HIS)
def test_site_map_of_nationalities_wins(reading_of: ReadingOf, otherwise: ReadingOf, his: str) -> None:
    assert reading_of(his, "sqlite").kinds_of("foreign_nationality") == ["dm", ""]
    assert otherwise(his, "sqlite").kinds_of("foreign_nationality") == ["dm", "epi D21"]
    assert set(_sent(otherwise(his, "sqlite"), "nation")) == {"099"}


@pytest.mark.parametrize("his", HIS)
def test_site_map_of_marital_status_wins(reading_of: ReadingOf, otherwise: ReadingOf, his: str) -> None:
    assert _sent(reading_of(his, "sqlite"), "marriage")["2"] > 10
    assert _sent(otherwise(his, "sqlite"), "marriage")["2"] == 0


@pytest.mark.parametrize("his", HIS)
def test_site_map_of_occupations_wins(reading_of: ReadingOf, otherwise: ReadingOf, his: str) -> None:
    assert _sent(reading_of(his, "sqlite"), "occupa")["เกษตรกร"] > 5
    work = _sent(otherwise(his, "sqlite"), "occupa")
    assert (work["เกษตรกร"], work["ชาวนา"] > 5) == (0, True)


@pytest.mark.parametrize("backend", ["mariadb", "postgresql"])
@pytest.mark.parametrize("his", HIS)
def test_site_maps_say_the_same_on_a_server(otherwise: ReadingOf, his: str, backend: str) -> None:
    assert otherwise(his, backend).claims == otherwise(his, "sqlite").claims
    assert otherwise(his, backend).issues == otherwise(his, "sqlite").issues


def _said(reading: Reading, name: str, code: str) -> list[str]:
    """The visits of which it is said that nobody knows this code."""
    return [issue.vn for issue in reading.issues if issue.rule == RULE[name] and code in issue.message.en]


@pytest.mark.parametrize("name", MAPS)
def test_code_that_nobody_knows_is_an_issue(nobody_knows: tuple[str, Reading, Reading], name: str) -> None:
    his, unknown, _ = nobody_knows
    assert all(_said(unknown, name, code) for code in UNKNOWN[his][name])
    assert registry()[RULE[name]].of_code


@pytest.mark.parametrize("name", MAPS)
def test_code_that_the_site_has_silenced_is_said_no_more(nobody_knows: tuple[str, Reading, Reading], name: str) -> None:
    his, _, silent = nobody_knows
    assert [vn for code in UNKNOWN[his][name] for vn in _said(silent, name, code)] == []


def test_silence_is_no_code(nobody_knows: tuple[str, Reading, Reading]) -> None:
    _, unknown, silent = nobody_knows
    assert {claim.key for claim in silent.claims} == {claim.key for claim in unknown.claims}


def test_lab_item_is_asked_about_only_where_the_site_has_a_map_of_labs(
    reading_of: ReadingOf, nobody_knows: tuple[str, Reading, Reading]
) -> None:
    his, unknown, _ = nobody_knows
    (vn,) = unknown.hospital.traps["item_known_to_the_site_only"]
    assert reading_of(his, "sqlite").rules_of([vn]) == set()
    assert unknown.rules_of([vn]) == {"lab.code_unmapped"}

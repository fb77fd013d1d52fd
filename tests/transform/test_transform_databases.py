"""One health centre in three databases, and beside the hospital of the same people: the same claims, the same issues."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hospitals import PLAN, Reading

from sandbox.his import vn_by_visitno
from transform.claim import Claim, Issue

pytestmark = pytest.mark.xdist_group("hospitals")

ReadingOf = Callable[[str, str], Reading]
GIVER = ("license_no", "name")


@pytest.fixture(scope="module")
def pairs() -> dict[str, str]:
    """The VN by visitno of the visits that stand in both."""
    return vn_by_visitno(**PLAN)


@pytest.mark.parametrize("backend", ["mariadb", "postgresql"])
@pytest.mark.parametrize("his", ["hosxp", "jhcis"])
def test_server_gives_the_claims_of_sqlite_byte_for_byte(reading_of: ReadingOf, his: str, backend: str) -> None:
    ours, sqlite = reading_of(his, backend), reading_of(his, "sqlite")
    assert len(sqlite.claims) > 100
    assert ours.claims == sqlite.claims


@pytest.mark.parametrize("backend", ["mariadb", "postgresql"])
@pytest.mark.parametrize("his", ["hosxp", "jhcis"])
def test_server_gives_the_issues_of_sqlite(reading_of: ReadingOf, his: str, backend: str) -> None:
    ours, sqlite = reading_of(his, backend), reading_of(his, "sqlite")
    assert len(sqlite.issues) > 50
    assert ours.issues == sqlite.issues
    assert ours.counts == sqlite.counts


@pytest.mark.parametrize("backend", ["sqlite", "mariadb", "postgresql"])
def test_jhcis_gives_the_claims_of_hosxp_but_for_hn_seq_and_giver(
    reading_of: ReadingOf, pairs: dict[str, str], backend: str
) -> None:
    ours = _paired(reading_of("jhcis", backend).claims, pairs)
    theirs = _paired(reading_of("hosxp", backend).claims, {vn: vn for vn in pairs.values()})
    assert len(ours) > 100
    assert ours.keys() == theirs.keys()
    for key, payload in ours.items():
        assert _without_visit_and_giver(payload) == _without_visit_and_giver(theirs[key]), key


def test_jhcis_gives_the_giver_of_hosxp_where_one_gave_all_doses_of_the_visit(
    reading_of: ReadingOf, pairs: dict[str, str]
) -> None:
    ours = _givers(_paired(reading_of("jhcis", "sqlite").claims, pairs))
    theirs = _givers(_paired(reading_of("hosxp", "sqlite").claims, {vn: vn for vn in pairs.values()}))
    by_several = {vn for vn, givers in theirs.items() if len(givers) > 1}
    assert by_several
    assert all(len(givers) == 1 for givers in ours.values())
    assert all(ours[vn] == givers for vn, givers in theirs.items() if vn not in by_several)
    assert all(ours[vn] < theirs[vn] for vn in by_several)


def test_hn_and_seq_of_jhcis_are_pid_and_visitno(reading_of: ReadingOf) -> None:
    for claim in reading_of("jhcis", "sqlite").claims:
        payload = json.loads(claim.payload)
        assert (payload["seq"], payload["hn"]) == (claim.vn, claim.hn)
        assert claim.vn.isdecimal()
        assert claim.hn.isdecimal()


def test_jhcis_says_of_a_visit_what_hosxp_says(reading_of: ReadingOf, pairs: dict[str, str]) -> None:
    ours, theirs = reading_of("jhcis", "sqlite"), reading_of("hosxp", "sqlite")
    vns = set(pairs.values())

    def said(issues: Iterable[Issue], names: dict[str, str]) -> Counter[tuple[str, ...]]:
        found = [(i.kind, names.get(i.vn, ""), i.rule, i.severity) for i in issues]
        return Counter(of_visit for of_visit in found if of_visit[1] in vns)

    same = said(ours.issues, pairs)
    assert len(same) > 50
    assert same == said(theirs.issues, {vn: vn for vn in vns})


def _paired(claims: Iterable[Claim], names: dict[str, str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Payloads by kind, VN on HOSxP and item, of the visits that have such a name."""
    found = [((c.kind, names[c.vn], c.item), json.loads(c.payload)) for c in claims if c.vn in names]
    assert len(dict(found)) == len(found)
    return dict(found)


def _without_visit_and_giver(payload: dict[str, Any]) -> dict[str, Any]:
    doses = [{name: value for name, value in dose.items() if name not in GIVER} for dose in payload.get("vaccine", ())]
    return {name: value for name, value in payload.items() if name not in ("hn", "seq")} | {"vaccine": doses}


def _givers(payloads: dict[tuple[str, str, str], dict[str, Any]]) -> dict[str, set[tuple[str, ...]]]:
    """By VN, who gave the doses that are claimed."""
    found = defaultdict(set)
    for (_, vn, _), payload in payloads.items():
        for dose in payload.get("vaccine", ()):
            found[vn].add(tuple(dose[name] for name in GIVER))
    return found

"""`audit verify`, `audit show` and `settle`: what the audit proves, what it tells, and what a person may decide."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from command_line import moph_claim
from night_shift import FIRST_DAY, Site, Trial, people_of

from core.errors import ConfigurationError
from flows.runs.settle import SettleRequest
from load.database import open_audit
from load.runs import start_run
from load.settings import AuditSettings
from sandbox.his import HisSummary
from sandbox.process import Sandbox
from sandbox.world import Fault

pytestmark = pytest.mark.xdist_group("command_audit")


@pytest.fixture(scope="session")
def two_nights(
    prefect_server: dict[str, str],
    moph: Sandbox,
    hospital: tuple[str, HisSummary],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The audit of two nights of one day: claims accepted, one presumed so, some held."""
    site = Site(tmp_path_factory.mktemp("two-nights"), his=hospital[0], sandbox=moph)
    site.set(api__ask_eligibility=False)
    day = FIRST_DAY.isoformat()
    moph.reset()
    moph.change(no_closing_code_share=0.2)
    moph.misbehave(Fault(kind="hang_up_after", skip=2, times=1))  # a visit's only claim
    Trial(site).run(date_from=day, date_to=day, concurrency=1)  # always the same claim meets the fault
    moph.misbehave()
    Trial(site).run(date_from=day, date_to=day)
    states = site.states()
    assert states["presumed_accepted"] == 1
    assert {"accepted", "held"} <= set(states)
    return site.audit


@pytest.fixture
def after(two_nights: Path, site: Site) -> Site:
    """The site after these nights."""
    site.audit.parent.mkdir()
    shutil.copy(two_nights, site.audit)
    return site


def one(site: Site, state: str) -> dict[str, Any]:
    """A claim in this state that is the only one of its visit."""
    alone = "vn in (select vn from claim group by vn having count(*) = 1)"
    return site.rows(f"select * from claim where state = '{state}' and {alone} order by id limit 1")[0]


# Who has looked, and what is taken out.


@pytest.mark.slow
def test_a_look_at_bodies_is_written_down_and_erasing_takes_them_away(after: Site) -> None:
    claim = one(after, "accepted")
    assert "fname" in moph_claim(after.folder, "audit", "show", claim["vn"], "--payload").out
    moph_claim(after.folder, "audit", "show", claim["vn"])
    out = after.folder / "left.csv"
    moph_claim(after.folder, "issues", "--out", str(out))
    looked = moph_claim(after.folder, "audit", "accesses").out.splitlines()
    by_runs = [line for line in looked if "· run" in line]
    assert [line.split("  ")[2] for line in looked if line not in by_runs] == [
        f"issues to a file: … – …, {out.name}",
        f"audit show --payload: {claim['vn']}",
    ]
    erased = moph_claim(after.folder, "audit", "erase", "--yes")
    assert (erased.code, "out of 0 claims and 0 issues" in erased.out) == (0, True)
    with sqlite3.connect(after.audit) as audit:  # nothing is old enough
        assert audit.execute("select count(*) from claim where pid = ''").fetchone() == (0,)
    refused = moph_claim(after.folder, "audit", "erase", "--yes", "--before", "2099-01-01")
    assert (refused.code, "kept for a year" in refused.err) == (2, True)


# The proof.


def test_verify_says_in_one_sentence_what_was_checked(after: Site) -> None:
    said = moph_claim(after.folder, "audit", "verify")
    (n,) = after.rows(
        "select (select count(*) from submission) exchanges, (select count(*) from claim) claims, (select count(*) from issue) issues"
    )
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"The audit proves itself: 2 runs, {n['exchanges']:,} exchanges, {n['claims']:,} claims and "
        f"{n['issues']:,} issues were checked, and all of them fit.\n"
    )


def test_verify_names_the_first_row_that_does_not_fit_and_exits_1(after: Site) -> None:
    changed = after.rows("select s.*, vn, kind, item from submission s join claim c on c.id = claim_id where s.id = 3")[
        0
    ]
    with sqlite3.connect(after.audit) as audit:
        audit.execute("drop trigger submission_no_update")
        audit.execute("update submission set response = '{}' where id >= 3")
    said = moph_claim(after.folder, "audit", "verify")
    assert (said.code, said.out) == (1, "")
    (sentence,) = said.err.splitlines()
    whose = " ".join(filter(None, [changed["kind"], changed["item"], "VN", changed["vn"]]))
    assert f"run {changed['run_id']}, exchange {changed['number']}, claim {whose}, of " in sentence
    assert "its content was changed after it was written" in sentence
    after.set(language="th")
    assert "เนื้อหาถูกแก้ไขหลังบันทึก" in moph_claim(after.folder, "audit", "verify").err


def test_verify_of_one_run_looks_at_that_run(after: Site) -> None:
    run, exchanges = after.rows("select run_id, count(*) n from submission group by run_id")[0].values()
    said = moph_claim(after.folder, "audit", "verify", "--run", run[:8])
    assert (said.code, said.err) == (0, "")
    assert f"The chain of run {run[:8]} proves itself: {exchanges:,} exchanges" in said.out
    assert moph_claim(after.folder, "audit", "verify", "--run", "x").sentence == (
        "There is no run x in the environment sandbox."
    )


def test_verify_of_an_audit_that_cannot_be_read_exits_2(site: Site) -> None:
    site.set(audit__url="postgresql+psycopg://postgres@127.0.0.1:1/audit")
    assert "The audit database 127.0.0.1/audit cannot be used" in moph_claim(site.folder, "audit", "verify").sentence


# A claim's life.


def test_show_tells_a_claims_life_in_order_without_anything_personal(
    after: Site, hospital: tuple[str, HisSummary]
) -> None:
    claim = one(after, "presumed_accepted")
    first, second = (r["id"][:8] for r in after.rows("select id from run order by started_at"))
    said = moph_claim(after.folder, "audit", "show", claim["vn"])
    assert (said.code, said.err) == (0, "")
    head, *life = said.out.splitlines()
    assert all(part in head for part in (claim["vn"], "10953", f"{FIRST_DAY}", "baht", "presumed accepted"))
    told = [
        ("– → not sent yet: the HIS or a workbook, and the rules, give it", first),
        ("not sent yet → sending: a run is about to send it", first),
        ("1. sent /api/v1/opd/service-admissions/", first),
        ("sending → in doubt: it was answered, or no answer came", first),
        ("in doubt → sending: a run is about to send it", second),
        ("1. sent /api/v1/opd/service-admissions/", second),
        ("sending → presumed accepted", second),
    ]
    assert len(life) == len(told)
    for line, (event, run) in zip(life, told, strict=True):
        assert event in line
        assert f"· submit-claims {run} (started 20" in line
    assert "ConnectionError" in life[2]
    assert "HTTP 400" in life[5]
    moments = [line.split()[:2] for line in life]
    assert moments == sorted(moments)
    assert [word for word in people_of(hospital[0]) if word in said.out] == []


def test_show_masks_identity_numbers_in_the_servers_words(after: Site) -> None:
    claim = one(after, "accepted")
    with sqlite3.connect(after.audit) as audit:
        audit.execute("drop trigger submission_no_update")
        words = "person 1100000000001 or 1-1000-00000-00-1, not 12345678901234"
        audit.execute("update submission set message = ? where claim_id = ?", (words, claim["id"]))
    said = moph_claim(after.folder, "audit", "show", claim["transaction_uid"])
    assert "“person ••• or •••, not 12345678901234”" in said.out
    assert f"UID {claim['transaction_uid']}" in said.out
    assert claim["vn"] in said.out


def test_show_with_the_payload_shows_both_bodies(after: Site) -> None:
    claim = one(after, "accepted")
    said = moph_claim(after.folder, "audit", "show", claim["vn"], "--payload")
    assert f'→   "seq": "{claim["vn"]}"' in said.out
    assert f'"pid": "{claim["pid"]}"' in said.out
    assert f'"transaction_uid": "{claim["transaction_uid"]}"' in said.out
    assert "←" in said.out


def test_show_of_a_number_that_is_unknown_exits_1(after: Site) -> None:
    said = moph_claim(after.folder, "audit", "show", "nowhere")
    assert (said.code, said.out) == (1, "")
    assert said.err == "There is no claim of visit or transaction nowhere in the environment sandbox.\n"


# What a person decides.


def test_a_person_settles_a_claim_presumed_accepted_and_it_stays_in_its_life(after: Site) -> None:
    claim = one(after, "presumed_accepted")
    words = ("--as", "accepted", "--uid", "TX-0815", "--note", "ดูหน้าเว็บแล้ว 1100000000001")
    said = moph_claim(after.folder, "settle", claim["vn"], *words)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{claim['kind']} VN {claim['vn']}: presumed accepted → accepted\n"
    (settled,) = after.rows(f"select * from claim where id = {claim['id']}")
    assert (settled["state"], settled["cause"], settled["transaction_uid"]) == ("accepted", "person", "TX-0815")
    shown = moph_claim(after.folder, "audit", "show", "TX-0815").out.splitlines()[-1]
    assert "presumed accepted → accepted: a person says so “ดูหน้าเว็บแล้ว •••”  · settle " in shown
    assert moph_claim(after.folder, "audit", "verify").code == 0


@pytest.mark.parametrize(("word", "state"), [("refused", "final"), ("again", "ready")])
def test_a_claim_presumed_accepted_that_was_not_is_refused_or_goes_again(after: Site, word: str, state: str) -> None:
    claim = one(after, "presumed_accepted")
    assert moph_claim(after.folder, "settle", claim["vn"], "--as", word, "--note", "not there").code == 0
    (settled,) = after.rows(f"select * from claim where id = {claim['id']}")
    assert (settled["state"], settled["cause"], settled["maybe_taken"]) == (state, "person", word == "refused")


def test_a_claim_given_up_is_released(after: Site) -> None:
    claim = one(after, "held")
    words = ("settle", claim["vn"], "--as", "again", "--note", "EP")
    assert moph_claim(after.folder, *words).sentence == (
        f"It cannot be moved so from where it stands: {claim['kind']} VN {claim['vn']} (held: no closing code)."
    )
    with sqlite3.connect(after.audit) as audit:
        audit.execute("update claim set state = 'given_up', cause = 'window_over' where id = ?", (claim["id"],))
    assert moph_claim(after.folder, *words).code == 0
    assert after.rows(f"select state from claim where id = {claim['id']}") == [{"state": "ready"}]


def test_of_several_claims_of_a_visit_the_one_that_is_meant_must_be_named(after: Site) -> None:
    claim = one(after, "presumed_accepted")
    with sqlite3.connect(after.audit) as audit:
        columns = [row[1] for row in audit.execute("pragma table_info(claim)")][1:]
        copied = ", ".join({"item": "'106'", "kind": "'dt'"}.get(c, c) for c in columns)
        audit.execute(f"insert into claim ({', '.join(columns)}) select {copied} from claim where id = {claim['id']}")
    words = ("settle", claim["vn"], "--as", "refused", "--note", "x")
    said = moph_claim(after.folder, *words).sentence
    assert f"{claim['kind']} VN {claim['vn']} (presumed accepted)" in said
    assert f"dt 106 VN {claim['vn']} (presumed accepted)" in said
    assert moph_claim(after.folder, *words, "--kind", "dt", "--item", "106").code == 0
    assert [r["kind"] for r in after.rows("select kind from claim where cause = 'person'")] == ["dt"]


def test_a_transaction_number_of_another_claim_is_refused(after: Site) -> None:
    claim, other = one(after, "presumed_accepted"), one(after, "accepted")
    words = ("settle", claim["vn"], "--as", "accepted", "--note", "x", "--uid", other["transaction_uid"])
    assert f"{other['transaction_uid']} is another claim's" in moph_claim(after.folder, *words).sentence
    assert one(after, "presumed_accepted")["id"] == claim["id"]


@pytest.mark.parametrize(
    ("word", "more", "sentence"),
    [
        ("paid", {}, "--as paid cannot be used: it is accepted, refused, again or withdrawn."),
        ("again", {"note": " "}, "--note must say how you know"),
        ("again", {"note": "x" * 501}, "--note must say how you know"),
        ("refused", {"uid": "1"}, "--uid goes with --as accepted only"),
        ("accepted", {"uid": "1" * 65}, "--uid goes with --as accepted only"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_so_is_one_sentence(word: str, more: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        SettleRequest.of("690000000001", word, **{"note": "x", **more})


def test_a_claim_that_there_is_not_is_one_sentence(after: Site) -> None:
    claim = one(after, "presumed_accepted")
    words = ("--as", "refused", "--note", "x", "--kind", "epi")
    said = moph_claim(after.folder, "settle", claim["vn"], *words).sentence
    assert said.startswith(f"There is no claim of the visit {claim['vn']} epi")


def test_while_a_run_is_under_way_a_person_waits(after: Site) -> None:
    claim = one(after, "presumed_accepted")
    engine = open_audit(f"sqlite:///{after.audit}")
    of_run: dict[str, Any] = {"environment": "sandbox", "hcode": "10953", "flow": "submit-claims", "parameters": {}}
    with start_run(engine, AuditSettings.model_validate({}), **of_run) as run:
        said = moph_claim(after.folder, "settle", claim["vn"], "--as", "again", "--note", "x").sentence
    engine.dispose()
    assert said.startswith("Another run of facility 10953 is under way")
    assert run.id in said
    assert one(after, "presumed_accepted")["id"] == claim["id"]

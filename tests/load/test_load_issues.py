"""What is said of records of the HIS and of workbooks, on three databases: each resolves its own, or its claim does."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, get_args

import pytest
from ledger_steps import ledger_of
from load_night import DAY, holding, make_claim, make_issue, note, rows
from sqlalchemy import Engine

from load.batch import Batch, SubmissionResult
from load.issues import record_issues
from load.ledger import Ledger
from load.outcomes import meanings
from load.queries import claims_not_accepted, issue_counts, open_issues
from load.states import ACCEPTED_STATES, DUE, State
from load.tables import Origin, issue
from transform.after_acceptance import CHANGED
from transform.claim import KINDS, Claim, Issue

NEXT_DAY = DAY + timedelta(days=1)
ORIGINS = get_args(Origin)
VISIT, ANOTHER = make_claim(1).vn, make_claim(2).vn


def his(
    engine: Engine,
    hcode: str,
    *issues: Issue,
    claims: Sequence[Claim] = (),
    day: date = DAY,
    records: Mapping[Any, str] = {},
) -> None:
    """The nightly run reads the day."""
    with holding(engine, hcode=hcode) as run:
        record_issues(engine, run, day, KINDS, issues, claims, records=records)


def workbook(
    engine: Engine,
    hcode: str,
    *issues: Issue,
    claims: Sequence[Claim] = (),
    visits: Sequence[str] = (VISIT,),
    day: date = DAY,
    records: Mapping[Any, str] = {},
) -> None:
    """A workbook is imported that holds these visits of the day."""
    of_workbook: dict[str, Any] = {"origin": "workbook", "visits": visits, "records": records}
    with holding(engine, hcode=hcode) as run:
        record_issues(engine, run, day, KINDS, issues, claims, **of_workbook)


def is_open(engine: Engine, hcode: str) -> dict[str, str]:
    """The rules of the open issues, and of what origin each is."""
    return {row.rule: row.origin for row in rows(engine, issue, hcode=hcode) if row.resolved_at is None}


def take(engine: Engine, hcode: str, made: Claim, origin: Origin, state: State = State.ACCEPTED) -> None:
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        ledger.intake.register(DAY, [], [made], origin=origin, records={made.key: "its rows"})
        due = ledger.queue.due(DUE, KINDS, DAY, DAY, 10)
        ledger.writer.write(Batch(intents=due))
        ledger.writer.write(
            Batch(results=[SubmissionResult(c.id, state, meanings()[0], "said", f"uid-{c.id}", False) for c in due])
        )


def test_an_issue_says_whose_record_it_is_about_and_keeps_it(each_audit: Engine, hcode: str):
    his(each_audit, hcode, make_issue(VISIT, "a"), records={("dm", VISIT, ""): "of the HIS"})
    workbook(
        each_audit, hcode, make_issue(ANOTHER, "b"), visits=[ANOTHER], records={("dm", ANOTHER, ""): "of the sheet"}
    )
    frame = open_issues(each_audit, "sandbox", hcode=hcode)
    assert list(frame.columns)[-2:] == ["record", "origin"]
    assert frame[["rule", "record", "origin"]].values.tolist() == [
        ["a", "of the HIS", "his"],
        ["b", "of the sheet", "workbook"],
    ]


# What an import resolves.


def test_an_import_resolves_what_a_workbook_said_of_its_visits_and_of_no_others(each_audit: Engine, hcode: str):
    workbook(each_audit, hcode, make_issue(VISIT, "a"), make_issue(ANOTHER, "b"), visits=[VISIT, ANOTHER])
    workbook(each_audit, hcode, make_issue(VISIT, "c"))
    assert is_open(each_audit, hcode) == {"b": "workbook", "c": "workbook"}
    workbook(each_audit, hcode)
    assert is_open(each_audit, hcode) == {"b": "workbook"}


def test_an_import_resolves_what_was_said_of_the_his_only_of_a_claim_that_goes_from_it(each_audit: Engine, hcode: str):
    dose = {"kind": "epi", "item": "043"}
    his(each_audit, hcode, make_issue(VISIT, "a"), make_issue(VISIT, "b", **dose), make_issue(ANOTHER, "c"))
    workbook(each_audit, hcode)
    assert is_open(each_audit, hcode) == dict.fromkeys("abc", "his")
    workbook(each_audit, hcode, claims=[make_claim(1, "epi", hcode=hcode)])
    assert is_open(each_audit, hcode) == dict.fromkeys("ac", "his")
    workbook(each_audit, hcode, claims=[make_claim(1, hcode=hcode)])
    assert is_open(each_audit, hcode) == {"c": "his"}


def test_an_import_of_a_visit_on_its_right_day_resolves_what_was_said_of_the_wrong_one(each_audit: Engine, hcode: str):
    workbook(each_audit, hcode, make_issue(VISIT, "a"), make_issue(VISIT, "b"))
    workbook(each_audit, hcode, make_issue(VISIT, "b"), day=NEXT_DAY)
    assert is_open(each_audit, hcode) == {"b": "workbook"}
    (row,) = (row for row in rows(each_audit, issue, hcode=hcode) if row.resolved_at is None)
    assert row.service_date == NEXT_DAY


def test_an_import_does_not_resolve_that_what_was_taken_has_become_otherwise_in_the_his(each_audit: Engine, hcode: str):
    his(each_audit, hcode, make_issue(VISIT, CHANGED.code, severity="warning"))
    workbook(each_audit, hcode, claims=[make_claim(1, hcode=hcode)])
    assert is_open(each_audit, hcode) == {CHANGED.code: "his"}


# What a night resolves.


def test_a_night_does_not_resolve_what_was_said_of_a_workbook(each_audit: Engine, hcode: str):
    workbook(each_audit, hcode, make_issue(VISIT, "a"))
    his(each_audit, hcode)
    his(each_audit, hcode, make_issue(VISIT, "b"))
    assert is_open(each_audit, hcode) == {"a": "workbook", "b": "his"}
    his(each_audit, hcode)
    assert is_open(each_audit, hcode) == {"a": "workbook"}


@pytest.mark.parametrize("day", [DAY, NEXT_DAY])
def test_a_night_resolves_what_was_said_of_a_workbook_once_the_claim_goes_from_the_his(
    each_audit: Engine, hcode: str, day: date
):
    workbook(each_audit, hcode, make_issue(VISIT, "a"), make_issue(ANOTHER, "b"), visits=[VISIT, ANOTHER])
    his(each_audit, hcode, claims=[make_claim(1, hcode=hcode, day=day)], day=day)
    assert is_open(each_audit, hcode) == {"b": "workbook"}


def test_a_person_who_mends_a_record_of_the_his_in_a_workbook_keeps_what_was_written_there(
    each_audit: Engine, hcode: str
):
    about = ("dm", VISIT, "")
    his(each_audit, hcode, make_issue(VISIT, "a", "as in the HIS"), records={about: "of the HIS"})
    workbook(each_audit, hcode, make_issue(VISIT, "a", "as in the sheet"), records={about: "of the sheet"})
    (of_workbook,) = rows(each_audit, issue, hcode=hcode)
    assert (of_workbook.message_en, of_workbook.record) == ("as in the sheet", "of the sheet")
    his(each_audit, hcode, make_issue(VISIT, "a", "as in the HIS"), records={about: "of the HIS"})
    assert rows(each_audit, issue, hcode=hcode) == [of_workbook]
    workbook(each_audit, hcode, claims=[make_claim(1, hcode=hcode)])
    assert is_open(each_audit, hcode) == {}
    his(each_audit, hcode, make_issue(VISIT, "a", "as in the HIS"), records={about: "of the HIS"})
    (again,) = rows(each_audit, issue, hcode=hcode)
    assert (again.origin, again.record, again.message_en) == ("his", "of the HIS", "as in the HIS")
    assert again.resolved_at is None


# What is listed.


@pytest.mark.parametrize("state", ACCEPTED_STATES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_why_the_his_has_no_claim_is_listed_no_more_once_it_was_taken_from_a_workbook(
    each_audit: Engine, hcode: str, state: State, origin: Origin
):
    his(each_audit, hcode, make_issue(VISIT, "a"), make_issue(VISIT, "b", kind="ht"), make_issue(ANOTHER, "c"))
    take(each_audit, hcode, make_claim(1, hcode=hcode), origin, state)
    shown = ["c", "b"] if origin == "workbook" else ["a", "c", "b"]
    assert open_issues(each_audit, "sandbox", hcode=hcode)["rule"].tolist() == shown
    counted = issue_counts(each_audit, "sandbox", hcode, DAY, DAY, KINDS)["rule"].tolist()
    assert sorted(counted) == sorted(shown)


def test_why_the_his_has_no_claim_is_listed_while_that_of_the_workbook_is_not_taken(each_audit: Engine, hcode: str):
    his(each_audit, hcode, make_issue(VISIT, "a"))
    take(each_audit, hcode, make_claim(1, hcode=hcode), "workbook", State.HELD)
    assert open_issues(each_audit, "sandbox", hcode=hcode)["rule"].tolist() == ["a"]


def test_an_error_of_a_later_workbook_is_listed_though_the_claim_was_taken_from_an_earlier_one(
    each_audit: Engine, hcode: str
):
    take(each_audit, hcode, make_claim(1, hcode=hcode), "workbook")
    workbook(each_audit, hcode, make_issue(VISIT, "a"))
    assert open_issues(each_audit, "sandbox", hcode=hcode)["rule"].tolist() == ["a"]


def test_a_missing_rate_stays_listed_once_its_claim_was_taken(each_audit: Engine, hcode: str):
    take(each_audit, hcode, make_claim(1, hcode=hcode), "his")
    of_claim = {"severity": "warning", "hcode": hcode}
    his(each_audit, hcode, *(make_issue(VISIT, rule, **of_claim) for rule in ("claim.rate_unknown", "lab.left_out")))
    # was none: 0 baht were expected, and nobody was told why
    assert open_issues(each_audit, "sandbox", hcode=hcode)["rule"].tolist() == ["claim.rate_unknown"]


def test_of_a_claim_that_did_not_go_it_is_told_what_a_workbook_shows_of_it(each_audit: Engine, hcode: str):
    take(each_audit, hcode, make_claim(1, hcode=hcode), "workbook", State.PRESUMED_ACCEPTED)
    take(each_audit, hcode, make_claim(2, hcode=hcode), "his", State.CORRECTABLE)
    frame = claims_not_accepted(each_audit, "sandbox", hcode=hcode)
    told = ["record", "transaction_uid", "origin", "baht", "nights_in_vain"]
    assert list(frame.columns)[-5:] == told
    first, second = frame["transaction_uid"]
    assert first != second and {first[:4], second[:4]} == {"uid-"}
    assert frame[told].values.tolist() == [["its rows", first, "workbook", 150, 0], ["its rows", second, "his", 150, 0]]


# The life of an issue.


def open_rules(engine: Engine, hcode: str) -> dict[str, bool]:
    return {row.rule: row.resolved_at is None for row in rows(engine, issue, hcode=hcode)}


def test_an_issue_is_noted_resolved_and_opened_again(each_audit: Engine, hcode: str):
    def say(*said: str) -> None:
        with ledger_of(each_audit, hcode) as ledger:
            note(ledger, DAY, KINDS, [make_issue(said=text) for text in said])

    say("first")
    (noted,) = rows(each_audit, issue, hcode=hcode)
    say()
    (resolved,) = rows(each_audit, issue, hcode=hcode)
    say("again")
    (reopened,) = rows(each_audit, issue, hcode=hcode)
    assert noted.resolved_at is None
    assert resolved.resolved_at is not None
    assert (reopened.resolved_at, reopened.message_en) == (None, "again")
    assert reopened.first_seen_at == noted.first_seen_at < reopened.seen_at
    assert reopened.first_run_id == noted.run_id != reopened.run_id


def test_only_the_day_and_the_kinds_that_were_read_are_resolved(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        note(ledger, DAY, KINDS, [make_issue(rule="a"), make_issue(rule="b", kind="epi")])
        note(ledger, NEXT_DAY, KINDS, [make_issue("69-next", rule="c", service_date=NEXT_DAY)])
        note(ledger, DAY, ["dm"], [])
    assert open_rules(each_audit, hcode) == {"a": False, "b": True, "c": True}


@pytest.mark.parametrize(("was", "now_on"), [(DAY, NEXT_DAY), (NEXT_DAY, DAY)])
def test_an_issue_of_a_visit_moved_to_another_day_moves_along(each_audit: Engine, hcode: str, was: date, now_on: date):
    with ledger_of(each_audit, hcode) as ledger:
        note(ledger, was, KINDS, [make_issue(service_date=was)])
    with ledger_of(each_audit, hcode) as ledger:
        for day in (DAY, NEXT_DAY):
            note(ledger, day, KINDS, [make_issue(service_date=day)] if day == now_on else [])
    (row,) = rows(each_audit, issue, hcode=hcode)
    assert (row.service_date, row.resolved_at) == (now_on, None)


def test_an_issue_without_a_date_stands_on_the_day_that_was_read(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        note(ledger, DAY, KINDS, [make_issue(service_date=None)])
    assert rows(each_audit, issue, hcode=hcode)[0].service_date == DAY

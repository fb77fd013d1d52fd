"""A claim of a workbook and the same claim of the HIS are one: who may say what it is, on three databases."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import product
from typing import Any, get_args

import pytest
from ledger_steps import give_up
from load_night import DAY, holding, make_claim, rows, values
from sqlalchemy import Engine, insert, update

from core.clock import now
from load.batch import Batch, SubmissionRecord, SubmissionResult
from load.ledger import Ledger
from load.moph_claim_api import Exchange
from load.outcomes import Answer, meanings
from load.queue import DueClaim
from load.states import DUE, NOT_ACCEPTED_STATES, State
from load.tables import Origin, claim
from load.workbook_rows import WorkbookRow, record_rows
from transform.claim import KINDS, Claim

NEXT_DAY = DAY + timedelta(days=1)
ORIGINS = get_args(Origin)


def give(
    engine: Engine, hcode: str, origin: Origin, *claims: Claim, day: date = DAY, record: str | None = None
) -> Counter[str]:
    """A run that registers what the HIS or a workbook gives of the day; nothing is sent."""
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        plan = ledger.intake.plan(day, KINDS, claims, origin=origin)
        records = {c.key: record for c in claims} if record else {}
        counts = ledger.intake.register(day, KINDS, claims, origin=origin, records=records)
        assert counts == +(Counter(plan.verdicts) + Counter(withdrawn=len(plan.withdrawn)))
        return counts


def send(engine: Engine, hcode: str, state: State, *, possibly_accepted: bool = False) -> None:
    """A run that sends all that is due; it ends so."""
    why = next(m for m in meanings() if m.outcome == {State.PRESUMED_ACCEPTED: "final"}.get(state, str(state)))
    answer = Answer(why.outcome, why, "said", None)
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        due = all_due(ledger)
        ledger.writer.write(Batch(intents=due))
        said = [Exchange("submit", "/api", c.payload, now(), now(), 400, "{}", answer, 1.0, None) for c in due]
        ledger.writer.write(
            Batch(
                records=[SubmissionRecord(c.id, 1, 1, c.payload_hash, e) for c, e in zip(due, said, strict=True)],
                results=[SubmissionResult(c.id, state, why, "said", None, possibly_accepted) for c in due],
            )
        )


def bring_to(engine: Engine, hcode: str, state: State) -> None:
    """Let the one claim of the facility, ready now, stand there."""
    if state is State.GIVEN_UP:
        send(engine, hcode, State.HELD)
        with holding(engine, hcode=hcode) as run:
            give_up(engine, run, DAY + timedelta(1))
    elif state is State.WITHDRAWN:
        with engine.begin() as connection:
            connection.execute(update(claim).where(claim.c.hcode == hcode).values(state=state, cause="gone"))
    elif state is not State.READY:
        send(engine, hcode, state)


def all_due(ledger: Ledger, *, of_workbook: bool = False) -> list[DueClaim]:
    return ledger.queue.due(DUE, KINDS, DAY - timedelta(30), DAY + timedelta(30), 1000, of_workbook=of_workbook)


def only(engine: Engine, hcode: str) -> Any:
    (row,) = rows(engine, claim, hcode=hcode)
    return row


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_new_claim_says_who_gave_it_and_keeps_its_record(each_audit: Engine, hcode: str, origin: Origin):
    assert give(each_audit, hcode, origin, make_claim(hcode=hcode), record='{"แถว": 5}') == {"new": 1}
    row = only(each_audit, hcode)
    assert (row.origin, row.record, row.state) == (origin, '{"แถว": 5}', State.READY)


# What a workbook gives.


@pytest.mark.parametrize("state", [s for s in NOT_ACCEPTED_STATES if s is not State.CORRECTABLE])
def test_a_workbook_changes_what_the_his_gave_and_it_is_the_workbooks_from_then_on(
    each_audit: Engine, hcode: str, state: State
):
    give(each_audit, hcode, "his", make_claim(hcode=hcode), record="of the HIS")
    bring_to(each_audit, hcode, state)
    changed = make_claim(hcode=hcode, marriage="1")
    assert give(each_audit, hcode, "workbook", changed, record="of the sheet") == {"changed": 1}
    row = only(each_audit, hcode)
    assert (row.state, row.origin, row.record) == (state, "workbook", "of the sheet")
    assert row.payload_hash == changed.payload_hash


def test_a_claim_refused_from_the_his_is_mended_in_a_workbook(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "his", make_claim(hcode=hcode, marriage="8"))
    send(each_audit, hcode, State.CORRECTABLE)
    assert give(each_audit, hcode, "workbook", make_claim(hcode=hcode)) == {"changed": 1}
    row = only(each_audit, hcode)
    assert (row.state, row.cause, row.origin) == (State.READY, "changed", "workbook")


def test_a_workbook_withdraws_nothing(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "his", make_claim(1, hcode=hcode))
    give(each_audit, hcode, "workbook", make_claim(2, hcode=hcode))
    assert give(each_audit, hcode, "workbook", make_claim(3, hcode=hcode)) == {"new": 1}
    assert [row.state for row in rows(each_audit, claim, hcode=hcode)] == [State.READY] * 3


def test_what_a_workbook_says_as_the_his_had_it_is_the_workbooks_from_then_on(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    give(each_audit, hcode, "his", made)
    before = only(each_audit, hcode)
    assert give(each_audit, hcode, "workbook", made, record="of the sheet") == {"unchanged": 1}
    row = only(each_audit, hcode)
    assert (row.origin, row.record, row.updated_at) == ("workbook", "of the sheet", before.updated_at)
    assert give(each_audit, hcode, "his") == {}
    assert only(each_audit, hcode).state == State.READY


@pytest.mark.parametrize("state", [State.ACCEPTED, State.PRESUMED_ACCEPTED, State.FINAL, State.IN_DOUBT])
@pytest.mark.parametrize("changes", [{}, {"marriage": "1"}], ids=["the same", "another"])
def test_what_is_settled_or_in_doubt_is_not_touched_by_a_workbook(
    each_audit: Engine, hcode: str, state: State, changes: dict[str, str]
):
    give(each_audit, hcode, "his", make_claim(hcode=hcode), record="of the HIS")
    if state is State.IN_DOUBT:
        with holding(each_audit, hcode=hcode) as run:
            Ledger(each_audit, run).writer.write(Batch(intents=all_due(Ledger(each_audit, run))))
        with holding(each_audit, hcode=hcode) as run:
            Ledger(each_audit, run).writer.recover()
    else:
        send(each_audit, hcode, state)
    before = only(each_audit, hcode)
    verdict = "unchanged" if state is State.IN_DOUBT else "settled"
    assert give(each_audit, hcode, "workbook", make_claim(hcode=hcode, **changes), record="x") == {verdict: 1}
    assert only(each_audit, hcode) == before


def test_a_newer_record_of_the_same_claim_is_kept_and_a_missing_one_takes_none_away(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    for record, kept in (("row 5", "row 5"), ("row 9", "row 9"), (None, "row 9")):
        give(each_audit, hcode, "workbook", made, record=record)
        assert only(each_audit, hcode).record == kept


def test_a_record_of_other_content_does_not_stay(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "his", make_claim(hcode=hcode), record="of the HIS")
    give(each_audit, hcode, "workbook", make_claim(hcode=hcode, marriage="1"))
    assert only(each_audit, hcode).record is None


# What the HIS gives then.


@pytest.mark.parametrize("state", NOT_ACCEPTED_STATES)
def test_the_his_does_not_withdraw_a_claim_of_a_workbook(each_audit: Engine, hcode: str, state: State):
    give(each_audit, hcode, "workbook", make_claim(hcode=hcode))
    bring_to(each_audit, hcode, state)
    before = only(each_audit, hcode)
    assert give(each_audit, hcode, "his") == {}
    assert only(each_audit, hcode) == before


@pytest.mark.parametrize("state", [s for s in NOT_ACCEPTED_STATES if s is not State.CORRECTABLE])
def test_what_a_person_wrote_in_a_workbook_stands_against_the_his(each_audit: Engine, hcode: str, state: State):
    give(each_audit, hcode, "workbook", make_claim(hcode=hcode), record="of the sheet")
    bring_to(each_audit, hcode, state)
    before = only(each_audit, hcode)
    for given in (make_claim(hcode=hcode, marriage="1"), make_claim(hcode=hcode)):
        assert give(each_audit, hcode, "his", given, record="of the HIS") == {"unchanged": 1}
        assert only(each_audit, hcode) == before


def test_a_claim_of_a_workbook_that_was_refused_is_mended_in_the_his(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "workbook", make_claim(hcode=hcode, marriage="8"))
    send(each_audit, hcode, State.CORRECTABLE)
    mended = make_claim(hcode=hcode)
    assert give(each_audit, hcode, "his", mended, record="of the HIS") == {"changed": 1}
    row = only(each_audit, hcode)
    assert (row.state, row.origin, row.record, row.payload_hash) == (
        State.READY,
        "his",
        "of the HIS",
        mended.payload_hash,
    )


def test_what_was_refused_of_the_his_does_not_take_a_refused_correction_away(each_audit: Engine, hcode: str):
    first, correction = make_claim(hcode=hcode, marriage="8"), make_claim(hcode=hcode, marriage="7")
    give(each_audit, hcode, "his", first)
    send(each_audit, hcode, State.CORRECTABLE)
    give(each_audit, hcode, "workbook", correction, record="of the sheet")
    send(each_audit, hcode, State.CORRECTABLE)
    before = only(each_audit, hcode)
    assert give(each_audit, hcode, "his", first) == {"unchanged": 1}
    assert only(each_audit, hcode) == before
    assert give(each_audit, hcode, "his", make_claim(hcode=hcode)) == {"changed": 1}
    assert only(each_audit, hcode).origin == "his"


def test_what_waited_in_the_his_may_mend_a_correction_that_was_refused(each_audit: Engine, hcode: str):
    """It was held for its closing code, not refused for its data."""
    held = make_claim(hcode=hcode)
    give(each_audit, hcode, "his", held)
    send(each_audit, hcode, State.HELD)
    give(each_audit, hcode, "workbook", make_claim(hcode=hcode, marriage="8"))
    send(each_audit, hcode, State.CORRECTABLE)
    assert give(each_audit, hcode, "his", held) == {"changed": 1}


def test_a_withdrawn_claim_belongs_to_whoever_gives_it_again(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    for origin in ("workbook", "his", "workbook"):
        if rows(each_audit, claim, hcode=hcode):
            bring_to(each_audit, hcode, State.WITHDRAWN)
        give(each_audit, hcode, origin, made)
        row = only(each_audit, hcode)
        assert (row.state, row.origin) == (State.READY, origin)


def test_comparing_says_what_registering_does_whoever_gives_whatever_stands(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "his", make_claim(hcode=hcode))
    stood = only(each_audit, hcode)
    template = {name: value for name, value in values(claim, stood).items() if name != "id"}
    given: dict[Origin, list[Claim]] = {"his": [], "workbook": []}
    cases = product([s for s in State if s is not State.SENDING], ORIGINS, ORIGINS, ["2", "1"], [False, True])
    with each_audit.begin() as connection:
        for number, (state, of, giver, marriage, maybe) in enumerate(cases, start=2):
            stood, given_now = (make_claim(number, hcode=hcode, marriage=m) for m in ("2", marriage))
            row = template | {"vn": stood.vn, "hn": stood.hn, "pid": stood.pid, "payload_hash": stood.payload_hash}
            row |= {"state": state, "origin": of, "possibly_accepted": maybe, "sent_hash": stood.payload_hash}
            connection.execute(insert(claim).values(**row))
            given[giver].append(given_now)
    for giver, claims in given.items():
        before = {row.vn: row for row in rows(each_audit, claim, hcode=hcode)}
        with holding(each_audit, hcode=hcode) as run:
            ledger = Ledger(each_audit, run)
            plan = ledger.intake.plan(DAY, [], claims, origin=giver)
            counts = ledger.intake.register(DAY, [], claims, origin=giver)
        assert counts == Counter(plan.verdicts)
        after = {row.vn: row for row in rows(each_audit, claim, hcode=hcode)}
        for c, verdict, state in zip(claims, plan.verdicts, plan.states, strict=True):
            was, is_now = before[c.vn], after[c.vn]
            assert is_now.state == state
            changed = (was.payload_hash, was.state) != (is_now.payload_hash, is_now.state) or was.state == "withdrawn"
            assert changed == (verdict == "changed")
            assert is_now.origin == (giver if changed else was.origin) or (giver, is_now.origin) == ("workbook",) * 2


# Visits that are numbered alike.


@pytest.mark.parametrize("another", [{"person": 2}, {"day": NEXT_DAY}], ids=["person", "day"])
@pytest.mark.parametrize("state", [State.READY, State.HELD, State.ACCEPTED, State.GIVEN_UP])
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_number_that_stands_for_another_visit_is_found(
    audit: Engine, another: dict[str, Any], state: State, origin: Origin
):
    first = make_claim(vn="1")
    give(audit, "10953", origin, first)
    bring_to(audit, "10953", state)
    with holding(audit) as run:
        ledger = Ledger(audit, run)
        second = make_claim(vn="1", **another)
        assert ledger.intake.other_visits([second, make_claim(3)]) == {second.key}
        assert ledger.intake.other_visits([first, make_claim(3)]) == set()
        found = {of: ledger.intake.other_visits([second], origin=of) for of in ORIGINS}
        assert found == {of: {second.key} if of == origin else set() for of in ORIGINS}


def test_the_number_of_a_withdrawn_claim_is_free(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "his", make_claim(vn="1", hcode=hcode))
    give(each_audit, hcode, "his")
    with holding(each_audit, hcode=hcode) as run:
        assert Ledger(each_audit, run).intake.other_visits([make_claim(vn="1", person=2, hcode=hcode)]) == set()


def test_a_refused_claim_may_be_corrected_in_its_person_or_day_but_not_made_another_patients(
    each_audit: Engine, hcode: str
):
    give(each_audit, hcode, "workbook", make_claim(1, vn="1", hcode=hcode))
    send(each_audit, hcode, State.CORRECTABLE)
    corrections = [make_claim(1, vn="1", hcode=hcode, person=2), make_claim(1, vn="1", hcode=hcode, day=NEXT_DAY)]
    others = make_claim(2, vn="1", hcode=hcode)
    with holding(each_audit, hcode=hcode) as run:
        ledger = Ledger(each_audit, run)
        assert [ledger.intake.other_visits([c]) for c in corrections] == [set(), set()]
        assert ledger.intake.other_visits([others]) == {others.key}


def test_the_his_does_not_put_another_patients_visit_in_the_place_of_a_refused_one(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "workbook", make_claim(1, vn="1", hcode=hcode))
    send(each_audit, hcode, State.CORRECTABLE)
    before = only(each_audit, hcode)
    assert give(each_audit, hcode, "his", make_claim(2, vn="1", hcode=hcode)) == {"unchanged": 1}
    assert only(each_audit, hcode) == before


# What is due, and where claims stand.


def note(engine: Engine, ledger: Ledger, claims: Sequence[Claim]) -> None:
    sheet = [WorkbookRow("dmht", n, c.kind, c.vn, c.item, c.key) for n, c in enumerate(claims, start=5)]
    record_rows(engine, ledger.writer._run, "a" * 64, "มีนาคม.xlsx", sheet)


def test_of_a_workbook_only_what_its_rows_hold_is_due_and_once_a_run(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "his", make_claim(1, hcode=hcode), make_claim(2, hcode=hcode))
    for _ in range(2):
        with holding(each_audit, hcode=hcode) as run:
            ledger = Ledger(each_audit, run)
            claims = [make_claim(2, hcode=hcode), make_claim(3, hcode=hcode)]
            ledger.intake.register(DAY, KINDS, claims, origin="workbook")
            assert all_due(ledger, of_workbook=True) == []  # not noted yet
            note(each_audit, ledger, claims)
            due = all_due(ledger, of_workbook=True)
            payloads = {c.payload for c in due}
            assert payloads == {c.payload for c in claims}
            assert ledger.queue.count_due(DUE, KINDS, DAY, DAY, of_workbook=True) == 2
            assert ledger.queue.count_due(DUE, KINDS, DAY, DAY) == len(all_due(ledger)) == 3
            ledger.writer.write(Batch(intents=due))
            ledger.writer.write(
                Batch(results=[SubmissionResult(c.id, State.RETRY, meanings()[0], "", None, False) for c in due])
            )
            assert all_due(ledger, of_workbook=True) == []
    with holding(each_audit, hcode=hcode) as run:
        assert all_due(Ledger(each_audit, run), of_workbook=True) == []
        assert len(all_due(Ledger(each_audit, run))) == 3


def test_it_is_told_where_claims_stand(each_audit: Engine, hcode: str):
    ready, held = make_claim(1, hcode=hcode), make_claim(2, "epi", hcode=hcode)
    give(each_audit, hcode, "workbook", held)
    with holding(each_audit, hcode=hcode) as sent:
        ledger = Ledger(each_audit, sent)
        due = all_due(ledger)
        why = next(m for m in meanings() if m.outcome == "held")
        ledger.writer.write(Batch(intents=due))
        ledger.writer.write(
            Batch(
                results=[SubmissionResult(c.id, State.HELD, why, "don't have authen_code", "uid-1", False) for c in due]
            )
        )
    give(each_audit, hcode, "his", ready)
    of_held, of_ready = rows(each_audit, claim, hcode=hcode)
    with holding(each_audit, hcode=hcode) as run:
        missing = make_claim(3, hcode=hcode)
        stand = Ledger(each_audit, run).queue.find([held.key, ready.key, missing.key])
        assert Ledger(each_audit, run).queue.find([]) == {}
    assert set(stand) == {held.key, ready.key}
    (first, second) = stand[held.key], stand[ready.key]
    assert (first.claim_id, first.state, first.transaction_uid) == (of_held.id, State.HELD, "uid-1")
    assert (first.message, first.meaning_th, first.meaning_en) == (
        "don't have authen_code",
        why.meaning.th,
        why.meaning.en,
    )
    assert (first.baht, first.origin, first.run_id, first.changed_by) == (150, "workbook", sent.id, sent.id)
    assert (second.claim_id, second.state, second.origin, second.run_id) == (of_ready.id, State.READY, "his", None)
    assert (second.message, second.transaction_uid, second.changed_by) == (None, None, of_ready.changed_by)


def test_another_facilitys_claims_stand_nowhere_here(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    give(each_audit, hcode, "his", made)
    with holding(each_audit, hcode="9" + hcode[1:]) as run:
        assert Ledger(each_audit, run).queue.find([made.key]) == {}
        assert Ledger(each_audit, run).intake.other_visits([make_claim(hcode=hcode, person=2)]) == set()


def test_a_claim_of_a_workbook_that_came_late_is_waited_for_from_then_on(each_audit: Engine, hcode: str):
    give(each_audit, hcode, "workbook", make_claim(hcode=hcode))
    send(each_audit, hcode, State.HELD)
    before = (now() - timedelta(days=30)).date()

    def given_up(**as_if: Any) -> int:
        with each_audit.begin() as connection:
            connection.execute(update(claim).where(claim.c.hcode == hcode).values(**as_if))
        with holding(each_audit, hcode=hcode) as run:
            return give_up(each_audit, run, before)

    assert given_up(service_date=before - timedelta(days=10)) == 0
    assert given_up(created_at=now() - timedelta(days=32)) == 1

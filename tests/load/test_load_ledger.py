"""The ledger on the three databases: what each registration and each run does to a claim."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from load_night import DAY, holding, let_leases_run_out, make_claim, make_issue, note, rows, values
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError, OperationalError

from core.clock import now
from load.batch import Batch, SubmissionRecord, SubmissionResult
from load.errors import StopRun
from load.ledger import Ledger
from load.moph_claim import Exchange
from load.outcomes import Answer, Meaning, meanings
from load.queue import DueClaim
from load.runs import Run
from load.states import DUE, FAILED, State
from load.tables import claim, issue, submission
from transform.claim import KINDS, Claim

NEXT_DAY = DAY + timedelta(days=1)


@contextmanager
def ledger_of(engine: Engine, hcode: str) -> Iterator[Ledger]:
    with holding(engine, hcode=hcode) as run:
        yield Ledger(engine, run)


def meaning(state: State) -> Meaning:
    outcome = {State.PRESUMED_ACCEPTED: "final"}.get(state, str(state))
    return next(m for m in meanings() if m.outcome == outcome)


def due(ledger: Ledger, states: tuple[State, ...] = DUE) -> list[DueClaim]:
    return ledger.queue.due(states, KINDS, DAY - timedelta(30), DAY + timedelta(30), 1000)


def settle(ledger: Ledger, state: State, uid: str | None = None, possibly_accepted: bool = False) -> list[int]:
    """Send what is due, with this outcome; the rows it concerned."""
    sent = due(ledger)
    ledger.writer.write(Batch(intents=sent))
    why = meaning(State.RETRY if state is State.IN_DOUBT else state)
    ledger.writer.write(
        Batch(results=[SubmissionResult(c.id, state, why, "said", uid, possibly_accepted) for c in sent])
    )
    return [c.id for c in sent]


def only(engine: Engine, hcode: str):
    (row,) = rows(engine, claim, hcode=hcode)
    return row


def test_a_new_claim_is_ready_and_its_payload_kept_byte_for_byte(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode, fname="เด็กหญิงก๊อต ๛", lname="😀")
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, [made]) == {"new": 1}
        assert [c.payload for c in due(ledger)] == [made.payload]
    row = only(each_audit, hcode)
    assert (row.state, row.payload_hash, row.tries, row.possibly_accepted) == (State.READY, made.payload_hash, 0, False)
    assert (row.service_date, row.pid, row.hn, row.baht, row.service) == (DAY, made.pid, made.hn, 150, "dmht")
    assert row.created_at.tzinfo is UTC
    assert abs(row.created_at - now()) < timedelta(minutes=1)


def test_the_same_claim_again_is_unchanged(each_audit: Engine, hcode: str):
    for counts in ({"new": 1}, {"unchanged": 1}, {"unchanged": 1}):
        with ledger_of(each_audit, hcode) as ledger:
            assert ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)]) == counts


def test_a_changed_payload_is_taken_over_while_the_claim_was_not_taken(each_audit: Engine, hcode: str):
    changed = make_claim(hcode=hcode, marriage="1")
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        assert ledger.intake.register(DAY, KINDS, [changed]) == {"changed": 1}
    row = only(each_audit, hcode)
    assert (row.state, row.payload.encode(), row.payload_hash) == (State.READY, changed.payload, changed.payload_hash)


@pytest.mark.parametrize("state", [State.ACCEPTED, State.PRESUMED_ACCEPTED, State.FINAL])
def test_a_settled_claim_is_never_touched_again(each_audit: Engine, hcode: str, state: State):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        settle(ledger, state, "uid-1")
    before = only(each_audit, hcode)
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode, marriage="1")]) == {"settled": 1}
        assert ledger.intake.register(DAY, KINDS, []) == {}
        assert due(ledger, tuple(set(DUE) | set(FAILED))) == []
    assert only(each_audit, hcode) == before


def test_a_correctable_claim_is_due_only_after_a_change(each_audit: Engine, hcode: str):
    wrong = make_claim(hcode=hcode, marriage="8")
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [wrong])
        settle(ledger, State.CORRECTABLE)
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, [wrong]) == {"unchanged": 1}
        assert due(ledger) == []
        assert len(due(ledger, FAILED)) == 1
        assert ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)]) == {"changed": 1}
        assert [c.state for c in due(ledger)] == [State.READY]


def test_a_correctable_claim_changed_back_before_it_went_is_ready_once_more(each_audit: Engine, hcode: str):
    wrong = make_claim(hcode=hcode, marriage="8")
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [wrong])
        settle(ledger, State.CORRECTABLE)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        ledger.intake.register(DAY, KINDS, [wrong])
    assert only(each_audit, hcode).payload_hash == wrong.payload_hash


@pytest.mark.parametrize("state", [State.HELD, State.RETRY, State.CORRECTABLE])
def test_a_claim_that_was_not_taken_and_the_his_no_longer_gives_is_withdrawn(
    each_audit: Engine, hcode: str, state: State
):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        settle(ledger, state)
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, []) == {"withdrawn": 1}
        assert due(ledger, tuple(set(DUE) | set(FAILED))) == []


def test_a_withdrawn_claim_that_comes_again_is_ready_even_unchanged(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        ledger.intake.register(DAY, KINDS, [])
        assert only(each_audit, hcode).state == State.WITHDRAWN
        assert ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)]) == {"changed": 1}
        assert [c.state for c in due(ledger)] == [State.READY]


@pytest.mark.parametrize("state", [State.HELD, State.IN_DOUBT, State.CORRECTABLE])
def test_a_claim_that_may_have_been_taken_is_not_withdrawn(each_audit: Engine, hcode: str, state: State):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        settle(ledger, state, possibly_accepted=True)
        assert ledger.intake.register(DAY, KINDS, []) == {}
    assert only(each_audit, hcode).state == state


def test_only_the_day_and_the_kinds_that_were_read_are_withdrawn(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(1, "dm", hcode=hcode), make_claim(2, "epi", hcode=hcode)])
        ledger.intake.register(NEXT_DAY, KINDS, [make_claim(3, "dm", day=NEXT_DAY, hcode=hcode)])
        assert ledger.intake.register(DAY, ["dm"], []) == {"withdrawn": 1}
    states = {row.vn[-1]: row.state for row in rows(each_audit, claim, hcode=hcode)}
    assert states == {"1": State.WITHDRAWN, "2": State.READY, "3": State.READY}


@pytest.mark.parametrize(("was", "now_on"), [(DAY, NEXT_DAY), (NEXT_DAY, DAY)])
def test_a_visit_moved_to_another_day_stays_one_claim(each_audit: Engine, hcode: str, was: date, now_on: date):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(was, KINDS, [make_claim(day=was, hcode=hcode)])
    with ledger_of(each_audit, hcode) as ledger:
        for day in (DAY, NEXT_DAY):
            ledger.intake.register(day, KINDS, [make_claim(day=day, hcode=hcode)] if day == now_on else [])
        assert len(due(ledger)) == 1
    assert only(each_audit, hcode).service_date == now_on


def test_claims_differ_by_kind_visit_and_item_and_by_the_case_of_a_letter(each_audit: Engine, hcode: str):
    claims = [
        make_claim(1, kind, hcode=hcode, vn=vn) for kind in ("dm", "ht", "epi", "dt") for vn in ("a1", "A1", "ก1")
    ]
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, claims) == {"new": 12}


def test_leading_zeros_and_long_texts_come_back_as_they_were(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode, vn="000000000012", occupa="ก" * 30_000)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [made])
        assert due(ledger)[0].payload == made.payload
    assert only(each_audit, hcode).vn == "000000000012"


def test_the_database_holds_each_key_once_and_knows_the_states(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
    row = values(claim, only(each_audit, hcode))
    del row["id"]

    with pytest.raises(IntegrityError), each_audit.begin() as connection:
        connection.execute(claim.insert(), [row])
    # MariaDB calls a failed check an operational error.
    with pytest.raises((IntegrityError, OperationalError)), each_audit.begin() as connection:
        connection.execute(update(claim).where(claim.c.hcode == hcode).values(state="perhaps"))


def test_a_dry_run_compares_and_changes_nothing(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(1, hcode=hcode), make_claim(2, hcode=hcode)])
        before = rows(each_audit, claim, hcode=hcode)
        now_given = [make_claim(1, hcode=hcode), make_claim(2, hcode=hcode, marriage="1"), make_claim(3, hcode=hcode)]
        assert sorted(verdict for verdict, _ in ledger.intake.compare(now_given)) == ["changed", "new", "unchanged"]
    assert rows(each_audit, claim, hcode=hcode) == before


def test_many_claims_are_registered_at_once(each_audit: Engine, hcode: str):
    claims = [make_claim(n, hcode=hcode) for n in range(1, 1202)]
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, claims) == {"new": 1201}
        assert ledger.intake.register(DAY, KINDS, claims[:1]) == {"unchanged": 1, "withdrawn": 1200}


# What is due.


def test_a_claim_is_due_once_a_run(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        assert len(settle(ledger, State.RETRY)) == 1
        assert due(ledger) == []
    with ledger_of(each_audit, hcode) as ledger:
        assert len(due(ledger)) == 1


def test_due_claims_come_oldest_day_first_and_as_many_as_asked(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        for day in (NEXT_DAY, DAY):
            claims = [make_claim(day.day * 10 + n, day=day, hcode=hcode) for n in range(3)]
            ledger.intake.register(day, KINDS, claims)
        days = [rows(each_audit, claim, id=c.id)[0].service_date for c in due(ledger)]
        assert days == [DAY] * 3 + [NEXT_DAY] * 3
        assert len(ledger.queue.due(DUE, KINDS, DAY, NEXT_DAY, 4)) == 4
        assert ledger.queue.count_due(DUE, KINDS, DAY, NEXT_DAY) == 6
        assert ledger.queue.count_due(DUE, KINDS, DAY, DAY) == 3
        assert ledger.queue.count_due(DUE, ["epi"], DAY, NEXT_DAY) == 0


def test_another_facilitys_and_another_environments_claims_are_nobodys_business(each_audit: Engine, hcode: str):
    other = "9" + hcode[1:]
    with ledger_of(each_audit, hcode) as ledger, holding(each_audit, hcode=other) as theirs:
        Ledger(each_audit, theirs).intake.register(DAY, KINDS, [make_claim(hcode=other)])
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        elsewhere = Run("x", "prd", hcode, timedelta(60))
        assert Ledger(each_audit, elsewhere).queue.count_due(DUE, KINDS, DAY, DAY) == 0
        assert Ledger(each_audit, elsewhere).intake.compare([make_claim(hcode=hcode)]) == [("new", None)]
        assert ledger.queue.count_due(DUE, KINDS, DAY, DAY) == 1
        assert ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)]) == {"unchanged": 1}


# Intent, answer, and what a dead run left.


def test_an_intent_is_committed_with_its_run_its_hash_and_its_try(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    with holding(each_audit, hcode=hcode) as run:
        ledger = Ledger(each_audit, run)
        ledger.intake.register(DAY, KINDS, [made])
        ledger.writer.write(Batch(intents=due(ledger)))
        row = only(each_audit, hcode)
        assert (row.state, row.run_id, row.tries, row.sent_hash) == (State.SENDING, run.id, 1, made.payload_hash)


def test_a_claim_that_was_not_sent_after_all_is_as_it_was(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        intended = due(ledger)
        ledger.writer.write(Batch(intents=intended))
        ledger.writer.write(Batch(unsent=intended))
    assert (only(each_audit, hcode).state, only(each_audit, hcode).tries) == (State.READY, 0)


def test_what_a_dead_run_left_in_mid_sending_is_in_doubt(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(1, hcode=hcode), make_claim(2, hcode=hcode)])
        ledger.writer.write(Batch(intents=due(ledger)[:1]))
        assert ledger.writer.recover() == 0  # its own is not dead
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.writer.recover() == 1
        assert ledger.writer.recover() == 0
        stood = {c.state: c.possibly_accepted for c in due(ledger)}
    assert stood == {State.IN_DOUBT: True, State.READY: False}


def test_a_verdict_keeps_the_number_that_was_known(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        settle(ledger, State.ACCEPTED, "uid-1")
        settled = only(each_audit, hcode)
        ledger.writer.write(
            Batch(results=[SubmissionResult(settled.id, State.ACCEPTED, meaning(State.ACCEPTED), "", None, False)])
        )
    assert only(each_audit, hcode).transaction_uid == "uid-1"


@pytest.mark.parametrize("late", [State.RETRY, State.FINAL, State.IN_DOUBT])
def test_old_news_of_a_run_that_lost_its_facility_does_not_undo_an_acceptance(
    each_audit: Engine, hcode: str, late: State
):
    with holding(each_audit, hcode=hcode) as silent:
        first = Ledger(each_audit, silent)
        first.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        sent = due(first)
        first.writer.write(Batch(intents=sent))
        let_leases_run_out(each_audit)
        with ledger_of(each_audit, hcode) as second:
            second.writer.recover()
            settle(second, State.ACCEPTED, "uid-1")
        first.writer.write(
            Batch(results=[SubmissionResult(sent[0].id, late, meaning(State.RETRY), "late", None, False)], unsent=sent)
        )
    row = only(each_audit, hcode)
    assert (row.state, row.transaction_uid, row.tries) == (State.ACCEPTED, "uid-1", 2)


def test_an_answer_that_comes_after_the_facility_was_lost_still_counts_while_nobody_else_has_sent(
    each_audit: Engine, hcode: str
):
    with holding(each_audit, hcode=hcode) as silent:
        first = Ledger(each_audit, silent)
        first.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        sent = due(first)
        first.writer.write(Batch(intents=sent))
        let_leases_run_out(each_audit)
        with ledger_of(each_audit, hcode) as second:
            second.writer.recover()
            first.writer.write(
                Batch(
                    results=[SubmissionResult(sent[0].id, State.ACCEPTED, meaning(State.ACCEPTED), "", "uid-1", False)]
                )
            )
            assert due(second) == []
    assert only(each_audit, hcode).state == State.ACCEPTED


def test_without_the_facility_no_intent_is_committed(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode) as run:
        ledger = Ledger(each_audit, run)
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        let_leases_run_out(each_audit)
        with pytest.raises(StopRun, match="lost its facility"):
            ledger.writer.write(Batch(intents=due(ledger)))
        assert only(each_audit, hcode).state == State.READY


def test_an_exchange_is_written_down_as_it_took_place(each_audit: Engine, hcode: str):
    at = datetime(2026, 9, 22, 1, 30, 0, 123456, tzinfo=UTC)
    made = make_claim(hcode=hcode, fname="ก๊อต 😀")
    answer = Answer(meaning(State.HELD).outcome, meaning(State.HELD), "don't have authen_code", None)
    said = "ก" * 65_536
    exchange = Exchange(
        "submit", "/api", made.payload, at, at + timedelta(milliseconds=150), 400, said, answer, 1.0, None
    )
    with holding(each_audit, hcode=hcode) as run:
        ledger = Ledger(each_audit, run)
        ledger.intake.register(DAY, KINDS, [made])
        (one,) = due(ledger)
        ledger.writer.write(Batch(records=[SubmissionRecord(one.id, 7, 2, made.payload_hash, exchange)]))
        (row,) = rows(each_audit, submission, run_id=run.id)
    assert (row.claim_id, row.chunk, row.attempt, row.call, row.path) == (one.id, 7, 2, "submit", "/api")
    assert (row.sent_at, row.answered_at, row.duration_ms) == (at, at + timedelta(milliseconds=150), 150)
    assert (row.request.encode(), row.response, row.payload_hash) == (made.payload, said, made.payload_hash)
    assert (row.http_status, row.outcome, row.message) == (400, "held", "don't have authen_code")


def test_nothing_personal_is_shown_of_a_claim_that_is_due(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [made])
        shown = repr(due(ledger)) + repr(made)
    assert made.pid not in shown
    assert "ตัวอย่าง" not in shown


# A person's history.


def history(ledger: Ledger, *claims: Claim) -> list[tuple[str, str]]:
    frame = ledger.queue.history({c.pid for c in claims}, ["dm", "ht"])
    assert list(frame.columns) == ["kind", "pid", "vn", "service_date"]
    assert str(frame["service_date"].dtype) == "datetime64[us]"
    assert all(str(frame[name].dtype) == "str" for name in ("kind", "pid", "vn"))
    return sorted(zip(frame["kind"], frame["vn"], strict=True))


def test_history_is_what_was_taken_may_have_been_or_is_about_to_go(each_audit: Engine, hcode: str):
    claims = [make_claim(n, hcode=hcode) for n in range(1, 8)]
    ends = dict(
        zip(
            claims,
            (
                State.ACCEPTED,
                State.PRESUMED_ACCEPTED,
                State.IN_DOUBT,
                State.HELD,
                State.RETRY,
                State.FINAL,
                State.CORRECTABLE,
            ),
            strict=True,
        )
    )
    with ledger_of(each_audit, hcode) as ledger:
        assert history(ledger, *claims) == []
        for made, state in ends.items():
            ledger.intake.register(made.service_date, [], [made])
            settle(ledger, state)
        assert history(ledger, *claims) == [("dm", c.vn) for c in claims[:5]]
        assert history(ledger, claims[1]) == [("dm", claims[1].vn)]
        assert ledger.queue.history([], ["dm"]).empty
        assert ledger.queue.history([claims[0].pid], []).empty


# Issues.


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

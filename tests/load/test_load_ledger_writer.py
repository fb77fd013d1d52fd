"""Intents, answers and what a dead run left, on the three databases."""

from datetime import UTC, datetime, timedelta

import pytest
from ledger_steps import due, ledger_of, meaning, only, send_due
from load_night import DAY, holding, let_leases_run_out, make_claim, rows
from sqlalchemy import Engine

from load.batch import Batch, SubmissionRecord, SubmissionResult
from load.errors import StopRun
from load.ledger import Ledger
from load.moph_claim_api import Exchange
from load.outcomes import Answer
from load.states import State
from load.tables import submission
from transform.claim import KINDS

NEXT_DAY = DAY + timedelta(days=1)


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
        send_due(ledger, State.ACCEPTED, "uid-1")
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
            send_due(second, State.ACCEPTED, "uid-1")
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
    # The request is the claim's payload, which is kept once.
    assert (row.request, row.response, row.payload_hash) == (None, said, made.payload_hash)
    assert (row.http_status, row.outcome, row.message) == (400, "held", "don't have authen_code")

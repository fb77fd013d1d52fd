"""Nothing goes that was not read at its source in this run; and what may have been accepted otherwise is only asked about."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from ledger_steps import ledger_of, only, send_due
from load_night import DAY, holding, make_claim, make_issue, note, rows, settings_for, standing
from sqlalchemy import Engine, event

from load.account_center import TokenSource
from load.batch import Batch, SubmissionResult
from load.delivery import Delivery
from load.ledger import Ledger
from load.open_visits import visits_of_claims, visits_of_issues
from load.outcomes import meanings
from load.settings import ApiSettings
from load.states import DUE, SENDABLE, State
from load.tables import claim, submission
from load.verify import verify
from sandbox.process import Sandbox
from sandbox.world import Fault
from transform.claim import KINDS, Claim

NEXT_DAY = DAY + timedelta(days=1)


def night(
    engine: Engine,
    api: ApiSettings,
    given: Sequence[Claim] | None,
    *,
    days: Sequence[date] = (DAY,),
    hcode: str = "10953",
) -> Counter[State]:
    """A run that reads these days of a HIS (none where nothing is given), asks, and sends; states of what was only asked."""
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        ledger.writer.recover()
        if given is not None:
            for day in days:
                ledger.intake.register(day, KINDS, [c for c in given if c.service_date == day])
        with Delivery(api, ledger, TokenSource(api, hcode), 2) as delivery:
            if asked := ledger.queue.to_ask(ledger.intake.otherwise):
                delivery.send_chunk(1, asked)
                delivery.finish()
            while due := ledger.queue.due(DUE, KINDS, date(2020, 1, 1), date(2030, 1, 1), 100, read=True):
                delivery.send_chunk(2, due)
            delivery.finish()
            return delivery.asked


def calls(engine: Engine) -> list[str]:
    return [row.call for row in rows(engine, submission)]


def in_doubt(sandbox: Sandbox, engine: Engine, made: Claim, *, taken: bool) -> None:
    """A first night whose answer is lost, after the server has taken the claim or before."""
    sandbox.misbehave(
        Fault(kind="500_after" if taken else "500", times=2, on=("submit",)), Fault(kind="503", on=("eligibility",))
    )
    night(engine, settings_for(sandbox, attempts=1), [made])
    assert standing(engine) == {State.IN_DOUBT: 1}
    sandbox.misbehave()


def test_only_what_this_run_has_read_is_due(each_audit: Engine, hcode: str):
    # Was: whatever had been read in any run, up to 30 days old.
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        send_due(ledger, State.HELD)
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.queue.count_due(DUE, KINDS, DAY, DAY) == 1
        assert ledger.queue.due(DUE, KINDS, DAY, DAY, 10, read=True) == []
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        # Whatever its day: what was read again is outside of the run's own days.
        assert len(ledger.queue.due(DUE, KINDS, NEXT_DAY, NEXT_DAY, 10, read=True)) == 1


def test_a_claim_of_a_workbook_keeps_its_word(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)], origin="workbook")
    with ledger_of(each_audit, hcode) as ledger:
        assert len(ledger.queue.due(DUE, KINDS, DAY, DAY, 10, read=True)) == 1
        assert ledger.queue.due(DUE, KINDS, NEXT_DAY, NEXT_DAY, 10, read=True) == []


@pytest.mark.parametrize("state", [State.READY, State.HELD, State.RETRY, State.CORRECTABLE])
def test_of_some_visits_that_were_read_only_those_are_withdrawn(each_audit: Engine, hcode: str, state: State):
    first, second = make_claim(1, hcode=hcode), make_claim(2, hcode=hcode)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [first, second])
        if state is not State.READY:
            send_due(ledger, state)
        assert ledger.intake.register(DAY, KINDS, [], visits=[first.vn])["withdrawn"] == 1
    assert {row.vn: row.state for row in rows(each_audit, claim, hcode=hcode)} == {
        first.vn: State.WITHDRAWN,
        second.vn: state,
    }


def test_the_visits_of_waiting_claims_of_the_his_are_named_by_day(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        given = [make_claim(1, hcode=hcode), make_claim(2, hcode=hcode, day=NEXT_DAY)]
        for made in given:
            ledger.intake.register(made.service_date, KINDS, [made])
        ledger.intake.register(DAY, KINDS, [make_claim(3, hcode=hcode)], origin="workbook")
    with holding(each_audit, hcode=hcode) as run:
        named = visits_of_claims(each_audit, run, SENDABLE, KINDS, DAY)
        assert named == {DAY: {given[0].vn}, NEXT_DAY: {given[1].vn}}
        assert visits_of_claims(each_audit, run, SENDABLE, KINDS, NEXT_DAY) == {NEXT_DAY: {given[1].vn}}
        assert visits_of_claims(each_audit, run, [State.HELD], KINDS, DAY) == {}


@pytest.mark.parametrize("now_given", ["another result", "another person", "another day"])
@pytest.mark.parametrize("taken", [True, False])
def test_in_doubt_and_otherwise_at_the_source_is_only_asked_about(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, now_given: str, taken: bool
):
    # Was: the bytes of before went again where the check showed nothing taken.
    before = make_claim(vn="1")
    in_doubt(sandbox, audit, before, taken=taken)
    changes = {
        "another result": make_claim(vn="1", occupa="ค้าขาย"),
        "another person": make_claim(vn="1", person=2),
        "another day": make_claim(vn="1", day=NEXT_DAY),
    }
    after = changes[now_given]
    night(audit, api, [after], days=(DAY, NEXT_DAY))
    row = only(audit, "10953")
    assert row.state == State.ACCEPTED
    assert row.payload_hash == (before if taken else after).payload_hash
    assert [a["seq"] for a in sandbox.accepted()] == ["1"]
    assert verify(audit, "sandbox").mismatch is None


@pytest.mark.parametrize("taken", [True, False])
def test_in_doubt_and_gone_is_only_asked_about_and_withdrawn_if_it_was_not_taken(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, taken: bool
):
    # Was: sent once more for a visit that the hospital has deleted.
    in_doubt(sandbox, audit, make_claim(), taken=taken)
    received = sandbox.stats()["received"]
    assert night(audit, api, []) == {State.ACCEPTED if taken else State.WITHDRAWN: 1}
    assert standing(audit) == {State.ACCEPTED if taken else State.WITHDRAWN: 1}
    assert sandbox.stats()["received"] == received
    assert verify(audit, "sandbox").mismatch is None


def test_no_clear_answer_leaves_it_to_a_person_and_nothing_goes(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    in_doubt(sandbox, audit, make_claim(), taken=False)
    sandbox.misbehave(Fault(kind="500", on=("eligibility",)))
    assert night(audit, api, []) == {State.IN_DOUBT: 1}
    assert "source says otherwise" in only(audit, "10953").meaning_en
    unasked = settings_for(sandbox, ask_eligibility=False)
    assert night(audit, unasked, []) == {State.IN_DOUBT: 1}
    with holding(audit) as run:
        row = only(audit, "10953")
        Ledger(audit, run).writer.settle([row.id], State.READY, transaction_uid=None, note="not there")
    sandbox.misbehave()
    night(audit, api, [make_claim()])
    assert standing(audit) == {State.ACCEPTED: 1}
    assert sandbox.stats()["accepted"] == 1


def test_a_refused_claim_that_may_have_been_taken_goes_for_the_right_person_once_it_is_known(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    # Was: never, and the listing said "by itself".
    wrong, right = make_claim(vn="1"), make_claim(vn="1", person=2)
    with ledger_of(audit, "10953") as ledger:
        ledger.intake.register(DAY, KINDS, [wrong])
        send_due(ledger, State.CORRECTABLE, possibly_accepted=True)
    night(audit, api, [right])
    assert only(audit, "10953").payload_hash == right.payload_hash
    assert standing(audit) == {State.ACCEPTED: 1}
    assert calls(audit)[0] == "eligibility"


@pytest.mark.parametrize("another", [{"person": 2}, {"day": NEXT_DAY}], ids=["person", "day"])
def test_what_was_refused_for_good_of_another_person_or_day_was_never_this_claim(
    each_audit: Engine, hcode: str, another: dict[str, object]
):
    # Was: the visit's number was closed for ever.
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(vn="1", hcode=hcode)])
        send_due(ledger, State.FINAL)
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, [make_claim(vn="1", hcode=hcode, occupa="ค้าขาย")]) == {"settled": 1}
        now_given = make_claim(vn="1", hcode=hcode, **another)  # type: ignore[arg-type]
        assert ledger.intake.register(now_given.service_date, KINDS, [now_given]) == {"changed": 1}
        assert only(each_audit, hcode).state == State.READY
        assert len(ledger.queue.due(DUE, KINDS, DAY, NEXT_DAY, 10, read=True)) == 1


def test_an_amount_follows_the_rates_while_the_claim_waits_and_once_it_becomes_known(each_audit: Engine, hcode: str):
    # Was: the amount stayed as long as the payload did.
    made = make_claim(hcode=hcode)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [replace(made, baht=0)])
        ledger.intake.register(DAY, KINDS, [made])
        assert only(each_audit, hcode).baht == 150
        ledger.intake.register(DAY, KINDS, [replace(made, baht=0)])
        send_due(ledger, State.ACCEPTED, "U1")
        ledger.intake.register(DAY, KINDS, [made])
        assert only(each_audit, hcode).baht == 150
        ledger.intake.register(DAY, KINDS, [replace(made, baht=99)])
        assert only(each_audit, hcode).baht == 150  # what was accepted stays as it was known


def test_a_held_claim_is_given_up_only_after_it_was_sent_once_more(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    # Was: given up on the day on which its code came, before it was sent.
    sandbox.change(no_closing_code_visits=[make_claim().vn])
    night(audit, api, [make_claim()])
    assert standing(audit) == {State.HELD: 1}
    with holding(audit) as run:
        assert Ledger(audit, run).writer.give_up(NEXT_DAY) == 0
    sandbox.change(no_closing_code_visits=[])
    night(audit, api, [make_claim()])
    assert standing(audit) == {State.ACCEPTED: 1}


def test_a_held_claim_makes_way_for_another(each_audit: Engine, hcode: str):
    held = make_claim(1, hcode=hcode)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [held])
        send_due(ledger, State.HELD)
        assert list(ledger.queue.history([held.pid], ["dm"])["yields"]) == [True]
        ledger.intake.set_aside([held.key])
        assert only(each_audit, hcode).state == State.WITHDRAWN


def test_a_held_claim_that_may_have_been_taken_makes_way_for_none(each_audit: Engine, hcode: str):
    held = make_claim(1, hcode=hcode)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [held])
        send_due(ledger, State.HELD, possibly_accepted=True)
        assert list(ledger.queue.history([held.pid], ["dm"])["yields"]) == [False]
        ledger.intake.set_aside([held.key])
        assert only(each_audit, hcode).state == State.HELD


def test_what_is_in_the_way_of_a_record_is_looked_up_once_and_not_for_every_record(audit: Engine):
    # Was: all claims of the kind for each of the issues; 50,000 claims and 20,000 issues took minutes.
    statements: list[tuple[str, tuple[object, ...]]] = []

    @event.listens_for(audit, "before_cursor_execute")
    def _(_connection: object, _cursor: object, statement: str, parameters: tuple[object, ...], *_more: object) -> None:
        statements.append((statement, parameters))

    with holding(audit) as run:
        ledger = Ledger(audit, run)
        ledger.intake.register(DAY, KINDS, [make_claim(1), make_claim(2)])
        due = ledger.queue.due(DUE, KINDS, DAY, DAY, 10)[1]
        ledger.writer.write(Batch(intents=[due]))
        accepted = SubmissionResult(due.id, State.ACCEPTED, meanings()[0], "success", "uid-1", False)
        ledger.writer.write(Batch(results=[accepted]))
        # The third is of a patient without a claim: the one that is in the way is under the person's other number.
        hns = {"69-later": "000000001", "69-decided": "000000002", "69-two-numbers": "000000003"}
        note(ledger, NEXT_DAY, KINDS, [make_issue(vn, rule="dm.interval", hn=hn) for vn, hn in hns.items()])
        statements.clear()
        found = visits_of_issues(audit, run, KINDS, DAY, rules=[], history_rules=["dm.interval"], most=10)
        [(query, given)] = [some for some in statements if "FROM issue" in some[0]]
    # Was: not the third, whose record was never looked at again.
    assert found == {NEXT_DAY: {"69-later", "69-two-numbers"}}
    with audit.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"explain query plan {query}", given)]
    assert [step for step in plan if "CORRELATED" in step] == []

"""The intake on the three databases: what each registration does to a claim."""

from datetime import UTC, date, timedelta

import pytest
from ledger_steps import due, ledger_of, only, send_due
from load_night import DAY, make_claim, rows, values
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError, OperationalError

from core.clock import now
from load.states import DUE, FAILED, State
from load.tables import claim
from transform.claim import KINDS

NEXT_DAY = DAY + timedelta(days=1)


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
        send_due(ledger, state, "uid-1")
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
        send_due(ledger, State.CORRECTABLE)
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
        send_due(ledger, State.CORRECTABLE)
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
        send_due(ledger, state)
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
        send_due(ledger, state, possibly_accepted=True)
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
        assert sorted(ledger.intake.plan(DAY, KINDS, now_given).verdicts) == ["changed", "new", "unchanged"]
    assert rows(each_audit, claim, hcode=hcode) == before


def test_many_claims_are_registered_at_once(each_audit: Engine, hcode: str):
    claims = [make_claim(n, hcode=hcode) for n in range(1, 1202)]
    with ledger_of(each_audit, hcode) as ledger:
        assert ledger.intake.register(DAY, KINDS, claims) == {"new": 1201}
        assert ledger.intake.register(DAY, KINDS, claims[:1]) == {"unchanged": 1, "withdrawn": 1200}

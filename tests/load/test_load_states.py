"""The state machine: what it knows, and that the three databases hold to exactly that."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from load_night import DAY, holding, make_claim, make_claims, night, rows, values
from sqlalchemy import Connection, Engine, Executable, delete, insert, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from load.database import open_audit
from load.display_names import CAUSE_NAMES
from load.ledger import Ledger
from load.settings import ApiSettings
from load.states import (
    CLOSED_STATES,
    DUE,
    MACHINE,
    Cause,
    IllegalTransition,
    State,
    check_transition,
    transitions,
)
from load.tables import claim, claim_history, run, submission, workbook_row
from load.workbook_rows import WorkbookRow, record_rows
from sandbox.process import Sandbox
from transform.claim import KINDS

PAIRS = {(before, after) for before, after, _ in transitions()}


# The machine itself.


@pytest.mark.parametrize("cause", Cause)
def test_what_is_not_in_the_machine_is_refused(cause: Cause):
    known = {(before, after) for before, after, its in transitions() if its is cause}
    assert known
    for before, after in product([None, *State], State):
        if before == after or (before, after) in known:
            check_transition(cause, before, after)
        else:
            with pytest.raises(IllegalTransition, match=f"{before or 'nothing'} -> {after}"):
                check_transition(cause, before, after)


def test_every_state_can_be_reached_and_every_cause_is_put_in_words():
    reached: set[State | None] = {None}
    while more := {after for before, after in PAIRS if before in reached} - reached:
        reached |= more
    assert reached == {None, *State}
    assert set(CAUSE_NAMES) == set(Cause)
    assert all(some.before and some.after for some in MACHINE)


def test_what_is_settled_is_never_sent_again_unless_a_person_says_so():
    left = {
        (before, cause)
        for before, after, cause in transitions()
        if before in CLOSED_STATES and after is not State.ACCEPTED
    }
    # And one refused for good whose source gives another person or day: that was never sent.
    by_person = {(State.PRESUMED_ACCEPTED, Cause.PERSON), (State.FINAL, Cause.PERSON)}
    assert left == {*by_person, (State.FINAL, Cause.CHANGED)}
    assert {before for before, after, _ in transitions() if after is State.SENDING} >= set(DUE)


# The database. What is tried there is taken back, so the three are shared.


@pytest.fixture
def connection(each_audit: Engine) -> Iterator[Connection]:
    with each_audit.connect() as connection:
        yield connection


def refused(connection: Connection, statement: Executable) -> bool:
    """Whether the database refuses a statement; what it does is taken back."""
    attempt = connection.begin_nested()
    try:
        connection.execute(statement)
    except DBAPIError:
        return True
    finally:
        attempt.rollback()
    return False


@pytest.fixture
def template(each_audit: Engine, hcode: str) -> dict[str, Any]:
    """A claim's row, to be inserted in other states and under other keys."""
    with holding(each_audit, hcode=hcode) as held:
        Ledger(each_audit, held).intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
    (row,) = rows(each_audit, claim, hcode=hcode)
    return {name: value for name, value in values(claim, row).items() if name != "id"} | {"run_id": held.id}


def test_the_database_takes_the_machines_pairs_and_no_others(connection: Connection, template: dict[str, Any]):
    for before in State:
        connection.execute(insert(claim).values(**template | {"vn": before, "state": before}))
    taken = {
        (before, after)
        for before, after in product(State, State)
        if not refused(connection, update(claim).where(claim.c.vn == before).values(state=after))
    }
    assert taken == {(before, after) for before, after in PAIRS if before} | {(state, state) for state in State}


def test_the_database_knows_no_other_states(connection: Connection, template: dict[str, Any]):
    assert refused(connection, insert(claim).values(**template | {"vn": "another", "state": "paid"}))
    assert not refused(connection, insert(claim).values(**template | {"vn": "another"}))


def test_a_second_claim_of_the_same_key_is_refused(connection: Connection, template: dict[str, Any]):
    with pytest.raises(IntegrityError):
        connection.execute(insert(claim).values(**template))
    connection.rollback()
    for another in ({"environment": "uat"}, {"hcode": "99999"}, {"kind": "ht"}, {"vn": "x"}, {"item": "106"}):
        assert not refused(connection, insert(claim).values(**template | another))


def test_sending_without_a_run_is_refused(connection: Connection, template: dict[str, Any]):
    mine = update(claim).where(claim.c.hcode == template["hcode"])
    assert refused(connection, insert(claim).values(**template | {"vn": "x", "state": State.SENDING, "run_id": None}))
    assert refused(connection, mine.values(state=State.SENDING, run_id=None))
    assert not refused(connection, mine.values(state=State.SENDING, run_id=template["run_id"]))


def test_exchanges_history_and_workbooks_are_never_changed_and_no_claim_is_deleted(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    engine = open_audit(new_database())
    night(engine, api, [make_claim()])
    with holding(engine) as held:
        record_rows(engine, held, "f" * 64, "มีนาคม.xlsx", [WorkbookRow("dmht", 5, "dm", "1", "", make_claim().key)])
    before = [rows(engine, table) for table in (claim, submission, claim_history, workbook_row)]
    assert all(before)
    forbidden: list[Executable] = [delete(claim), delete(claim).where(claim.c.vn == make_claim().vn)]
    for table in (submission, claim_history, workbook_row):
        forbidden += [delete(table), delete(table).where(table.c.id == 1), update(table).values(id=table.c.id + 1)]
    forbidden += [
        update(submission).values(response="{}"),
        update(submission).where(submission.c.id == 1).values(outcome="final"),
        update(claim_history).values(after=State.FINAL),
        update(workbook_row).values(claim_id=None),
    ]
    names = ("submission", "claim_history", "workbook_row", "claim")
    if engine.dialect.name != "postgresql":
        forbidden += [text(f"replace into {name} select * from {name} where id = 1") for name in names]
    else:
        forbidden += [text(f"truncate {name} cascade") for name in (*names, "run")]
    with engine.connect() as connection:
        assert [str(statement) for statement in forbidden if not refused(connection, statement)] == []
    assert [rows(engine, table) for table in (claim, submission, claim_history, workbook_row)] == before
    engine.dispose()


def test_every_change_of_state_leaves_one_row_with_its_run_and_cause(
    new_database: Callable[[], str], sandbox: Sandbox, api: ApiSettings
):
    engine = open_audit(new_database())
    made = make_claim()
    sandbox.change(no_closing_code_visits=[made.vn])
    night(engine, api, [made])
    night(engine, api, [])
    sandbox.change(no_closing_code_visits=[])
    night(engine, api, [made])
    night(engine, api, [made])  # changes nothing
    first, second, third, _ = (row.id for row in sorted(rows(engine, run), key=lambda row: row.started_at))
    assert [(row.before, row.after, row.cause, row.run_id) for row in rows(engine, claim_history)] == [
        (None, State.READY, Cause.FOUND, first),
        (State.READY, State.SENDING, Cause.INTENT, first),
        (State.SENDING, State.HELD, Cause.ANSWERED, first),
        (State.HELD, State.SENDING, Cause.INTENT, second),
        (State.SENDING, State.HELD, Cause.ANSWERED, second),
        (State.HELD, State.SENDING, Cause.INTENT, third),
        (State.SENDING, State.ACCEPTED, Cause.ANSWERED, third),
    ]
    (row,) = rows(engine, claim)
    last = rows(engine, claim_history)[-1]
    assert (last.at, last.payload_hash, last.message) == (row.updated_at, made.payload_hash, row.message)
    engine.dispose()


def test_what_a_person_says_stands_in_the_history_with_the_note(each_audit: Engine, hcode: str):
    claims = make_claims(2, hcode=hcode)
    with holding(each_audit, hcode=hcode) as held:
        ledger = Ledger(each_audit, held)
        ledger.intake.register(DAY, KINDS, claims)
    ids = [row.id for row in rows(each_audit, claim, hcode=hcode)]
    with each_audit.begin() as connection:
        stand = update(claim).where(claim.c.id.in_(ids))
        connection.execute(stand.values(state=State.SENDING, run_id=held.id))
        connection.execute(stand.values(state=State.PRESUMED_ACCEPTED))
    with holding(each_audit, hcode=hcode) as person:
        settled = Ledger(each_audit, person).writer.settle(
            ids[:1], State.ACCEPTED, transaction_uid="uid-1", note="ดูในเว็บแล้ว"
        )
        assert settled == 1
        with pytest.raises(IllegalTransition):
            Ledger(each_audit, person).writer.settle(ids, State.FINAL, transaction_uid=None, note="both")
    one, other = rows(each_audit, claim, hcode=hcode)
    assert (one.state, one.transaction_uid, other.state) == (State.ACCEPTED, "uid-1", State.PRESUMED_ACCEPTED)
    last = rows(each_audit, claim_history, claim_id=ids[0])[-1]
    told = (last.before, last.after, last.cause, last.run_id, last.message)
    assert told == (State.PRESUMED_ACCEPTED, State.ACCEPTED, Cause.PERSON, person.id, "ดูในเว็บแล้ว")


@pytest.mark.parametrize(("state", "uid"), [(State.ACCEPTED, "uid-1"), (State.READY, None)])
def test_a_person_corrects_a_claim_that_stands_as_refused_for_good(
    audit: Engine, sandbox: Sandbox, api: ApiSettings, state: State, uid: str | None
):
    night(audit, api, [make_claim(1, person=7)])
    second = make_claim(2, person=7)
    assert night(audit, api, [make_claim(1, person=7), second]) == {State.FINAL: 1}
    (refused,) = rows(audit, claim, state=State.FINAL)
    with holding(audit) as person:
        Ledger(audit, person).writer.settle([refused.id], state, transaction_uid=uid, note="seen on the pages")
    (corrected,) = rows(audit, claim, id=refused.id)
    assert (corrected.state, corrected.transaction_uid, corrected.maybe_taken) == (state, uid, False)
    last = rows(audit, claim_history, claim_id=refused.id)[-1]
    assert (last.before, last.after, last.cause) == (State.FINAL, state, Cause.PERSON)
    assert last.message == "seen on the pages"

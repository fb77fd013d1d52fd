"""Personal data that is too old is taken out of the audit, and what is left proves itself."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databases import SQLITE_FIRST
from load_night import DAY, make_claim, make_claims, night, rows, settings_for
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import SQLAlchemyError
from whole_audit import erase_all, fill, held_by, without_triggers

from load import mismatch as says
from load.accesses import accesses, record_access
from load.database import open_audit
from load.erasure import compact, count_erasable, erase
from load.ledger import Ledger
from load.states import OPEN_STATES, State
from load.tables import claim, claim_history, former_payload, metadata, submission, workbook_row
from load.verify import verify
from sandbox.process import Sandbox
from transform.claim import KINDS

PEOPLE = [make_claim(number) for number in (1, 2, 4)]
PERSONAL = ("สมชาย", "no name", *(c.pid for c in PEOPLE))


@pytest.fixture(params=SQLITE_FIRST)
def old(
    request: pytest.FixtureRequest,
    database_on: Callable[[str], str],
    sandbox: Sandbox,
    whole_file: Path,
    tmp_path: Path,
) -> Iterator[Engine]:
    """An audit whose every row may be too old."""
    sqlite = request.param == "sqlite"
    engine = open_audit(f"sqlite:///{shutil.copy(whole_file, tmp_path)}" if sqlite else database_on(request.param))
    if not sqlite:
        fill(engine, sandbox)
    yield engine
    engine.dispose()


def everything(engine: Engine) -> str:
    return repr([row for table in metadata.sorted_tables for row in rows(engine, table)])


def test_what_is_erased_is_gone_and_what_is_left_proves_itself(old: Engine, sandbox: Sandbox):
    before = everything(old)
    assert all(word in before for word in PERSONAL)
    hashes = [(row.id, row.hash) for row in rows(old, submission)]
    stood = [(row.id, row.vn, row.state, row.baht, row.payload_hash, row.transaction_uid) for row in rows(old, claim)]
    erasing = erase_all(old)
    left = everything(old)
    assert [word for word in PERSONAL if word in left] == []
    assert [(row.id, row.hash) for row in rows(old, submission)] == hashes
    assert [
        (row.id, row.vn, row.state, row.baht, row.payload_hash, row.transaction_uid) for row in rows(old, claim)
    ] == stood
    assert {row.erased_by for row in rows(old, claim) if row.state not in OPEN_STATES} == {erasing.id}
    assert {(row.hn, row.pid) for row in rows(old, claim) if row.erased_by} == {("", "")}
    assert verify(old, "sandbox").mismatch is None
    (still_open,) = rows(old, claim, state=State.HELD)
    assert (still_open.erased_by, still_open.pid) == (None, make_claim(3).pid)
    night(old, settings_for(sandbox), [*make_claims(3), make_claim(4)])  # the HIS gives all of it again
    assert {row.state for row in rows(old, claim)} <= {State.ACCEPTED, State.HELD}
    assert [word for word in PERSONAL if word in everything(old)] == []
    assert verify(old, "sandbox").mismatch is None


def test_no_byte_of_it_is_left_in_the_file(whole_file: Path, tmp_path: Path):
    file = Path(shutil.copy(whole_file, tmp_path))
    engine = open_audit(f"sqlite:///{file}")
    assert all(word.encode() in file.read_bytes() for word in PERSONAL)
    erase_all(engine)
    compact(engine)
    for each in tmp_path.iterdir():  # the database, and its log
        assert [word for word in PERSONAL if word.encode() in each.read_bytes()] == []
    engine.dispose()


def test_only_what_is_older_than_the_day_is_erased(whole_file: Path, tmp_path: Path):
    audit = open_audit(f"sqlite:///{shutil.copy(whole_file, tmp_path)}")
    assert count_erasable(audit, "sandbox", "10953", DAY) == 0
    with held_by(audit, "erase") as run:
        assert erase(audit, run, DAY) == {}  # services of the day itself, and all was changed since
    assert {row.erased_by for row in rows(audit, claim)} == {None}
    audit.dispose()


def test_an_erased_claim_is_never_sent_again_by_anything(audit: Engine, sandbox: Sandbox):
    night(audit, settings_for(sandbox), make_claims(2), concurrency=1)
    with held_by(audit, "test") as run:
        Ledger(audit, run).intake.register(DAY, KINDS, [make_claim(n) for n in (1, 2, 3)])
    night(audit, settings_for(sandbox), make_claims(2))  # without the third: withdrawn
    erase_all(audit)
    assert len([row for row in rows(audit, claim) if row.erased_by]) == 3
    with pytest.raises(SQLAlchemyError), audit.begin() as connection:
        connection.execute(update(claim).where(claim.c.vn == make_claim(3).vn).values(state=State.READY))
    with held_by(audit, "test") as run:
        counts = Ledger(audit, run).intake.register(DAY, KINDS, make_claims(3))
    assert counts == {"settled": 3}


@pytest.mark.parametrize(
    "values", [{"response": None}, {"response": "{}", "erased_by": "x"}, {"outcome": "final", "erased_by": "x"}]
)
def test_the_database_lets_through_nothing_but_an_erasure(old: Engine, values: dict[str, str | None]):
    with pytest.raises(SQLAlchemyError), old.begin() as connection:
        connection.execute(update(submission).values(**values))
    for table in (claim_history, workbook_row, former_payload):
        with pytest.raises(SQLAlchemyError), old.begin() as connection:
            connection.execute(update(table).values(erased_by="x"))


def test_a_body_emptied_in_the_name_of_an_erasure_that_did_not_do_it_is_found(old: Engine):
    with held_by(old, "erase") as run:
        pass
    gone = {"request": None, "response": None, "message": None}
    with old.begin() as connection:  # the triggers let it through
        connection.execute(update(submission).where(submission.c.id == 1).values(**gone, erased_by=run.id))
    mismatch = verify(old, "sandbox").mismatch
    assert mismatch is not None
    assert mismatch.what == says.NOT_ERASED


def test_accesses_are_a_chain_that_the_next_seal_covers(audit: Engine):
    for number in range(3):
        record_access(audit, "sandbox", "audit show --payload", f"69{number}")
    said = [(row.subject, row.action, bool(row.who)) for row in accesses(audit, "sandbox", 2)]
    assert said == [("692", "audit show --payload", True), ("691", "audit show --payload", True)]
    with held_by(audit, "test"):
        pass
    assert verify(audit, "sandbox").mismatch is None
    with without_triggers(audit) as connection:
        connection.execute(text("delete from access where number = 3"))
    mismatch = verify(audit, "sandbox").mismatch
    assert mismatch is not None
    assert mismatch.what == says.ACCESS.fill(number=3)

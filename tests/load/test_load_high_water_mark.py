"""The mark outside the audit: an audit that has gone back in time, or is another's, is noticed before anything is sent."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from databases import SQLITE_FIRST
from load_night import holding, make_claim, make_claims, night, rows, standing
from sqlalchemy import Engine, update

from core.clock import now
from load.audit_ends import first_missing_end
from load.database import open_audit
from load.errors import AuditError, AuditGoneBack
from load.gaps import FLOW, Gap
from load.high_water_mark import MarkFile, MarkKeeper, marks_of
from load.ledger_writer import LedgerWriter
from load.runs import Run, start_run
from load.settings import ApiSettings, AuditSettings
from load.states import State
from load.tables import claim, run, seal, submission
from sandbox.process import Sandbox

HCODE = "10953"


@contextmanager
def marked(engine: Engine, folder: Path) -> Iterator[Run]:
    """A run as `flows` opens it: checked and marked before it does anything, and marked again when it has ended."""
    with holding(engine) as held:
        mark = MarkKeeper(engine, held, folder)
        mark.begin()
        yield held
        mark.advance()
    mark.end()


def accept(engine: Engine) -> int:
    """What a person does with `audit accept-restored`; returns how many claims count as possibly accepted."""
    gap = Gap(None, now())
    of_run = {"environment": "sandbox", "hcode": HCODE}
    with start_run(engine, AuditSettings(), **of_run, flow=FLOW, parameters=gap.recorded()) as held:
        return LedgerWriter(engine, held).presume_sent(gap.until.date())


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "audit-marks"


@pytest.fixture(params=SQLITE_FIRST)
def new_audit(
    request: pytest.FixtureRequest, database_on: Callable[[str], str], empty_audit: Path, tmp_path: Path
) -> Iterator[Callable[[], Engine]]:
    """New audits, as many as are asked for."""
    engines: list[Engine] = []

    def new() -> Engine:
        if request.param == "sqlite":
            url = f"sqlite:///{shutil.copy(empty_audit, tmp_path / f'{len(engines)}.sqlite')}"
        else:
            url = database_on(request.param)
        engines.append(open_audit(url))
        return engines[-1]

    yield new
    for engine in engines:
        engine.dispose()


def refusal(engine: Engine, folder: Path) -> str:
    """What a run is told that may not send."""
    with pytest.raises(AuditGoneBack) as refused, marked(engine, folder):
        pytest.fail("the run went on")
    return refused.value.message.en


# What is noticed.


def test_the_first_runs_of_an_audit_need_no_mark_and_later_ones_fit_it(new_audit: Callable[[], Engine], marks: Path):
    engine = new_audit()
    with holding(engine):  # of a version that kept none
        pass
    for _ in range(2):
        with marked(engine, marks) as held:
            pass
    (file,) = marks.iterdir()
    mark = MarkFile(marks, "sandbox", HCODE).read()
    assert file.name == "sandbox-10953.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert marks.stat().st_mode & 0o777 == 0o700
    assert mark
    assert (mark.run_id, mark.seals) == (held.id, 3)
    with engine.connect() as connection:
        assert first_missing_end(connection, [mark, *marks_of(connection)]) is None


def test_an_audit_without_the_last_run_sends_nothing(new_audit: Callable[[], Engine], marks: Path):
    with marked(new_audit(), marks) as held:
        pass
    another = new_audit()
    for _ in range(2):  # the run that was refused is in it now, and makes it no better
        told = refusal(another, marks)
        assert f"the last known run {held.id}, of {now():%Y-%m-%d}" in told
        assert "moph-claim audit accept-restored" in told
    assert [r.state for r in rows(another, run)] == ["failed", "failed"]


def test_an_audit_that_lost_exchanges_or_seals_or_has_others_sends_nothing(
    audit: Engine, marks: Path, sandbox: Sandbox, api: ApiSettings
):
    night(audit, api, make_claims(3))
    with holding(audit) as held:
        keeper = MarkKeeper(audit, held, marks)
    keeper.end()
    mark = MarkFile(marks, "sandbox", HCODE)
    whole = mark.read()
    assert whole
    last = rows(audit, submission)[-1]
    end = {"run_id": last.run_id, "exchanges": last.number, "chain_hash": last.hash}
    for lost, sentence in (
        ({"exchanges": 99}, "is not in it or not whole"),
        ({"chain_hash": "0" * 64}, "has other content"),
        ({"seals": 99}, "is not in it or not whole"),
        ({"seal_hash": "0" * 64}, "has other content"),
        ({"run_id": "none"}, "is not in it or not whole"),
        ({"restored": True}, "was restored from a backup"),
    ):
        mark.write(whole.model_copy(update=end))
        with audit.connect() as connection:
            assert mark.fault_of(connection) is None
            mark.write(whole.model_copy(update=end | lost))
            fault = mark.fault_of(connection)
        assert fault
        assert sentence in fault.en
    assert len(rows(audit, seal)) == 2


def test_a_mark_that_is_behind_is_right_for_other_machines_ran_meanwhile(
    new_audit: Callable[[], Engine], tmp_path: Path
):
    engine = new_audit()
    for _ in range(2):
        for machine in ("one", "two"):
            if machine == "two" and not (tmp_path / "two").exists():
                shutil.copytree(tmp_path / "one", tmp_path / "two")
            with marked(engine, tmp_path / machine):
                pass


def test_a_marked_audit_without_its_mark_sends_nothing(new_audit: Callable[[], Engine], marks: Path):
    engine = new_audit()
    with marked(engine, marks):
        pass
    (file,) = marks.iterdir()
    file.unlink()
    assert "of which this machine has no mark" in refusal(engine, marks)
    file.write_text("{}")
    assert f"in the file {file}, cannot be read" in refusal(engine, marks)


def test_a_facility_knows_only_its_own_mark(audit: Engine, marks: Path):
    with marked(audit, marks):
        pass
    with holding(audit, hcode="11111") as other:
        MarkKeeper(audit, other, marks).begin()
    assert {file.name for file in marks.iterdir()} == {"sandbox-10953.json", "sandbox-11111.json"}


def test_a_mark_of_another_facility_under_this_ones_name_says_nothing(audit: Engine, marks: Path):
    with marked(audit, marks):
        pass
    (mark,) = marks.iterdir()
    shutil.copy(mark, marks / "sandbox-11111.json")
    with audit.connect() as connection:
        assert MarkFile(marks, "sandbox", HCODE).fault_of(connection) is None
        fault = MarkFile(marks, "sandbox", "11111").fault_of(connection)
    assert fault is not None
    assert "sandbox-11111.json, cannot be read" in fault.en


def test_a_mark_that_cannot_be_written_stops_the_run_before_anything_is_sent(audit: Engine, marks: Path):
    (marks / "sandbox-10953.new").mkdir(parents=True)
    with pytest.raises(AuditError, match="cannot be written"), marked(audit, marks):
        pytest.fail("the run went on")


def test_the_mark_names_nobody(audit: Engine, marks: Path, sandbox: Sandbox, api: ApiSettings):
    night(audit, api, [make_claim()])
    with marked(audit, marks):
        pass
    (file,) = marks.iterdir()
    assert set(json.loads(file.read_text())) == {
        *("environment", "hcode", "at", "run_id", "exchanges", "chain_hash", "seals", "seal_hash", "restored")
    }


# What is accepted.


def test_what_was_sent_in_the_gap_is_found_and_never_refused_for_good(
    new_audit: Callable[[], Engine], sandbox: Sandbox, api: ApiSettings
):
    """Of the lost night nothing is known: neither claims that were new in it, nor what became of earlier ones."""
    restored = new_audit()
    made = make_claims(20)
    held = made[2]
    sandbox.change(no_closing_code_visits=[held.vn])
    night(restored, api, [made[0], make_claim(2, fname=""), held])
    assert standing(restored) == {State.ACCEPTED: 1, State.CORRECTABLE: 1, State.HELD: 1}
    sandbox.change(no_closing_code_visits=[])
    lost = new_audit()
    night(lost, api, made[1:])
    assert sandbox.stats()["accepted"] == 20

    assert accept(restored) == 2
    night(restored, api, made)
    assert sandbox.stats()["accepted"] == 20
    assert set(standing(restored)) <= {State.ACCEPTED, State.PRESUMED_ACCEPTED}
    assert standing(restored).total() == 20


@pytest.mark.parametrize("ask", [True, False])
def test_without_accepting_the_same_claims_would_be_refused_for_good(
    audit: Engine, empty_audit: Path, tmp_path: Path, sandbox: Sandbox, api: ApiSettings, ask: bool
):
    """The attack, and that accepting helps even where the eligibility check cannot be asked."""
    lost = open_audit(f"sqlite:///{shutil.copy(empty_audit, tmp_path / 'lost.sqlite')}")
    night(lost, api, make_claims(5))
    lost.dispose()
    if ask:
        night(audit, api, make_claims(5))
        assert standing(audit) == {State.FINAL: 5}
    else:
        accept(audit)
        night(audit, api.model_copy(update={"ask_eligibility": False}), make_claims(5))
        assert standing(audit) == {State.PRESUMED_ACCEPTED: 5}


def test_a_service_after_the_gap_is_not_presumed(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    accept(audit)
    gap_of_long_ago = Gap(None, now() - timedelta(days=3650)).recorded()
    with audit.begin() as connection:
        connection.execute(update(run).values(parameters=json.dumps(gap_of_long_ago)))
    night(audit, api, [make_claim()])
    (row,) = rows(audit, claim)
    assert (row.state, row.maybe_taken) == (State.ACCEPTED, False)


def test_a_run_that_failed_accepts_nothing(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    accept(audit)
    with audit.begin() as connection:
        connection.execute(update(run).values(state="failed"))
    sandbox.change(no_closing_code_visits=[make_claim().vn])
    night(audit, api, [make_claim()])
    assert [row.maybe_taken for row in rows(audit, claim)] == [False]


def test_claims_that_are_closed_are_left_as_they_are(audit: Engine, sandbox: Sandbox, api: ApiSettings):
    night(audit, api, make_claims(2))
    assert accept(audit) == 0
    assert [row.maybe_taken for row in rows(audit, claim)] == [False, False]

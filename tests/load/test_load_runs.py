"""A run holds its facility while it lives, on three databases."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from load_night import DAY, holding, let_leases_run_out, rows
from sqlalchemy import Engine, update

from core.clock import now
from core.messages import Message
from load.errors import FacilityBusy, StopRun
from load.queries import last_run
from load.runs import try_writing
from load.tables import facility_lock, run
from load.transactions import transaction


def states(engine: Engine, hcode: str) -> list[str]:
    return [row.state for row in sorted(rows(engine, run, hcode=hcode), key=lambda row: row.started_at)]


def test_a_run_that_ends_well_is_written_down_with_what_it_counted(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode) as held:
        (going,) = rows(each_audit, run, hcode=hcode)
        assert (going.state, going.ended_at) == ("running", None)
        held.counts = {"sent": {"accepted": 3}}
        held.log_ins = 1
    (ended,) = rows(each_audit, run, hcode=hcode)
    assert (ended.state, json.loads(ended.counts), ended.log_ins) == ("completed", {"sent": {"accepted": 3}}, 1)
    assert json.loads(ended.parameters) == {"from": str(DAY)}
    assert ended.started_at <= ended.ended_at
    assert rows(each_audit, facility_lock, hcode=hcode) == []
    told = last_run(each_audit, "sandbox", hcode)
    assert told is not None
    assert (told.id, told.state, told.counts) == (held.id, "completed", held.counts)


def test_a_run_that_stops_is_written_down_with_its_sentence_and_gives_the_facility_back(each_audit: Engine, hcode: str):
    with pytest.raises(StopRun), holding(each_audit, hcode=hcode):
        raise StopRun(Message("หยุด", "stopped"))
    (ended,) = rows(each_audit, run, hcode=hcode)
    assert (ended.state, ended.message_th, ended.message_en) == ("failed", "หยุด", "stopped")
    assert rows(each_audit, facility_lock, hcode=hcode) == []


def test_a_bugs_own_words_do_not_get_into_the_audit(each_audit: Engine, hcode: str):
    with pytest.raises(ValueError, match="สมชาย"), holding(each_audit, hcode=hcode):
        raise ValueError("สมชาย")
    assert "สมชาย" not in str(rows(each_audit, run, hcode=hcode)[0])


def test_a_second_run_of_the_facility_is_refused_when_it_may_not_wait(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode) as first:
        with pytest.raises(FacilityBusy) as busy, holding(each_audit, hcode=hcode):
            raise AssertionError
        assert first.id in busy.value.message.en
        assert hcode in busy.value.message.th
    assert states(each_audit, hcode) == ["completed"]


def test_a_second_run_waits_for_the_first_and_says_so_once(each_audit: Engine, hcode: str):
    told: list[str] = []
    with ThreadPoolExecutor(1) as thread:
        with holding(each_audit, hcode=hcode) as first:

            def second() -> float:
                with holding(each_audit, hcode=hcode, patience=300, on_wait=told.append):
                    return time.monotonic()

            waiting = thread.submit(second)
            while not told:
                time.sleep(0.01)
            time.sleep(0.1)
            ended = time.monotonic()
        assert waiting.result() > ended
    assert told == [first.id]
    assert states(each_audit, hcode) == ["completed", "completed"]


def test_runs_of_two_facilities_or_environments_do_not_wait_for_each_other(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode), holding(each_audit, hcode="8" + hcode[1:]):
        assert rows(each_audit, facility_lock, hcode=hcode)


def test_of_many_runs_that_start_at_once_one_holds_the_facility(each_audit: Engine, hcode: str):
    together = threading.Barrier(6)
    others_refused = threading.Semaphore(0)

    def start(_: int) -> bool:
        together.wait()
        try:
            with holding(each_audit, hcode=hcode):
                return all(others_refused.acquire(timeout=300) for _ in range(5))
        except FacilityBusy:
            others_refused.release()
            return False

    with ThreadPoolExecutor(6) as threads:
        held = list(threads.map(start, range(6)))
    assert sum(held) == 1


def test_a_dead_runs_facility_is_taken_over_only_when_its_lease_is_over(each_audit: Engine, hcode: str):
    abandoned(each_audit, hcode)
    with pytest.raises(FacilityBusy), holding(each_audit, hcode=hcode):
        raise AssertionError
    let_leases_run_out(each_audit)
    with holding(each_audit, hcode=hcode):
        pass
    assert states(each_audit, hcode) == ["failed", "completed"]


def test_the_row_of_a_run_that_died_is_closed_by_the_next(each_audit: Engine, hcode: str):
    abandoned(each_audit, hcode)
    let_leases_run_out(each_audit)
    with holding(each_audit, hcode=hcode) as successor:
        dead = next(row for row in rows(each_audit, run, hcode=hcode) if row.id != successor.id)
        assert (dead.state, dead.message_en) == ("failed", "This run ended without a word.")
        assert dead.ended_at is not None


def abandoned(engine: Engine, hcode: str) -> None:
    """What a run leaves that was killed: its row and its hold."""
    with transaction(engine) as connection:
        key = {"environment": "sandbox", "hcode": hcode}
        of_run = {"flow": "test", "parameters": "{}", "state": "running", "started_at": now() - timedelta(60)}
        connection.execute(run.insert().values(id=f"dead-{hcode}", **key, **of_run))
        until = now() + timedelta(minutes=5)
        connection.execute(facility_lock.insert().values(run_id=f"dead-{hcode}", expires_at=until, **key))


def test_a_living_run_renews_its_hold_by_itself(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode, lease=3):
        (first,) = rows(each_audit, facility_lock, hcode=hcode)
        while now() <= first.expires_at:
            time.sleep(0.1)
        (later,) = rows(each_audit, facility_lock, hcode=hcode)
        assert later.expires_at > first.expires_at
        with pytest.raises(FacilityBusy), holding(each_audit, hcode=hcode):
            raise AssertionError


def test_the_fence_lets_the_holder_pass_and_renews_its_hold(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode) as held:
        (before,) = rows(each_audit, facility_lock, hcode=hcode)
        with transaction(each_audit) as connection:
            held.fence(connection)
        assert rows(each_audit, facility_lock, hcode=hcode)[0].expires_at > before.expires_at


@pytest.mark.parametrize("lost", [{"run_id": "another"}, {"expires_at": now() - timedelta(seconds=1)}])
def test_the_fence_stops_a_run_that_lost_its_hold(each_audit: Engine, hcode: str, lost: dict[str, object]):
    with pytest.raises(StopRun, match="lost its facility"), holding(each_audit, hcode=hcode) as held:
        with each_audit.begin() as connection:
            connection.execute(update(facility_lock).where(facility_lock.c.hcode == hcode).values(**lost))
        with transaction(each_audit) as connection:
            held.fence(connection)
    assert states(each_audit, hcode) == ["failed"]


def test_a_run_that_lost_its_hold_does_not_give_away_anothers(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode), each_audit.begin() as connection:
        connection.execute(update(facility_lock).where(facility_lock.c.hcode == hcode).values(run_id="another"))
    assert rows(each_audit, facility_lock, hcode=hcode)[0].run_id == "another"


def test_trying_to_write_leaves_nothing_behind(each_audit: Engine):
    try_writing(each_audit, "sandbox")
    try_writing(each_audit, "sandbox")
    assert rows(each_audit, facility_lock, hcode="00000") == []


def test_before_the_first_run_there_is_no_last_one(each_audit: Engine):
    assert last_run(each_audit, "uat") is None

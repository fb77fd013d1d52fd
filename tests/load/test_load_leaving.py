"""A run that is told to stop ends soon, whatever the server does, and nothing of it is lost."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from load_night import DAY, LONG_AGO, holding, make_claims, night, rows, settings_for, standing
from sqlalchemy import Engine

from load import delivery, inquiry
from load.account_center import TokenSource
from load.delivery import Delivery
from load.ledger import Ledger
from load.settings import ApiSettings
from load.states import DUE, State
from load.tables import facility_lock, run, submission
from sandbox.process import Sandbox
from sandbox.world import Fault, FaultKind
from transform.claim import KINDS

CONNECTIONS = 4
LONG_SECONDS = 100.0


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "GRACE_SECONDS", 0.2)


@contextmanager
def under_way(
    engine: Engine, settings: ApiSettings, sandbox: Sandbox, kind: FaultKind, met: int = CONNECTIONS
) -> Iterator[None]:
    """Claims under way that have met so many faults of a kind; whoever sends them may be told to stop now."""
    with holding(engine) as held:
        ledger = Ledger(engine, held)
        ledger.intake.register(DAY, KINDS, make_claims(20))
        with Delivery(settings, ledger, TokenSource(settings, held.hcode), CONNECTIONS) as sending:
            due = ledger.queue.due(DUE, KINDS, DAY, DAY, CONNECTIONS)
            sending.send_chunk(1, due)
            while sandbox.stats()["faults"].get(kind, 0) < met:
                time.sleep(0.01)
            yield


@pytest.mark.parametrize("kind", ["drip_after", "silent_before", "timeout_after"])
def test_a_server_that_does_not_end_its_answers_is_left_and_all_stands_as_in_doubt(
    sandbox: Sandbox, audit: Engine, kind: FaultKind
):
    sandbox.misbehave(Fault(kind=kind, hold_seconds=LONG_SECONDS))
    settings = settings_for(sandbox, read_timeout_seconds=LONG_SECONDS)
    with pytest.raises(KeyboardInterrupt), under_way(audit, settings, sandbox, kind):
        raise KeyboardInterrupt
    assert standing(audit) == {State.IN_DOUBT: CONNECTIONS, State.READY: 20 - CONNECTIONS}
    assert len(rows(audit, submission)) == CONNECTIONS
    ended = rows(audit, run)[0]
    assert (ended.state, ended.exchanges) == ("failed", CONNECTIONS)
    assert "told to stop" in ended.message_en
    assert rows(audit, facility_lock) == []
    sandbox.misbehave()
    night(audit, settings_for(sandbox))
    assert standing(audit) == {State.ACCEPTED: 20}
    assert sandbox.stats()["accepted"] == 20


def test_an_answer_that_comes_soon_enough_is_written_down(
    sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery, "GRACE_SECONDS", LONG_SECONDS)
    sandbox.misbehave(Fault(kind="expire_tokens", times=0))
    sandbox.change(latency_ms=300)
    settings = settings_for(sandbox)
    with pytest.raises(KeyboardInterrupt), under_way(audit, settings, sandbox, "expire_tokens", met=0):
        raise KeyboardInterrupt
    left = standing(audit)
    assert set(left) <= {State.ACCEPTED, State.READY}
    assert left[State.ACCEPTED] == sandbox.stats()["accepted"]


def test_a_second_ctrl_c_ends_the_wait_for_answers(sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delivery, "GRACE_SECONDS", LONG_SECONDS)
    sandbox.misbehave(Fault(kind="silent_before", hold_seconds=LONG_SECONDS))
    join = threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if timeout == LONG_SECONDS:
            raise KeyboardInterrupt
        join(thread, timeout)

    settings = settings_for(sandbox, read_timeout_seconds=LONG_SECONDS)
    with pytest.raises(KeyboardInterrupt), under_way(audit, settings, sandbox, "silent_before"):
        monkeypatch.setattr(threading.Thread, "join", interrupted)
        raise KeyboardInterrupt
    assert standing(audit) == {State.IN_DOUBT: CONNECTIONS, State.READY: 20 - CONNECTIONS}


def test_a_log_in_that_hangs_in_mid_run_is_broken_off(sandbox: Sandbox, audit: Engine):
    """The token has run out; the threads wait for another."""
    sandbox.misbehave(
        Fault(kind="jwt_expire"), Fault(kind="silent_before", on=("token",), skip=1, hold_seconds=LONG_SECONDS)
    )
    settings = settings_for(sandbox, read_timeout_seconds=LONG_SECONDS)
    with pytest.raises(KeyboardInterrupt), under_way(audit, settings, sandbox, "silent_before", met=1):
        raise KeyboardInterrupt
    assert standing(audit) == {State.READY: 20}


def test_a_thread_that_cannot_be_reached_is_left_behind_and_its_claim_in_doubt(
    sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery, "STEP_SECONDS", 0.2)
    monkeypatch.setattr("load.moph_claim_api.MophClaimApi.abort", lambda _: None)
    sandbox.misbehave(Fault(kind="silent_before", hold_seconds=5))
    settings = settings_for(sandbox, read_timeout_seconds=LONG_SECONDS)
    with pytest.raises(KeyboardInterrupt), under_way(audit, settings, sandbox, "silent_before"):
        raise KeyboardInterrupt
    assert standing(audit) == {State.IN_DOUBT: CONNECTIONS, State.READY: 20 - CONNECTIONS}


def test_asking_for_statuses_is_left_as_soon(sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inquiry, "GRACE_SECONDS", 0.2)
    night(audit, settings_for(sandbox), make_claims(4))
    sandbox.misbehave(Fault(kind="drip_after", on=("status",), hold_seconds=LONG_SECONDS))
    settings = settings_for(sandbox, read_timeout_seconds=LONG_SECONDS)
    with pytest.raises(KeyboardInterrupt), holding(audit) as held:
        ledger = Ledger(audit, held)
        asked = ledger.queue.transactions_to_ask(LONG_AGO, [], 0, 4)
        assert len(asked) == 4

        def interrupted(most: int, seconds: float) -> list[object]:
            while sum(sandbox.stats()["faults"].values()) < 4:
                time.sleep(0.01)
            raise KeyboardInterrupt

        with inquiry.Inquiry(settings, ledger, TokenSource(settings, held.hcode), 4) as asking:
            monkeypatch.setattr(
                "load.worker_pool.WorkerPool.gather", lambda _, most, seconds: interrupted(most, seconds)
            )
            asking.ask(asked)
    assert [row.failure for row in rows(audit, submission, call="status")] == ["Aborted"] * 4

"""A fault of the program loses nothing: what came is written down, the claim is in doubt, all others go."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from load_night import LONG_AGO, holding, make_claim, make_claims, night, rows, settings_for, standing
from sqlalchemy import Engine

from core.errors import MophClaimError
from load import claim_submission, moph_claim_api
from load.account_center import TokenSource
from load.inquiry import Inquiry
from load.ledger import Ledger
from load.settings import ApiSettings
from load.states import State
from load.tables import claim, run, submission
from sandbox.process import Sandbox
from sandbox.world import Fault

CLAIMS = 30
FAULTS = [RecursionError, MemoryError, RuntimeError, ZeroDivisionError]


def every(nth: int, real: Callable[..., Any], error: type[BaseException]) -> Callable[..., Any]:
    """A function that raises at every nth call."""
    calls = 0

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % nth == 0:
            raise error("can't start new thread")
        return real(*args, **kwargs)

    return failing


def test_an_answer_nested_thirty_thousand_deep_is_written_down_and_its_claim_in_doubt(
    sandbox: Sandbox, api: ApiSettings, audit: Engine
):
    sandbox.misbehave(Fault(kind="nested_after", times=5))
    night(audit, api, make_claims(CLAIMS))
    assert standing(audit) == {State.ACCEPTED: CLAIMS - 5, State.IN_DOUBT: 5}
    nested = rows(audit, submission, outcome="in_doubt")
    assert [(row.http_status, row.response[:3]) for row in nested] == [(200, "[[[")] * 5
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["received"] == CLAIMS


@pytest.mark.parametrize("error", FAULTS)
def test_whatever_is_raised_while_an_answer_is_understood_it_is_written_down_first(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
):
    with monkeypatch.context() as broken:
        broken.setattr(moph_claim_api, "interpret", every(6, moph_claim_api.interpret, error))
        night(audit, api, make_claims(CLAIMS))
    assert standing(audit) == {State.ACCEPTED: CLAIMS - 5, State.IN_DOUBT: 5}
    assert len(rows(audit, submission, http_status=200, failure=error.__name__)) == 5
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["received"] == CLAIMS


@pytest.mark.parametrize("where", ["_state", "_question"])
def test_a_fault_elsewhere_leaves_its_claim_in_doubt_and_is_told_when_the_others_have_gone(
    sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch, where: str
):
    sandbox.misbehave(Fault(kind="500_after", times=10))
    night(audit, settings_for(sandbox, attempts=1), make_claims(10))
    with monkeypatch.context() as broken, pytest.raises(MophClaimError, match="a fault of its own") as told:
        broken.setattr(claim_submission, where, every(5, getattr(claim_submission, where), ZeroDivisionError))
        night(audit, settings_for(sandbox), make_claims(CLAIMS))
    assert "ZeroDivisionError" in told.value.message.en
    left = standing(audit)
    assert set(left) == {State.ACCEPTED, State.IN_DOUBT}
    assert 0 < left[State.IN_DOUBT] <= 6
    assert told.value.message.en == max(rows(audit, run), key=lambda row: row.started_at).message_en
    night(audit, settings_for(sandbox))
    assert standing(audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == CLAIMS


def test_a_fault_in_the_connection_leaves_the_claim_in_doubt(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    """As where a library needs a thread and there is none: whether a byte has gone out is not known."""
    submit = moph_claim_api.MophClaimApi.submit
    with monkeypatch.context() as broken, pytest.raises(MophClaimError, match="RuntimeError"):
        broken.setattr(moph_claim_api.MophClaimApi, "submit", every(10, submit, RuntimeError))
        night(audit, api, make_claims(CLAIMS))
    assert standing(audit) == {State.ACCEPTED: CLAIMS - 3, State.IN_DOUBT: 3}
    assert all(row.possibly_accepted for row in rows(audit, claim, state=State.IN_DOUBT))


def test_a_probe_that_meets_a_fault_does_not_keep_the_others_waiting(
    sandbox: Sandbox, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    sandbox.misbehave(Fault(kind="503", times=4))
    settings = settings_for(sandbox, breaker_failures=4, breaker_pause_seconds=0.02)
    with monkeypatch.context() as broken, pytest.raises(MophClaimError, match="RuntimeError"):
        broken.setattr(
            moph_claim_api.MophClaimApi, "submit", every(5, moph_claim_api.MophClaimApi.submit, RuntimeError)
        )
        night(audit, settings, make_claims(CLAIMS), concurrency=2)
    assert set(standing(audit)) <= {State.ACCEPTED, State.IN_DOUBT}


def test_an_answer_that_the_audit_refuses_takes_no_other_with_it(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    """A value that no column takes: the run ends, but the answers that came with it are committed."""
    sandbox.change(latency_ms=20)

    def poison(exchange: Any) -> Any:
        return exchange if poisoned not in exchange.request else replace(exchange, http_status=object())

    poisoned = make_claim(7).payload
    submit = moph_claim_api.MophClaimApi.submit
    with monkeypatch.context() as broken, pytest.raises(MophClaimError, match="TypeError"):
        broken.setattr(moph_claim_api.MophClaimApi, "submit", lambda *args: poison(submit(*args)))
        night(audit, api, make_claims(CLAIMS), concurrency=8)
    left = standing(audit)
    assert left[State.SENDING] == 1
    assert left[State.ACCEPTED] == sandbox.stats()["accepted"] - 1
    night(audit, api)
    assert standing(audit) == {State.ACCEPTED: CLAIMS}
    assert sandbox.stats()["accepted"] == sandbox.stats()["accepted_keys"] == CLAIMS


def test_without_a_thread_nothing_is_sent_and_one_sentence_says_so(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    start = threading.Thread.start

    def none(thread: threading.Thread) -> None:
        if thread.name.startswith(("send", "write")):
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as broken, pytest.raises(MophClaimError, match="no thread"):
        broken.setattr(threading.Thread, "start", none)
        night(audit, api, make_claims(3))
    assert standing(audit) == {State.READY: 3}
    night(audit, api)
    assert sandbox.stats()["received"] == 3


def test_a_fault_while_statuses_are_asked_loses_no_answer(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, monkeypatch: pytest.MonkeyPatch
):
    night(audit, api, make_claims(10))
    with holding(audit) as held:
        ledger = Ledger(audit, held)
        asked = ledger.queue.transactions_to_ask(LONG_AGO, [], 0, 10)
        real = Inquiry._consider_stopping
        monkeypatch.setattr(Inquiry, "_consider_stopping", every(10, real, RecursionError))
        with (
            pytest.raises(MophClaimError, match="RecursionError"),
            Inquiry(api, ledger, TokenSource(api, held.hcode), 1) as asking,
        ):
            asking.ask(asked)
    assert len(rows(audit, submission, call="status")) == 10
    assert sum(row.transaction_status == "approved" for row in rows(audit, claim)) == 9

"""What has become of transactions: asked, written down, and no trouble where it cannot be known."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from load_night import DAY, LONG_AGO, holding, make_claims, night, rows, standing
from sqlalchemy import Engine, update

from core.clock import now
from load.account_center import TokenSource
from load.batch import Batch, TransactionStatus
from load.delivery import Delivery
from load.inquiry import UNKNOWN_AT_FIRST, Inquiry, read_status
from load.ledger import Ledger
from load.ledger_writer import LedgerWriter
from load.moph_claim_api import Exchange
from load.outcomes import interpret
from load.queries import affected_days, sent_by, transaction_statuses
from load.queue import DueClaim, Transaction
from load.settings import ApiSettings
from load.states import DUE, State
from load.tables import claim, run, submission
from sandbox.process import Sandbox
from sandbox.world import Fault
from transform.claim import KINDS

CLAIMS = 12


def ask(audit: Engine, api: ApiSettings, *, concurrency: int = 1, hcode: str = "10953") -> Inquiry:
    """A run that asks about every transaction there is."""
    with holding(audit, hcode=hcode) as held:
        ledger, tokens = Ledger(audit, held), TokenSource(api, held.hcode)
        with Inquiry(api, ledger, tokens, concurrency) as inquiry:
            inquiry.ask(ledger.queue.transactions_to_ask(LONG_AGO, [], 0, 1000))
        held.log_ins = tokens.log_ins
    return inquiry


def asked(audit: Engine) -> list[Any]:
    return rows(audit, submission, call="status")


@pytest.fixture
def accepted(audit: Engine, api: ApiSettings) -> Engine:
    """An audit after a night that took all claims."""
    assert night(audit, api, make_claims(CLAIMS)) == {State.ACCEPTED: CLAIMS}
    return audit


def test_every_status_is_written_down_with_its_exchange(accepted: Engine, api: ApiSettings) -> None:
    inquiry = ask(accepted, api, concurrency=4)
    assert (inquiry.asked, inquiry.answered, inquiry.proved, inquiry.trouble) == (CLAIMS, CLAIMS, 0, None)
    claims = rows(accepted, claim)
    assert {(c.transaction_status, c.transaction_status_th) for c in claims} == {("approved", "อนุมัติ")}
    assert all(c.status_asked_at is not None for c in claims)
    exchanges = asked(accepted)
    assert sorted(e.claim_id for e in exchanges) == [c.id for c in claims]
    assert {(e.chunk, e.attempt, e.outcome, e.request) for e in exchanges} == {(0, 1, "accepted", "")}


def test_more_than_a_group_is_committed_whole(audit: Engine, api: ApiSettings) -> None:
    night(audit, api, make_claims(100))
    assert ask(audit, api, concurrency=8).answered == 100
    exchanges = asked(audit)
    assert sorted(e.number for e in exchanges) == list(range(1, 101))
    assert [r.exchanges for r in rows(audit, run, id=exchanges[0].run_id)] == [100]


def test_a_token_that_runs_out_is_replaced_once(accepted: Engine, api: ApiSettings, sandbox: Sandbox) -> None:
    sandbox.misbehave(Fault(kind="jwt_expire", on=("status",), skip=3, times=1))
    inquiry = ask(accepted, api)
    assert (inquiry.answered, inquiry.trouble) == (CLAIMS, None)
    assert [e.attempt for e in asked(accepted) if e.outcome == "accepted"].count(2) == 1
    assert sandbox.stats()["logins"] == 3  # the night's, the asking run's, and one more


@pytest.mark.parametrize("kind", ["503", "reset_before"])
def test_asking_stops_where_the_other_side_is_down(
    accepted: Engine, api: ApiSettings, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.misbehave(Fault(kind=kind, on=("status",), skip=2))
    inquiry = ask(accepted, api.model_copy(update={"breaker_failures": 4}))
    assert (inquiry.asked, inquiry.answered) == (6, 2)
    assert inquiry.trouble is not None
    assert "failed 4 times in a row" in inquiry.trouble.en
    assert standing(accepted) == {State.ACCEPTED: CLAIMS}


def test_single_failures_do_not_stop_it(accepted: Engine, api: ApiSettings, sandbox: Sandbox) -> None:
    sandbox.misbehave(*(Fault(kind="502_html", on=("status",), skip=skip, times=1) for skip in (0, 4, 8)))
    inquiry = ask(accepted, api.model_copy(update={"breaker_failures": 3}))
    assert (inquiry.asked, inquiry.trouble) == (CLAIMS, None)
    assert inquiry.answered == CLAIMS - 3
    assert sum(c.status_asked_at is None for c in rows(accepted, claim)) == 3


def test_a_server_without_the_call_is_asked_once(accepted: Engine, api: ApiSettings, sandbox: Sandbox) -> None:
    sandbox.misbehave(Fault(kind="not_found", on=("status",)))
    inquiry = ask(accepted, api)
    assert (inquiry.asked, inquiry.answered) == (1, 0)
    assert inquiry.trouble is not None
    assert "does not know the status call" in inquiry.trouble.en


def test_transactions_unknown_from_the_first_on_are_the_call_that_is_not_there(
    accepted: Engine, api: ApiSettings, sandbox: Sandbox
) -> None:
    sandbox.reset()
    inquiry = ask(accepted, api)
    assert (inquiry.asked, inquiry.answered) == (UNKNOWN_AT_FIRST, 0)
    assert inquiry.trouble is not None


def test_unknown_ones_after_a_known_one_are_no_reason_to_stop(accepted: Engine, api: ApiSettings) -> None:
    with accepted.begin() as connection:
        connection.execute(update(claim).where(claim.c.id > 1).values(transaction_uid="nobody's"))
    inquiry = ask(accepted, api)
    assert (inquiry.asked, inquiry.answered, inquiry.trouble) == (CLAIMS, 1, None)


@pytest.mark.parametrize("kind", ["permission_denied", "invalid_scope"])
def test_a_refusal_of_the_account_stops_asking_and_no_more(
    accepted: Engine, api: ApiSettings, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.misbehave(Fault(kind=kind, on=("status",)))
    inquiry = ask(accepted, api)
    assert inquiry.asked == 1
    assert inquiry.trouble is not None
    assert "refuses to say" in inquiry.trouble.en


def test_no_token_is_no_more_than_trouble(accepted: Engine, api: ApiSettings, sandbox: Sandbox) -> None:
    sandbox.misbehave(Fault(kind="503", on=("token",)))
    inquiry = ask(accepted, api.model_copy(update={"attempts": 1}))
    assert (inquiry.asked, asked(accepted)) == (0, [])
    assert inquiry.trouble is not None
    assert "The log-in at" in inquiry.trouble.en


def test_what_was_answered_when_it_is_interrupted_is_written_down(
    accepted: Engine, api: ApiSettings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("load.inquiry.GATHER_MOST", 2)
    with holding(accepted) as held:
        ledger, tokens = Ledger(accepted, held), TokenSource(api, held.hcode)
        ledger.writer = writer = InterruptedWriter(accepted, held)
        with pytest.raises(KeyboardInterrupt), Inquiry(api, ledger, tokens, 4) as inquiry:
            inquiry.ask(ledger.queue.transactions_to_ask(LONG_AGO, [], 0, 1000))
    assert len(asked(accepted)) == sandbox.stats()["requests"]["status"]["200 success"] - writer.lost


class InterruptedWriter(LedgerWriter):
    """Ctrl-C comes while it writes for the first time."""

    lost = 0

    def write(self, batch: Batch) -> Sequence[DueClaim]:
        if not self.lost:
            self.lost = len(batch.records)
            raise KeyboardInterrupt
        return super().write(batch)


def test_statuses_are_kept_on_each_database(each_audit: Engine, api: ApiSettings, sandbox: Sandbox, hcode: str) -> None:
    sandbox.change(accounts=(sandbox.world.accounts[0].model_copy(update={"hospital_code": hcode}),))
    sandbox.change(transaction_status="p" * 100, transaction_status_th="จ่าย\x00แล้ว" + "ว" * 300)
    with holding(each_audit, hcode=hcode) as held:
        ledger, tokens = Ledger(each_audit, held), TokenSource(api, hcode)
        _send(ledger, tokens, api, hcode)
        with Inquiry(api, ledger, tokens, 4) as inquiry:
            inquiry.ask(ledger.queue.transactions_to_ask(LONG_AGO, [], 0, 1000))
            assert ledger.queue.transactions_to_ask(LONG_AGO, ["p" * 80], 0, 1000) == []
        assert affected_days(each_audit, held) == (DAY, DAY)
        assert sent_by(each_audit, held).to_dict("records") == [{"before": "ready", "state": "accepted", "claims": 3}]
    counted = transaction_statuses(each_audit, "sandbox", hcode=hcode).to_dict("records")
    assert counted == [{"status": "p" * 80, "status_th": ("จ่ายแล้ว" + "ว" * 300)[:200], "claims": 3, "baht": 450}]
    with holding(each_audit, hcode=hcode) as idle:
        assert affected_days(each_audit, idle) is None


def _send(ledger: Ledger, tokens: TokenSource, api: ApiSettings, hcode: str) -> None:
    ledger.intake.register(DAY, KINDS, make_claims(3, hcode=hcode))
    with Delivery(api, ledger, tokens, 2) as delivery:
        delivery.send_chunk(1, ledger.queue.due(DUE, KINDS, DAY, DAY, 10))
        delivery.finish()
        assert delivery.counts == {State.ACCEPTED: 3}


MINE = Transaction(7, "uid-7", "1100000000015", "hash", State.PRESUMED_ACCEPTED)
DATA = {"transaction_uid": "uid-7", "pid": "1100000000015", "status": "paid", "status_th": "จ่ายแล้ว"}


def said(data: Any, http_status: int = 200) -> Exchange:
    body = json.dumps({"status": http_status, "message": "success", "data": data})
    answer = interpret(http_status, body, expects_uid=False)
    return Exchange("status", "/", b"", now(), now(), http_status, body, answer)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (DATA, TransactionStatus(7, "paid", "จ่ายแล้ว", proves=True)),
        ({**DATA, "pid": None}, TransactionStatus(7, "paid", "จ่ายแล้ว", proves=True)),
        ({**DATA, "pid": 1100000000015}, TransactionStatus(7, "paid", "จ่ายแล้ว", proves=True)),
        ({**DATA, "pid": "1100000000023"}, TransactionStatus(7, None, None, proves=False)),
        ({**DATA, "transaction_uid": "uid-8"}, TransactionStatus(7, None, None, proves=False)),
        ({"status": "paid"}, TransactionStatus(7, "paid", None, proves=False)),
        ({**DATA, "status": 3, "status_th": "จ่าย\x00\nแล้ว\ud800"}, TransactionStatus(7, "3", "จ่าย แล้ว?", proves=True)),
        ({**DATA, "status": "", "status_th": None}, TransactionStatus(7, None, None, proves=True)),
        ([], TransactionStatus(7, None, None, proves=False)),
    ],
    ids=[
        "whole", "without a person", "person as a number", "another person", "another transaction", "names nothing",
        "odd words", "no words", "no object",
    ],
)  # fmt: skip
def test_a_status_counts_for_the_transaction_and_the_person_it_names(data: Any, status: TransactionStatus) -> None:
    assert read_status(MINE, said(data)) == status


def test_nothing_is_proved_of_what_is_accepted_already() -> None:
    mine = Transaction(7, "uid-7", MINE.pid, "hash", State.ACCEPTED)
    assert read_status(mine, said(DATA)) == TransactionStatus(7, "paid", "จ่ายแล้ว", proves=False)


def test_a_failure_of_the_server_leaves_no_status() -> None:
    assert read_status(MINE, said(DATA, 503)) is None

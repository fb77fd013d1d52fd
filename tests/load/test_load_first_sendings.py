"""Whether somebody else sends for the same facility, as far as MOPH Claim's answers show it."""

import shutil
from pathlib import Path

from load_night import DAY, holding, make_claim, make_claims, night, standing, told_ledger
from sqlalchemy import Engine

from load.account_center import TokenSource
from load.database import open_audit
from load.delivery import Delivery
from load.settings import ApiSettings
from load.states import DUE, State
from sandbox.process import Sandbox
from transform.claim import KINDS, Claim


def send(engine: Engine, api: ApiSettings, claims: list[Claim]) -> str:
    """What is said of others after sending these."""
    with holding(engine) as held:
        ledger = told_ledger(engine, held, lambda _: None)
        ledger.intake.register(DAY, KINDS, claims)
        with Delivery(api, ledger, TokenSource(api, held.hcode), 4) as delivery:
            delivery.send_chunk(1, ledger.queue.due(DUE, KINDS, DAY, DAY, len(claims)))
            delivery.finish()
            return delivery.looks_shared.en if delivery.looks_shared else ""


def test_a_second_installation_is_told_in_a_sentence(
    sandbox: Sandbox, api: ApiSettings, audit: Engine, tmp_path: Path, empty_audit: Path
):
    night(audit, api, make_claims(20))
    (tmp_path / "second").mkdir()
    second = open_audit(f"sqlite:///{shutil.copy(empty_audit, tmp_path / 'second')}")
    said = send(second, api, make_claims(24))
    assert said.startswith(
        "MOPH Claim calls 20 of 24 claims claimed already that were sent from here for the first time"
    )
    assert "another installation" in said
    assert standing(second) == {State.FINAL: 20, State.ACCEPTED: 4}
    second.dispose()


def test_claims_made_elsewhere_singly_are_everyday(sandbox: Sandbox, api: ApiSettings, audit: Engine):
    night(audit, api, make_claims(4))
    assert send(audit, api, [make_claim(100 + n, person=n) for n in range(1, 5)]) == ""
    night(audit, api, make_claims(10))
    again = [make_claim(200 + n, person=n) for n in range(1, 11)]
    assert send(audit, api, [*again, *(make_claim(300 + n) for n in range(10))]) == ""


def test_claims_in_doubt_that_turn_out_to_be_ours_do_not_count(sandbox: Sandbox, audit: Engine):
    from load_night import settings_for

    from sandbox.world import Fault

    sandbox.misbehave(Fault(kind="500_after", times=10))
    api = settings_for(sandbox, ask_eligibility=False, attempts=1)
    night(audit, api, make_claims(10))
    assert send(audit, api, make_claims(10)) == ""
    assert standing(audit) == {State.PRESUMED_ACCEPTED: 10}

"""What is due and what is known, on the three databases."""

from datetime import timedelta

from ledger_steps import due, ledger_of, send_due
from load_night import DAY, holding, make_claim, rows
from sqlalchemy import Engine

from load.ledger import Ledger
from load.runs import Run
from load.states import DUE, State
from load.tables import claim
from transform.claim import KINDS, Claim

NEXT_DAY = DAY + timedelta(days=1)


def test_a_claim_is_due_once_a_run(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        assert len(send_due(ledger, State.RETRY)) == 1
        assert due(ledger) == []
    with ledger_of(each_audit, hcode) as ledger:
        assert len(due(ledger)) == 1


def test_due_claims_come_oldest_day_first_and_as_many_as_asked(each_audit: Engine, hcode: str):
    with ledger_of(each_audit, hcode) as ledger:
        for day in (NEXT_DAY, DAY):
            claims = [make_claim(day.day * 10 + n, day=day, hcode=hcode) for n in range(3)]
            ledger.intake.register(day, KINDS, claims)
        days = [rows(each_audit, claim, id=c.id)[0].service_date for c in due(ledger)]
        assert days == [DAY] * 3 + [NEXT_DAY] * 3
        assert len(ledger.queue.due(DUE, KINDS, DAY, NEXT_DAY, 4)) == 4
        assert ledger.queue.count_due(DUE, KINDS, DAY, NEXT_DAY) == 6
        assert ledger.queue.count_due(DUE, KINDS, DAY, DAY) == 3
        assert ledger.queue.count_due(DUE, ["epi"], DAY, NEXT_DAY) == 0


def test_another_facilitys_and_another_environments_claims_are_nobodys_business(each_audit: Engine, hcode: str):
    other = "9" + hcode[1:]
    with ledger_of(each_audit, hcode) as ledger, holding(each_audit, hcode=other) as theirs:
        Ledger(each_audit, theirs).intake.register(DAY, KINDS, [make_claim(hcode=other)])
        ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)])
        elsewhere = Run("x", "prd", hcode, timedelta(60))
        assert Ledger(each_audit, elsewhere).queue.count_due(DUE, KINDS, DAY, DAY) == 0
        assert Ledger(each_audit, elsewhere).intake.plan(DAY, KINDS, [make_claim(hcode=hcode)]).verdicts == ["new"]
        assert ledger.queue.count_due(DUE, KINDS, DAY, DAY) == 1
        assert ledger.intake.register(DAY, KINDS, [make_claim(hcode=hcode)]) == {"unchanged": 1}


def test_nothing_personal_is_shown_of_a_claim_that_is_due(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    with ledger_of(each_audit, hcode) as ledger:
        ledger.intake.register(DAY, KINDS, [made])
        shown = repr(due(ledger)) + repr(made)
    assert made.pid not in shown
    assert "ตัวอย่าง" not in shown


# A person's history.


def history(ledger: Ledger, *claims: Claim) -> list[tuple[str, str]]:
    frame = ledger.queue.history({c.pid for c in claims}, ["dm", "ht"])
    assert list(frame.columns) == ["kind", "pid", "item", "vn", "service_date", "yields"]
    assert str(frame["service_date"].dtype) == "datetime64[us]"
    assert all(str(frame[name].dtype) == "str" for name in ("kind", "pid", "vn"))
    return sorted(zip(frame["kind"], frame["vn"], strict=True))


def test_history_is_what_was_taken_may_have_been_or_is_about_to_go(each_audit: Engine, hcode: str):
    claims = [make_claim(n, hcode=hcode) for n in range(1, 8)]
    ends = dict(
        zip(
            claims,
            (
                State.ACCEPTED,
                State.PRESUMED_ACCEPTED,
                State.IN_DOUBT,
                State.HELD,
                State.RETRY,
                State.FINAL,
                State.CORRECTABLE,
            ),
            strict=True,
        )
    )
    with ledger_of(each_audit, hcode) as ledger:
        assert history(ledger, *claims) == []
        for made, state in ends.items():
            ledger.intake.register(made.service_date, [], [made])
            send_due(ledger, state)
        assert history(ledger, *claims) == [("dm", c.vn) for c in claims[:5]]
        assert history(ledger, claims[1]) == [("dm", claims[1].vn)]
        assert ledger.queue.history([], ["dm"]).empty
        assert ledger.queue.history([claims[0].pid], []).empty

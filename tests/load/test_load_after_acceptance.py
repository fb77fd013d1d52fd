"""Claims that were taken and have become otherwise in the HIS, on three databases: listed, resolved, never touched."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from databases import SQLITE_FIRST
from load_night import DAY, holding, make_claim, make_issue, note, rows
from sqlalchemy import Engine, event

from load.batch import Batch, SubmissionResult
from load.issues import record_issues
from load.ledger import Ledger
from load.outcomes import meanings
from load.queries import issue_counts, open_issues
from load.states import ACCEPTED_STATES, DUE, State
from load.tables import claim
from transform.after_acceptance import CHANGED, VANISHED, after_acceptance
from transform.claim import KINDS, Claim, Kind

NEXT_DAY = DAY + timedelta(days=1)
LAB = {"claim_services": [{"name": "HbA1C", "code": "32401", "lab_result": "9.9"}]}


@pytest.fixture(params=SQLITE_FIRST)
def each_audit(request: pytest.FixtureRequest, shared_audits: Callable[[str], Engine]) -> Engine:
    return shared_audits(request.param)


def read(
    engine: Engine, hcode: str, *days: tuple[date, Sequence[Claim]], kinds: Sequence[Kind] = KINDS, dry: bool = False
) -> None:
    """A run that reads these days, as the flow does; nothing is sent."""
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        for day, claims in days:
            record_issues(
                engine, run, day, kinds, after_acceptance(ledger.intake.accepted_on(day, kinds, claims), day), claims
            )
            if not dry:
                ledger.intake.register(day, kinds, claims)


def send(engine: Engine, hcode: str, *claims: Claim, state: State = State.ACCEPTED) -> None:
    """A run that registers these claims and sends all that is due, with this answer."""
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        for day in sorted({c.service_date for c in claims}):
            ledger.intake.register(day, [], [c for c in claims if c.service_date == day])
        due = ledger.queue.due(DUE, KINDS, DAY, NEXT_DAY, 2000)
        ledger.writer.write(Batch(intents=due))
        taken = state in ACCEPTED_STATES
        uid = "uid" if taken else None
        ledger.writer.write(
            Batch(results=[SubmissionResult(c.id, state, meanings()[0], "", uid, state is State.IN_DOUBT) for c in due])
        )


def listed(engine: Engine, hcode: str) -> list[tuple[Any, ...]]:
    """What is listed: rule, field, day."""
    frame = open_issues(engine, "sandbox", hcode=hcode).sort_values(["service_date", "rule", "field"])
    return list(frame[["rule", "field", "service_date"]].itertuples(index=False, name=None))


def lab_changed(day: date = DAY) -> tuple[str, str, date]:
    return (CHANGED.code, "claim_services[0].lab_result", day)


def vanished(day: date = DAY) -> tuple[str, str, date]:
    return (VANISHED.code, "visits.vn", day)


@pytest.mark.parametrize("state", ACCEPTED_STATES)
def test_a_taken_claim_that_has_changed_is_listed_until_the_his_goes_back(each_audit: Engine, hcode: str, state: State):
    sent = make_claim(hcode=hcode)
    send(each_audit, hcode, sent, state=state)
    (before,) = rows(each_audit, claim, hcode=hcode)
    read(each_audit, hcode, (DAY, [make_claim(hcode=hcode, **LAB)]))
    assert listed(each_audit, hcode) == [lab_changed()]
    (said,) = open_issues(each_audit, "sandbox", hcode=hcode)["message_en"]
    assert "claim_services[0].lab_result, from “7.2” to “9.9”." in said
    assert issue_counts(each_audit, "sandbox", hcode, DAY, DAY, KINDS)["rule"].tolist() == [CHANGED.code]
    assert rows(each_audit, claim, hcode=hcode) == [before]
    read(each_audit, hcode, (DAY, [sent]))
    assert listed(each_audit, hcode) == []


def test_a_taken_claim_that_is_gone_is_listed_until_it_is_back(each_audit: Engine, hcode: str):
    here, gone = make_claim(1, hcode=hcode), make_claim(2, "dt", hcode=hcode)
    send(each_audit, hcode, here, gone)
    before = rows(each_audit, claim, hcode=hcode)
    read(each_audit, hcode, (DAY, [here]))
    frame = open_issues(each_audit, "sandbox", hcode=hcode)
    assert frame[["rule", "vn", "item", "hn"]].values.tolist() == [[VANISHED.code, gone.vn, "106", gone.hn]]
    assert rows(each_audit, claim, hcode=hcode) == before
    read(each_audit, hcode, (DAY, [here, gone]))
    assert listed(each_audit, hcode) == []


def test_a_dry_run_lists_them_too(each_audit: Engine, hcode: str):
    send(each_audit, hcode, make_claim(1, hcode=hcode), make_claim(2, hcode=hcode))
    read(each_audit, hcode, (DAY, [make_claim(1, hcode=hcode, **LAB)]), dry=True)
    assert listed(each_audit, hcode) == [lab_changed(), vanished()]


def test_only_the_kinds_that_were_read_can_have_vanished(each_audit: Engine, hcode: str):
    send(each_audit, hcode, make_claim(1, "dm", hcode=hcode), make_claim(2, "epi", hcode=hcode))
    read(each_audit, hcode, (DAY, []), kinds=["epi", "dt"])
    assert open_issues(each_audit, "sandbox", hcode=hcode)["kind"].tolist() == ["epi"]


@pytest.mark.parametrize(
    "state", [State.FINAL, State.CORRECTABLE, State.HELD, State.RETRY, State.IN_DOUBT], ids=lambda s: str(s)
)
def test_nothing_is_listed_of_a_claim_that_was_not_taken(each_audit: Engine, hcode: str, state: State):
    send(each_audit, hcode, make_claim(1, hcode=hcode), make_claim(2, hcode=hcode), state=state)
    read(each_audit, hcode, (DAY, [make_claim(1, hcode=hcode, **LAB)]))
    assert listed(each_audit, hcode) == []


def test_a_claim_in_doubt_is_compared_once_it_is_accepted(each_audit: Engine, hcode: str):
    send(each_audit, hcode, make_claim(hcode=hcode), state=State.IN_DOUBT)
    changed = make_claim(hcode=hcode, **LAB)
    read(each_audit, hcode, (DAY, [changed]))
    assert listed(each_audit, hcode) == []
    send(each_audit, hcode)
    read(each_audit, hcode, (DAY, [changed]))
    assert listed(each_audit, hcode) == [lab_changed()]


@pytest.mark.parametrize(("was", "is_now"), [(DAY, NEXT_DAY), (NEXT_DAY, DAY)], ids=["later", "earlier"])
def test_a_visit_moved_to_another_day_has_changed_and_not_vanished(
    each_audit: Engine, hcode: str, was: date, is_now: date
):
    sent, moved = make_claim(hcode=hcode, day=was), make_claim(hcode=hcode, day=is_now)
    send(each_audit, hcode, sent)
    days = {was: (was, []), is_now: (is_now, [moved])}
    changed = [(CHANGED.code, field, is_now) for field in ("diagnosis[0].dx_date_time", "visit_date_time")]
    read(each_audit, hcode, days[was])
    assert listed(each_audit, hcode) == [vanished(was)]
    for order in ([DAY, NEXT_DAY], [NEXT_DAY, DAY], [was], [is_now]):
        read(each_audit, hcode, *(days[day] for day in order))
        assert listed(each_audit, hcode) == changed
    (row,) = rows(each_audit, claim, hcode=hcode)
    assert (row.state, row.service_date) == (State.ACCEPTED, was)


@pytest.mark.parametrize("was", [DAY, NEXT_DAY])
@pytest.mark.parametrize("order", [(DAY, NEXT_DAY), (NEXT_DAY, DAY)])
def test_a_visit_moved_and_read_in_any_order_is_listed_once(
    audit: Engine, hcode: str, was: date, order: tuple[date, date]
):
    is_now = NEXT_DAY if was == DAY else DAY
    send(audit, hcode, make_claim(hcode=hcode, day=was))
    days = {was: (was, []), is_now: (is_now, [make_claim(hcode=hcode, day=is_now)])}
    read(audit, hcode, *(days[day] for day in order))
    assert {(rule, day) for rule, _, day in listed(audit, hcode)} == {(CHANGED.code, is_now)}


def test_a_visit_moved_back_is_listed_no_more_though_its_other_day_is_not_read_again(each_audit: Engine, hcode: str):
    sent, moved = make_claim(hcode=hcode), make_claim(hcode=hcode, day=NEXT_DAY)
    send(each_audit, hcode, sent)
    read(each_audit, hcode, (DAY, []), (NEXT_DAY, [moved]))
    read(each_audit, hcode, (DAY, [sent]))
    assert listed(each_audit, hcode) == []
    read(each_audit, hcode, (NEXT_DAY, []))
    assert listed(each_audit, hcode) == []
    read(each_audit, hcode, (DAY, []))
    assert listed(each_audit, hcode) == [vanished()]


def test_what_does_not_move_along_with_its_visit_has_vanished_from_its_own_day(each_audit: Engine, hcode: str):
    lab, dose = make_claim(hcode=hcode), make_claim(1, "epi", hcode=hcode)
    send(each_audit, hcode, lab, dose)
    read(each_audit, hcode, (DAY, []), (NEXT_DAY, [make_claim(hcode=hcode, day=NEXT_DAY)]))
    frame = open_issues(each_audit, "sandbox", hcode=hcode).drop_duplicates("rule")
    assert frame[["kind", "rule", "service_date"]].values.tolist() == [
        ["epi", VANISHED.code, DAY],
        ["dm", CHANGED.code, NEXT_DAY],
    ]


@pytest.mark.parametrize("was", [DAY, NEXT_DAY])
@pytest.mark.parametrize("days", [[DAY, NEXT_DAY], [NEXT_DAY, DAY], ["there"]])
def test_a_visit_moved_and_then_gone_has_vanished(audit: Engine, hcode: str, was: date, days: list[Any]):
    there = NEXT_DAY if was == DAY else DAY
    send(audit, hcode, make_claim(hcode=hcode, day=was))
    read(audit, hcode, (was, []), (there, [make_claim(hcode=hcode, day=there)]))
    for _ in range(3):
        read(audit, hcode, *((there if day == "there" else day, []) for day in days))
        assert [rule for rule, _, _ in listed(audit, hcode)] == [VANISHED.code]


def test_what_was_said_of_a_visit_on_the_day_it_has_left_is_resolved(each_audit: Engine, hcode: str):
    moved = make_claim(hcode=hcode, day=NEXT_DAY)
    with holding(each_audit, hcode=hcode) as run:
        note(Ledger(each_audit, run), DAY, KINDS, [make_issue(moved.vn)])
        record_issues(each_audit, run, NEXT_DAY, KINDS, [], [moved])
    assert listed(each_audit, hcode) == []


def test_of_what_was_taken_from_a_workbook_the_his_is_no_record(each_audit: Engine, hcode: str):
    changed, gone, his = (make_claim(number, hcode=hcode) for number in (1, 2, 3))
    with holding(each_audit, hcode=hcode) as run:
        Ledger(each_audit, run).intake.register(DAY, KINDS, [changed, gone], origin="workbook")
    send(each_audit, hcode, his)
    read(each_audit, hcode, (DAY, [make_claim(1, hcode=hcode, **LAB)]), (NEXT_DAY, []))
    read(each_audit, hcode, (NEXT_DAY, [make_claim(2, day=NEXT_DAY, hcode=hcode)]))
    assert listed(each_audit, hcode) == [vanished()]
    assert open_issues(each_audit, "sandbox", hcode=hcode)["vn"].tolist() == [his.vn]


def test_other_warnings_about_a_taken_claim_stay_hidden(each_audit: Engine, hcode: str):
    sent = make_claim(hcode=hcode)
    send(each_audit, hcode, sent)
    with holding(each_audit, hcode=hcode) as run:
        note(Ledger(each_audit, run), DAY, KINDS, [make_issue(sent.vn, severity="warning")])
    assert listed(each_audit, hcode) == []


def test_payloads_are_read_of_changed_claims_alone_and_in_portions(audit: Engine):
    claims = [make_claim(n) for n in range(1, 1201)]
    send(audit, "10953", *claims)
    now = [make_claim(n, **(LAB if n > 100 else {})) for n in range(1, 1201) if n != 1]
    read_rows: list[int] = []

    @event.listens_for(audit, "after_cursor_execute")
    def count(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "claim.payload \n" in statement:
            read_rows.append(len(parameters))

    with holding(audit) as run:
        found = Ledger(audit, run).intake.accepted_on(DAY, KINDS, now)
        first = next(found)
        assert (first.vn, first.now, read_rows) == (claims[0].vn, None, [])
        assert {t.sent for t in found} <= {c.payload for c in claims[100:]}
    assert read_rows == [500, 500, 100]

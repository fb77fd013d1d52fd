"""What the audit tells, on three databases."""

from datetime import timedelta

from load_night import DAY, holding, make_claim, make_issue, note
from sqlalchemy import Engine

from load.batch import Batch, SubmissionResult
from load.ledger import Ledger
from load.outcomes import meanings
from load.queries import claims_by_day, claims_not_accepted, issue_counts, open_issues, refusals
from load.states import DUE, State
from transform.claim import KINDS

NEXT_DAY = DAY + timedelta(days=1)


ACCEPTED_VISIT, HELD_VISIT = "690000000001", "690000000002"


def a_night(engine: Engine, hcode: str, warned: str = HELD_VISIT) -> None:
    """Three claims and two issues: one accepted, one held, and one of the next day untouched."""
    held = next(m for m in meanings() if m.outcome == "held")
    with holding(engine, hcode=hcode) as run:
        ledger = Ledger(engine, run)
        ledger.intake.register(DAY, KINDS, [make_claim(1, hcode=hcode), make_claim(2, hcode=hcode)])
        first, second = ledger.queue.due(DUE, KINDS, DAY, DAY, 10)
        ledger.writer.write(Batch(intents=[first, second]))
        verdicts = [
            SubmissionResult(first.id, State.ACCEPTED, meanings()[0], "success", "uid-1", False),
            SubmissionResult(second.id, State.HELD, held, "don't have authen_code", None, False),
        ]
        ledger.writer.write(Batch(results=verdicts))
        ledger.intake.register(NEXT_DAY, KINDS, [make_claim(3, "epi", day=NEXT_DAY, hcode=hcode)])
        note(ledger, DAY, KINDS, [make_issue(rule="a"), make_issue(warned, rule="b", severity="warning")])
        note(ledger, NEXT_DAY, KINDS, [make_issue("69-next", rule="a")])
        note(ledger, NEXT_DAY, KINDS, [])


def test_claims_are_counted_by_day_kind_and_state(each_audit: Engine, hcode: str):
    a_night(each_audit, hcode)
    frame = claims_by_day(each_audit, "sandbox", hcode=hcode)
    assert frame.drop(columns="hcode").values.tolist() == [
        [DAY, "dm", "accepted", 1, 150],
        [DAY, "dm", "held", 1, 150],
        [NEXT_DAY, "epi", "ready", 1, 150],
    ]
    assert len(claims_by_day(each_audit, "sandbox", first=NEXT_DAY, last=NEXT_DAY, hcode=hcode)) == 1
    assert claims_by_day(each_audit, "prd", hcode=hcode).empty


def test_claims_for_a_person_to_look_at_say_why(each_audit: Engine, hcode: str):
    a_night(each_audit, hcode)
    frame = claims_not_accepted(each_audit, "sandbox", hcode=hcode)
    assert frame["vn"].tolist() == [make_claim(2).vn]
    assert frame["meaning_en"].tolist() == ["the right was not confirmed at the end of the visit"]
    assert frame["message"].tolist() == ["don't have authen_code"]


def test_reasons_are_counted_without_saying_whose_they_are(each_audit: Engine, hcode: str):
    a_night(each_audit, hcode)
    frame = refusals(each_audit, "sandbox", hcode, DAY, NEXT_DAY, KINDS)
    assert list(frame.columns) == ["state", "meaning_th", "meaning_en", "claims"]
    assert frame["claims"].tolist() == [1]
    assert refusals(each_audit, "sandbox", hcode, DAY, NEXT_DAY, ["epi"]).empty


def test_issues_are_listed_and_counted_until_they_are_resolved(each_audit: Engine, hcode: str):
    a_night(each_audit, hcode)
    assert open_issues(each_audit, "sandbox", hcode=hcode)["rule"].tolist() == ["a", "b"]
    counted = issue_counts(each_audit, "sandbox", hcode, DAY, NEXT_DAY, KINDS)
    assert counted.values.tolist() == [["a", "error", "dm", 1], ["b", "warning", "dm", 1]]


def test_a_warning_about_a_claim_that_was_taken_is_listed_no_more(each_audit: Engine, hcode: str):
    a_night(each_audit, hcode, warned=ACCEPTED_VISIT)
    assert open_issues(each_audit, "sandbox", hcode=hcode)["rule"].tolist() == ["a"]
    assert issue_counts(each_audit, "sandbox", hcode, DAY, NEXT_DAY, KINDS)["rule"].tolist() == ["a"]

"""Parameters the Prefect server lets through and that cannot be used: one sentence, state Failed, nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from night_shift import Trial

from core.clock import today

pytestmark = pytest.mark.xdist_group("flow_parameters")

TOMORROW = today() + timedelta(days=1)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "days the wrong way round": (
        {"date_from": "2026-05-12", "date_to": "2026-05-11"},
        "The first day 2026-05-12 is after the last day 2026-05-11: correct them and start again.",
    ),
    "a Buddhist year": (
        {"date_from": "2569-05-11", "date_to": "2569-05-12"},
        f"Days lie between 2020-01-01 and today ({today()}), in CE years: correct them and start again.",
    ),
    "tomorrow": (
        {"date_to": TOMORROW.isoformat()},
        f"Days lie between 2020-01-01 and today ({today()}), in CE years: correct them and start again.",
    ),
    "no day": (
        {"date_from": "yesterday"},
        "The parameter date_from cannot be used: write the day in CE, as 2026-10-31.",
    ),
    "a day that is none": (
        {"date_to": "2026-02-30"},
        "The parameter date_to cannot be used: write the day in CE, as 2026-10-31.",
    ),
    "an unknown kind": (
        {"kinds": ["dm", "hiv"]},
        "The parameter kinds cannot be used: kinds are dm, ht, epi, dt.",
    ),
    "no kind": ({"kinds": []}, "Choose at least one kind: dm, ht, epi, dt."),
    "everything again, in earnest": (
        {"send": "everything again"},
        "'everything again' is for a dry run only: what was accepted is never sent twice.",
    ),
    "an unknown choice": (
        {"send": "all"},
        "The parameter send cannot be used: it is 'new and due', 'only failed' or 'everything again'.",
    ),
    "a chunk of nothing": (
        {"chunk_size": 0},
        "The parameter chunk_size cannot be used: it is a whole number from 1 to 2000.",
    ),
    "too many at once": (
        {"concurrency": 65},
        "The parameter concurrency cannot be used: it is a whole number from 1 to 64.",
    ),
    "a facility that is not there": (
        {"facility": "hospital"},
        "There is no facility hospital: the configuration has one facility only, name none.",
    ),
    "neither yes nor no": (
        {"dry_run": "perhaps"},
        "The parameter dry_run cannot be used: it is true or false.",
    ),
}


# One through Prefect shows the way of them all.
FIRST, *OTHERS = WRONG


@pytest.mark.parametrize("case", [FIRST, *(pytest.param(case, marks=pytest.mark.slow) for case in OTHERS)])
def test_wrong_parameter_fails_with_one_sentence(trial: Trial, case: str) -> None:
    parameters, sentence = WRONG[case]
    ended = trial.run(**parameters)
    assert (ended.state, ended.message) == ("Failed", sentence)
    assert [line for level, line in ended.logs if level >= 40 and not line.startswith("Finished")] == [sentence]
    assert "Traceback" not in ended.text
    assert not trial.site.audit.exists()
    assert trial.sandbox.stats()["requests"] == {}


def test_sentence_comes_in_thai_where_thai_is_set(trial: Trial) -> None:
    trial.site.set(language="th")
    assert trial.run(send="everything again").message.startswith("'everything again' ใช้ได้กับการทดลอง")


def test_settings_that_cannot_be_read_fail_the_run_with_a_sentence_in_both_languages(trial: Trial) -> None:
    trial.site.set(api__pasword="x")
    ended = trial.run()
    assert ended.state == "Failed"
    assert "There is no setting api.pasword; did you mean api.password?" in ended.message
    assert "ไม่มีการตั้งค่าชื่อ api.pasword" in ended.message
    assert "Traceback" not in ended.text

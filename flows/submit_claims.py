"""`submit-claims`: the nightly run, and the same by hand with other parameters."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.utilities.annotations import quote

from core.errors import MophClaimError
from core.messages import Message
from flows.parameters import SubmitParameters, takes
from flows.reports.issue_workbook import write_issue_workbook
from flows.reports.submit_report import report_submit_run
from flows.runs.submit import FLOW, SubmitRun, open_submit_run
from flows.tasks import (
    Progress,
    RunResult,
    as_failed_state,
    attempt,
    log,
    publish_report,
    read_again,
    run_flow_body,
    run_in_process,
    send_due_claims,
    sent_by_state,
)


@task(name="extract day", task_run_name="extract {day}", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def extract_day(run: SubmitRun, day: date) -> None:
    """Read one service day from the hospital database."""
    visits = run.extract_day(day)
    log(run, Message(f"{day}: อ่านแล้ว {visits} ครั้งบริการ", f"{day}: {visits} visits read"))


@task(name="transform day", task_run_name="transform {day}", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def transform_day(run: SubmitRun, day: date) -> None:
    """Turn the day's records into claims and issues, and write both down."""
    counts = run.transform_day()
    made = ", ".join(f"{what} {n}" for what, n in sorted(counts.items())) or "0"
    log(run, Message(f"{day}: รายการเบิก {made}", f"{day}: claims {made}"))


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
@takes(SubmitParameters)
def submit_claims(**parameters: Any) -> PrefectState[Any]:
    """Send the claims of some days to MOPH Claim, each exactly once."""
    return run_flow_body(SubmitParameters, parameters, open_submit_run, _submit, _success)


def submit_in_process(**parameters: Any) -> RunResult:
    """Run the flow in this process."""
    return run_in_process(submit_claims, parameters)


def _submit(run: SubmitRun) -> RunResult:
    progress = Progress(run, FLOW)
    failure = _register_days(run, progress)
    # Days read before the HIS went away are complete: their claims still go.
    if run.sends:
        not_sent = send_due_claims(run, progress, begin=50.0, end=100.0)
        failure = failure or not_sent
    report = report_submit_run(run, failure)
    publish_report(run, report, progress, partial(_write_issues, run))
    return RunResult(report, failure)


def _register_days(run: SubmitRun, progress: Progress) -> MophClaimError | None:
    """Read every day, then what waits of other days, and write claims and issues down, up to the first failure."""
    open_visits = run.open_visits()
    for n, day in enumerate(run.days, start=1):
        if failure := attempt(extract_day, run, day) or attempt(transform_day, run, day):
            return failure
        progress.reach(50.0 * n / len(run.days))
    failure = attempt(read_again, run, quote(visits)) if (visits := run.not_seen(open_visits)) else None
    if not run.sends and not failure:
        run.registrar.plan_others()
    return failure


def _write_issues(run: SubmitRun, out: Path) -> None:
    first, last = run.selection.first, run.selection.last
    of_run = run.audit_run
    write_issue_workbook(run.settings, run.engine, out, first, last, hcode=of_run.hcode, run_id=of_run.id)


def _success(run: SubmitRun) -> Message:
    if not run.sends:
        n = run.registrar.counts.would_send
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent = sent_by_state(run)
    return Message(f"เสร็จ ส่งแล้ว: {sent}", f"Done. Sent: {sent}")

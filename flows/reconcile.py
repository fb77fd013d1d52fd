"""`reconcile`: claims in doubt, held or left behind are sent again, and what became of accepted ones is asked."""

from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState
from prefect.utilities.annotations import quote

from core.errors import MophClaimError
from core.messages import Message
from flows.parameters import ReconcileParameters, takes
from flows.reports.reconcile_report import report_reconcile_run
from flows.runs.reconcile import FLOW, ReconcileRun, open_reconcile_run
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
from load.queue import Transaction


@task(name="give up", task_run_name="give up", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def give_up(run: ReconcileRun) -> None:
    """Give up the claims whose closing code did not come within the window."""
    run.give_up()
    n = run.given_up
    log(run, Message(f"เลิกรอปิดสิทธิ {n} รายการ", f"{n} claims given up: no closing code in time"))


@task(name="ask statuses", task_run_name="ask statuses", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def ask_statuses(run: ReconcileRun, transactions: list[Transaction]) -> None:
    """Ask what has become of a few hundred transactions, over a handful of connections."""
    run.ask(transactions)
    n = run.inquiry.answered
    log(run, Message(f"ทราบสถานะแล้ว {n} ธุรกรรม", f"{n} transactions answered"))


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
@takes(ReconcileParameters)
def reconcile(**parameters: Any) -> PrefectState[Any]:
    """See to what earlier runs left: claims in doubt, held, or not sent; and ask what became of accepted ones."""
    return run_flow_body(ReconcileParameters, parameters, open_reconcile_run, _reconcile, _success)


def reconcile_in_process(**parameters: Any) -> RunResult:
    """Run the flow in this process."""
    return run_in_process(reconcile, parameters)


def _reconcile(run: ReconcileRun) -> RunResult:
    """Read again, send, give up, ask; whatever went wrong, what went right is kept and reported."""
    progress = Progress(run, FLOW)
    if n := run.recovered:
        log(run, Message(f"การทำงานที่หยุดกลางคันทิ้งไว้ {n} รายการ", f"{n} claims left by a run that died"))
    failure = attempt(read_again, run, quote(visits)) if (visits := run.open_visits()) else None
    if run.sends:
        # Claims that were not read wait; those of workbooks, and what became of others, do not depend on the HIS.
        then = send_due_claims(run, progress, begin=0.0, end=70.0) or attempt(give_up, run) or _ask_all_statuses(run)
        failure = failure or then
    else:
        run.plan()
    report = report_reconcile_run(run, failure)
    publish_report(run, report, progress)
    return RunResult(report, failure)


def _ask_all_statuses(run: ReconcileRun) -> MophClaimError | None:
    while transactions := run.next_transactions():
        if failure := attempt(ask_statuses, run, quote(transactions)):
            return failure
    if trouble := run.inquiry.trouble:
        get_run_logger().warning("%s", trouble.say(run.settings.language))
    return None


def _success(run: ReconcileRun) -> Message:
    if not run.sends:
        n = sum(run.would_send.values())
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent, asked = sent_by_state(run), run.inquiry.answered
    return Message(
        f"เสร็จ ส่งแล้ว: {sent}; ทราบสถานะ {asked} ธุรกรรม", f"Done. Sent: {sent}; {asked} transactions answered"
    )

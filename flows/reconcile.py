"""`reconcile`: claims in doubt, held or left behind are sent again, and what became of accepted ones is asked."""

from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState

from core.messages import Message
from flows.parameters import ChunkSize, Concurrency, make_reconciling
from flows.reports.reconcile_report import report_morning
from flows.reports.report import Report
from flows.runs.reconcile import Morning, open_morning
from flows.tasks import (
    Opaque,
    Progress,
    as_failed_state,
    log,
    publish,
    report_of,
    run_flow_body,
    send_what_is_due,
    sent_words,
)

FLOW = "reconcile"


@task(name="give up", task_run_name="give up", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def give_up(morning: Morning) -> None:
    """Give up the claims whose closing code did not come within the window."""
    morning.give_up()
    n = morning.given_up
    log(morning, Message(f"เลิกรอปิดสิทธิ {n} รายการ", f"{n} claims given up: no closing code in time"))


@task(name="ask statuses", task_run_name="ask statuses", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def ask_statuses(morning: Morning, transactions: Opaque) -> None:
    """Ask what has become of a few hundred transactions, over a handful of connections."""
    morning.ask(transactions.items)
    n = morning.inquiry.answered
    log(morning, Message(f"ทราบสถานะแล้ว {n} ธุรกรรม", f"{n} transactions answered"))


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
def reconcile(
    dry_run: bool = False,
    ask_status: bool = True,
    chunk_size: ChunkSize = 500,
    concurrency: Concurrency = 16,
    facility: str = "",
) -> PrefectState[Any]:
    """See to what earlier runs left: claims in doubt, held, or not sent; and ask what became of accepted ones.

    Args:
        dry_run: ทดลอง ไม่ส่งจริง บอกว่าจะทำอะไร / Send nothing, say what would be done.
        ask_status: สอบถามสถานะธุรกรรมที่รับแล้ว / Ask what became of the transactions that were accepted.
        chunk_size: จำนวนรายการต่อชุด 1-2000 / Claims one task sends, 1-2000.
        concurrency: จำนวนที่ส่งพร้อมกัน 1-64 / Claims under way at the same time, 1-64.
        facility: หน่วยบริการใด เมื่อตั้งไว้หลายหน่วย / Which facility, where the configuration has several.
    """
    asked = {"dry_run": dry_run, "ask_status": ask_status, "chunk_size": chunk_size, "concurrency": concurrency}
    return run_flow_body(
        lambda settings, on_wait: open_morning(settings, make_reconciling(**asked), FLOW, on_wait),
        _work,
        _ended,
        facility,
    )


def run_and_report(parameters: dict[str, Any]) -> tuple[Report | None, str | None]:
    """Run the flow in this process: its report and the sentence it failed with, each if there is one."""
    return report_of(reconcile, parameters)


def _work(morning: Morning) -> Report:
    """Give up, send, ask; whatever went wrong, what went right stands and is reported."""
    progress = Progress(morning, FLOW)
    if n := morning.recovered:
        log(morning, Message(f"การทำงานที่หยุดกลางคันทิ้งไว้ {n} รายการ", f"{n} claims left by a run that died"))
    if morning.wish.dry_run:
        morning.plan()
    else:
        give_up(morning, return_state=True)
        if not morning.failure:
            send_what_is_due(morning, progress, begin=0.0, end=70.0)
        if not morning.failure:
            _ask(morning)
    return publish(morning, report_morning(morning), progress)


def _ask(morning: Morning) -> None:
    while not morning.failure and (transactions := morning.next_transactions()):
        ask_statuses(morning, Opaque(transactions), return_state=True)
    if trouble := morning.inquiry.trouble:
        get_run_logger().warning("%s", trouble.say(morning.settings.language))


def _ended(morning: Morning) -> Message:
    if morning.wish.dry_run:
        n = sum(morning.would_send.values())
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent, asked = sent_words(morning), morning.inquiry.answered
    return Message(
        f"เสร็จ ส่งแล้ว: {sent}; ทราบสถานะ {asked} ธุรกรรม", f"Done. Sent: {sent}; {asked} transactions answered"
    )

"""`submit-claims`: the nightly run, and the same by hand with other parameters."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as PrefectState

from core.messages import Message
from flows.parameters import ChunkSize, Concurrency, SendChoice, make_wish
from flows.reports.issue_workbook import write_issue_workbook
from flows.reports.report import Report, report_night
from flows.runs.submit import Night, open_night
from flows.tasks import Progress, as_failed_state, log, publish, report_of, run_flow_body, send_what_is_due, sent_words
from transform.claim import KINDS

FLOW = "submit-claims"


@task(name="extract day", task_run_name="extract {day}", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def extract_day(night: Night, day: date) -> None:
    """Read one service day from the hospital database."""
    visits = night.extract_day(day)
    log(night, Message(f"{day}: อ่านแล้ว {visits} ครั้งบริการ", f"{day}: {visits} visits read"))


@task(name="transform day", task_run_name="transform {day}", cache_policy=NO_CACHE, persist_result=False)
@as_failed_state
def transform_day(night: Night, day: date) -> None:
    """Turn the day's records into claims and issues, and write both down."""
    counts = night.transform_day()
    made = ", ".join(f"{what} {n}" for what, n in sorted(counts.items())) or "0"
    log(night, Message(f"{day}: รายการเบิก {made}", f"{day}: claims {made}"))


# Prefect's own check of the parameters logs what was given and raises; the flow checks them and says one sentence.
@flow(name=FLOW, persist_result=False, retries=0, validate_parameters=False)
def submit_claims(
    date_from: date | None = None,
    date_to: date | None = None,
    kinds: list[Literal["dm", "ht", "epi", "dt"]] = list(KINDS),  # noqa: B006 - read only; Prefect shows it as the default
    send: SendChoice = "new and due",
    dry_run: bool = False,
    chunk_size: ChunkSize = 500,
    concurrency: Concurrency = 16,
    facility: str = "",
) -> PrefectState[Any]:
    """Send the claims of some days to MOPH Claim, each exactly once.

    Args:
        date_from: วันที่รับบริการวันแรก (ว่าง = 7 วันย้อนหลัง) / First service day; empty: seven days back.
        date_to: วันที่รับบริการวันสุดท้าย (ว่าง = เมื่อวาน) / Last service day; empty: yesterday.
        kinds: ประเภทที่จะส่ง / Kinds of claims: dm, ht (DMHT), epi, dt.
        send: ส่งรายการใด / What to send: new and due, only failed (also refused ones as they are), everything again (dry run only).
        dry_run: ทดลอง ไม่ส่งจริง / Read and check everything, send nothing.
        chunk_size: จำนวนรายการต่อชุด 1-2000 / Claims one task sends, 1-2000.
        concurrency: จำนวนที่ส่งพร้อมกัน 1-64 / Claims under way at the same time, 1-64.
        facility: หน่วยบริการใด เมื่อตั้งไว้หลายหน่วย / Which facility, where the configuration has several.
    """
    asked = {
        "date_from": date_from,
        "date_to": date_to,
        "kinds": kinds,
        "send": send,
        "dry_run": dry_run,
        "chunk_size": chunk_size,
        "concurrency": concurrency,
    }
    return run_flow_body(
        lambda settings, on_wait: open_night(settings, make_wish(**asked), FLOW, on_wait), _work, _ended, facility
    )


def run_and_report(parameters: dict[str, Any]) -> tuple[Report | None, str | None]:
    """Run the flow in this process: its report and the sentence it failed with, each if there is one."""
    return report_of(submit_claims, parameters)


def _work(night: Night) -> Report:
    """Read every day, then send what is due; whatever went wrong, what went right stands and is reported."""
    progress = Progress(night, FLOW)
    days = night.wish.days
    for n, day in enumerate(days, start=1):
        extract_day(night, day, return_state=True)
        if night.failure:
            break
        transform_day(night, day, return_state=True)
        if night.failure:
            break
        progress.reach(50.0 * n / len(days))
    # Days read before the HIS went away are whole: their claims still go.
    failure, night.failure = night.failure, None
    if not night.wish.dry_run:
        send_what_is_due(night, progress, begin=50.0, end=100.0)
    night.failure = failure or night.failure
    return publish(night, report_night(night), progress, partial(_write_what_did_not_go, night))


def _write_what_did_not_go(night: Night, out: Path) -> None:
    wish = night.wish
    write_issue_workbook(night.settings, night.engine, out, wish.first, wish.last, hcode=night.run.hcode)


def _ended(night: Night) -> Message:
    if night.wish.dry_run:
        n = night.run_counts.would_send
        return Message(f"ทดลองเสร็จ จะส่ง {n} รายการ", f"Dry run: {n} claims would be sent.")
    sent = sent_words(night)
    return Message(f"เสร็จ ส่งแล้ว: {sent}", f"Done. Sent: {sent}")

"""What goes wrong, one trouble a run: how MOPH Claim misbehaves, what is taken away in mid-run, which settings are wrong."""

import resource
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa
from faults import LONG_LEASE, Stage, Trouble
from forked_runs import RunProcess
from hospital_site import CONNECTIONS, FIRST_DAY, RUN_SECONDS
from private_server import fill

from sandbox.world import Endpoint, Fault, FaultKind

# These stop a run, as they should: one wrong address or account is wrong for every claim.
STOPPING: set[FaultKind] = {"not_found", "invalid_scope", "invalid_session", "permission_denied", "account_suspended"}
# Longer than a run of this suite waits for an answer.
HOLD_SECONDS = 3.0
FOR_EVER = 1000.0
# Within which a run ends that is told to stop, whatever the server does.
STOP_SECONDS = 15.0
# Bytes that the HIS still sends: a day's answers are many times as long.
HALF_AN_ANSWER = 3000
SQL = Path(__file__).parents[2] / "extract" / "sql" / "hosxp"


def _audit_gone(stage: Stage, run: RunProcess) -> None:
    stage.await_sending(run)
    if stage.audit_cable is not None:
        stage.audit_cable.cut()
        time.sleep(stage.away_seconds)
        stage.audit_cable.mend()
        return
    other = sqlite3.connect(stage.site.audit.removeprefix("sqlite:///"), timeout=300, isolation_level=None)
    other.execute("begin exclusive")
    time.sleep(stage.away_seconds)
    other.execute("rollback")
    other.close()


def _audit_cable_pulled(stage: Stage, run: RunProcess) -> None:
    assert stage.audit_cable is not None
    stage.await_sending(run)
    stage.audit_cable.pull()
    time.sleep(stage.away_seconds)
    stage.audit_cable.mend()


def _audit_server_killed(stage: Stage, run: RunProcess) -> None:
    assert stage.server is not None
    stage.await_sending(run)
    stage.server.kill()
    time.sleep(stage.away_seconds)
    stage.server.start()


def _disk_full(stage: Stage, run: RunProcess) -> None:
    stage.await_sending(run)
    if stage.disk is not None:
        fill(stage.disk)
        return
    # Where no small disk can be had: no file of the run may grow any more, the audit included.
    audit = Path(stage.site.audit.removeprefix("sqlite:///"))
    most = max(path.stat().st_size for path in audit.parent.glob(f"{audit.name}*"))
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (most, most))


def _his_gone(stage: Stage, run: RunProcess) -> None:
    assert stage.his_cable is not None
    stage.await_(run, lambda: stage.site.states().total() > 0)
    stage.his_cable.cut()


def _his_stalls(stage: Stage, run: RunProcess) -> None:
    """Its connection lives, but in the middle of an answer nothing comes any more, for as long as the run lasts."""
    assert stage.his_cable is not None
    stage.await_(run, lambda: stage.site.states().total() > 0)
    stage.his_cable.pull(after=HALF_AN_ANSWER)


def _rows_without_end(stage: Stage) -> dict[str, Any]:
    """From the third day on, the HIS has a million rows for each vaccination."""
    folder = stage.site.folder / "sql"
    folder.mkdir()
    of_hospital = (SQL / "vaccinations.sql").read_text(encoding="utf-8")
    third = f"CAST(:day AS date) < DATE '{FIRST_DAY.replace(day=FIRST_DAY.day + 2)}'"
    numbers = {
        "mysql": f"seq_1_to_1000000 m ON m.seq <= CASE WHEN {third} THEN 1 ELSE 1000000 END",
        "postgresql": f"generate_series(1, CASE WHEN {third} THEN 1 ELSE 1000000 END) m ON TRUE",
    }[sa.make_url(stage.site.hospital.url).get_backend_name()]
    (folder / "vaccinations.sql").write_text(f"SELECT x.* FROM (\n{of_hospital}\n) x JOIN {numbers}", encoding="utf-8")
    return {"his.sql_folder": str(folder)}


def _told_to_stop(stage: Stage, run: RunProcess) -> None:
    """SIGTERM, while all its connections wait for answers that never end."""
    stage.await_(run, lambda: sum(stage.sandbox.stats()["faults"].values()) >= CONNECTIONS)
    run.kill(signal.SIGTERM)
    told = time.monotonic()
    while run.is_alive() and time.monotonic() - told < RUN_SECONDS:
        time.sleep(0.05)
    if (seconds := time.monotonic() - told) > STOP_SECONDS:
        stage.problems.append(f"it ended {seconds:.0f} s after it had been told to stop")


def _sandbox_killed(stage: Stage, run: RunProcess) -> None:
    stage.await_sending(run)
    stage.sandbox.kill()
    time.sleep(stage.away_seconds)
    stage.sandbox.restart()


def _patient(stage: Stage) -> dict[str, Any]:
    """A lease that is longer than the audit is away, as the usual one is."""
    return {"audit.lease_seconds": 2 * round(stage.away_seconds) + 1}


_ASKED: tuple[Endpoint, ...] = ("submit", "eligibility")


def _often(kind: FaultKind, probability: float = 0.4) -> tuple[Fault, ...]:
    return (Fault(kind=kind, probability=probability, hold_seconds=HOLD_SECONDS),)


def _drips(kind: FaultKind) -> tuple[Fault, ...]:
    return (Fault(kind=kind, probability=0.1, hold_seconds=FOR_EVER),)


# Every fault of the reference.
TROUBLES = (
    Trouble("429 without Retry-After", _often("429")),
    Trouble(
        "429 with Retry-After: a second, and an hour",
        (Fault(kind="429", retry_after="1", times=4), Fault(kind="429", retry_after="3600", probability=0.3)),
    ),
    Trouble("500 before acceptance", _often("500")),
    Trouble("500 after acceptance", _often("500_after")),
    Trouble("502 as HTML", _often("502_html")),
    Trouble("503", (Fault(kind="503", retry_after="1", times=4), *_often("503"))),
    Trouble("504", _often("504")),
    Trouble("reset before acceptance", _often("reset_before")),
    Trouble("reset after acceptance", _often("reset_after")),
    Trouble("read time-out after acceptance", _often("timeout_after", 0.1)),
    Trouble("truncated JSON", _often("truncated_after")),
    Trouble("token expired in mid-run", (Fault(kind="expire_tokens", skip=30, times=1), *_often("jwt_expire", 0.1))),
    Trouble("wrong base URL", settings=lambda stage: {"api.api_url": f"{stage.sandbox.url}/elsewhere"}),
    Trouble("account suspended in mid-run, then reinstated", (Fault(kind="account_suspended", skip=40, times=1),)),
    Trouble("MOPH Claim killed in mid-run", act=_sandbox_killed),
    Trouble("audit database gone in mid-run", act=_audit_gone, settings=_patient),
    Trouble("audit's cable pulled in mid-run", act=_audit_cable_pulled, needs="audit cable", settings=_patient),
    Trouble("audit server killed in mid-run", act=_audit_server_killed, needs="server", settings=_patient),
    Trouble(
        "audit's disk full in mid-run",
        act=_disk_full,
        needs="disk",
        settings=lambda _: {"audit.outage_seconds": 1},
    ),
    # A claim that is failed on for ever, and answers that do harm.
    Trouble("503 for ever for a tenth of the people", (Fault(kind="503", on=_ASKED, share=0.1),)),
    Trouble("answers nested 30,000 deep", _often("nested_after", 0.2)),
    Trouble("answers that drip", _drips("drip_after")),
    Trouble("gzip bombs of 320 MB over 16 connections", _often("bomb_after", 0.3), connections=16),
    Trouble("HIS gone in mid-extract", act=_his_gone, needs="his cable"),
)

# Close to one of those above: for the long form.
VARIANTS = (
    Trouble("502 as HTML after acceptance", _often("502_after")),
    Trouble("connection closed before acceptance", _often("hang_up_before")),
    Trouble("connection closed after acceptance", _often("hang_up_after")),
    Trouble("read time-out before acceptance", _often("timeout_before", 0.1)),
    Trouble("answer cut off half-way", _often("cut_off_after")),
    Trouble("500 for ever for a tenth of the people", (Fault(kind="500", on=_ASKED, share=0.1),)),
    Trouble("reset for ever for a tenth of the people", (Fault(kind="reset_before", on=_ASKED, share=0.1),)),
    Trouble("head of an answer and nothing more", _often("silent_before", 0.1)),
    Trouble("heads of answers that drip", _drips("drip_head_after")),
    Trouble("answers without an end", _often("flood_after", 0.2)),
    Trouble('"100 Continue" without an end', _often("flood_100_after", 0.2)),
    Trouble(
        "log-in drips in mid-run",
        (
            Fault(kind="expire_tokens", skip=60, times=1),
            Fault(kind="drip_after", on=("token",), skip=1, hold_seconds=FOR_EVER),
        ),
        says="does not answer",
    ),
    Trouble("log-in answered by bombs", (Fault(kind="bomb_after", on=("token",)),), says="does not answer"),
    Trouble(
        "told to stop while every answer drips",
        (Fault(kind="drip_after", skip=40, hold_seconds=FOR_EVER),),
        act=_told_to_stop,
        settings=lambda _: {"api.read_timeout_seconds": 600} | LONG_LEASE,
        says="Stopped",
        code=130,
    ),
    Trouble(
        "HIS stalls in mid-fetch",
        act=_his_stalls,
        settings=lambda _: {"his.statement_timeout_seconds": 1} | LONG_LEASE,
        needs="his cable",
        says="took longer than allowed",
    ),
    Trouble(
        "HIS with millions of rows", settings=_rows_without_end, needs="his cable", says="raise the setting his.most_"
    ),
    Trouble(
        "too little room on the disk",
        settings=lambda _: {"audit.free_megabytes": 1_000_000},
        says="so nothing was sent",
    ),
    Trouble(
        "data folder's disk full in mid-run",
        act=_disk_full,
        needs="data disk",
    ),
)

# After thirty log-ins within an hour a run stops.
TIMES: dict[FaultKind, int] = {"jwt_expire": 10, "expire_tokens": 10}
EVERYTHING = Trouble(
    "2 % of every fault at once",
    tuple(
        Fault(kind=kind, probability=0.02, times=TIMES.get(kind), on=_ASKED, hold_seconds=HOLD_SECONDS)
        for kind in get_args(FaultKind)
        if kind not in STOPPING
    ),
    # Where the eligibility check fails as well, one more sending must tell, and the server's refusal is the answer.
    second_submission="refused",
    connections=16,
)

"""What goes wrong, one fault a run; how it is mended; and what the runs after it make of it."""

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from cable import Cable
from forked_runs import Ended, RunProcess
from hospital_site import CONNECTIONS, RUN_SECONDS, Hospital, Reckoning, Site
from private_server import PrivateServer, fill, make_room

from sandbox.process import Sandbox, running_sandbox
from sandbox.world import Endpoint, Fault, FaultKind, World

FURTHER_RUNS = 3
# So that an act in mid-run finds claims under way.
LATENCY_MS = 40
# A server that takes a claim again shows what a program sends twice; one that refuses it would hide that.
USUAL = World(second_submission="taken_again", latency_ms=10)
# These stop a run, as they should: one wrong address or account is wrong for every claim.
STOPPING: set[FaultKind] = {"not_found", "invalid_scope", "invalid_session", "permission_denied", "account_suspended"}
# Longer than a run of this suite waits for an answer.
HOLD_SECONDS = 3.0


@dataclass
class Stage:
    """A site, and all that can be taken away from it.

    Args:
        site: The hospital, its settings, its audit.
        away_seconds: How long what is taken away stays away.
        audit_cable: Between the runs and the audit's server.
        his_cable: Between the runs and the HIS's server.
        server: The audit's server, where it is the suite's own.
        disk: The small disk the audit lies on.
    """

    site: Site
    away_seconds: float
    audit_cable: Cable | None = None
    his_cable: Cable | None = None
    server: PrivateServer | None = None
    disk: Path | None = None

    @property
    def sandbox(self) -> Sandbox:
        """Where the claims go."""
        return self.site.sandbox

    def await_sending(self, run: RunProcess) -> None:
        """Until a good part of the claims has been taken, and the rest not."""
        wanted = self.site.hospital.claims // 4
        self.await_(run, lambda: self.sandbox.stats()["accepted"] >= wanted)

    def await_(self, run: RunProcess, moment: Callable[[], bool]) -> None:
        """Until a moment of the run has come.

        Raises:
            TooLate: The run was over first.
        """
        while not moment():
            if not run.is_alive():
                raise TooLate("the run was over before the fault")
            time.sleep(0.005)

    def mend(self) -> None:
        """All is well again."""
        self.sandbox.change(faults=(), latency_ms=USUAL.latency_ms, accounts=self.sandbox.world.accounts)
        for cable in (self.audit_cable, self.his_cable):
            if cable is not None:
                cable.mend()
        if self.disk is not None:
            make_room(self.disk)
        if self.server is not None:
            self.server.start()  # some end themselves where their disk is full


Stages = Callable[..., AbstractContextManager[Stage]]


class TooLate(Exception):
    """The moment of a fault never came: the scenario proves nothing."""


Act = Callable[[Stage, RunProcess], None]


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong in one run.

    Args:
        name: As the table has it.
        faults: How the sandbox misbehaves.
        act: What the suite takes away in mid-run.
        settings: Settings of this run that are wrong, by the site's own.
        needs: What it takes away: a cable to the audit's or the HIS's server, a server of the suite's own, or a disk.
        second_submission: What the sandbox does with a claim it has taken already.
    """

    name: str
    faults: tuple[Fault, ...] = ()
    act: Act | None = None
    settings: Callable[[Stage], dict[str, Any]] = lambda _: {}
    needs: Literal["", "audit cable", "his cable", "server", "disk"] = ""
    second_submission: Literal["refused", "taken_again"] = "taken_again"


@dataclass(frozen=True)
class Row:
    """What came of a scenario.

    Args:
        name: Of the trouble.
        audit: sqlite, mariadb or postgresql.
        reckoning: After the last run.
        left: Claims that stood open when the disturbed run, or the last killed one, was over.
        further_runs: Undisturbed runs it then took.
        ended: How the disturbed run ended; None where it was killed.
        kills: How many runs were killed.
        kills_in_sending: How many of them had claims under way.
        answers_lost: Claims the sandbox had taken and a killed run had not written down.
        problems: What else is not as promised.
    """

    name: str
    audit: str
    reckoning: Reckoning
    left: int
    further_runs: int
    ended: Ended | None = None
    kills: int = 0
    kills_in_sending: int = 0
    answers_lost: int = 0
    problems: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing sent twice, nothing else amiss."""
        return self.reckoning.holds and not self.problems


@contextmanager
def stage_on(
    folder: Path,
    hospital: Hospital,
    sandbox: Sandbox,
    audit: str,
    *,
    away_seconds: float,
    server: PrivateServer | None = None,
    disk: Path | None = None,
) -> Iterator[Stage]:
    """A site with cables to its servers, and a sandbox that has forgotten all."""
    sandbox.reset()
    with ExitStack() as stack:

        def cable_to(url: str) -> Cable | None:
            return None if url.startswith("sqlite") else stack.enter_context(Cable(url))

        audit_cable, his_cable = cable_to(audit), cable_to(hospital.url)
        audit_end, his_end = (cable.url if cable else "" for cable in (audit_cable, his_cable))
        site = Site(folder, hospital, sandbox, audit, through=audit_end, his=his_end)
        stack.callback(site.close)
        yield Stage(site, away_seconds, audit_cable, his_cable, server, disk)


@contextmanager
def sandbox_with_journal(folder: Path) -> Iterator[Sandbox]:
    """A stand-in that can be killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_sandbox(USUAL.model_copy(update={"journal": str(folder / "journal")})) as sandbox:
        yield sandbox


def play(trouble: Trouble, stage: Stage, concurrency: int = CONNECTIONS) -> Row:
    """A run into trouble, then undisturbed ones until every claim is settled, at most three."""
    site, problems = stage.site, []
    proper = site.settings
    site.change(trouble.settings(stage))
    stage.sandbox.change(faults=trouble.faults, second_submission=trouble.second_submission)
    if trouble.act:
        stage.sandbox.change(latency_ms=LATENCY_MS)
    run = site.start(concurrency)
    try:
        if trouble.act:
            trouble.act(stage, run)
        ended = run.wait(RUN_SECONDS)
    except BaseException:
        run.kill()
        raise
    if trouble.faults and not stage.sandbox.stats()["faults"]:
        problems.append("no request met the fault")
    stage.mend()
    site.change(proper)
    left = site.hospital.claims - site.reckon().settled
    problems += amiss(ended)
    runs, after = settle(site)
    return Row(trouble.name, site.backend, site.reckon(), left, runs, ended, problems=(*problems, *after))


def settle(site: Site) -> tuple[int, list[str]]:
    """Undisturbed runs until every claim is settled, at most three; how many, and what was amiss in them."""
    problems: list[str] = []
    for runs in range(FURTHER_RUNS):
        if site.reckon().is_settled:
            return runs, problems
        problems += amiss(site.run())
    return FURTHER_RUNS, problems


def amiss(ended: Ended) -> list[str]:
    """What no run may do, however it ends."""
    problems = []
    if ended.code:
        problems.append(f"the run's process ended with {ended.code}")
    if "Traceback" in ended.said:
        problems.append("a person saw a traceback: " + ended.said[ended.said.index("Traceback") :][:1500])
    return problems


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
        settings=lambda _: {"audit.outage_seconds": 1, "audit.free_megabytes": 0},
    ),
    # A claim that is failed on for ever, and answers that do harm.
    Trouble("503 for ever for a tenth of the people", (Fault(kind="503", on=_ASKED, share=0.1),)),
    Trouble("answers nested 30,000 deep", _often("nested_after", 0.2)),
    Trouble("answers that drip", (Fault(kind="drip_after", probability=0.1, hold_seconds=60),)),
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
)

EVERYTHING = Trouble(
    "2 % of every fault at once",
    tuple(
        Fault(kind=kind, probability=0.02, on=("submit", "eligibility"), hold_seconds=HOLD_SECONDS)
        for kind in get_args(FaultKind)
        if kind not in STOPPING
    ),
    # Registering thousands of claims at once keeps a SQLite audit busy for longer than this suite's short lease.
    settings=lambda _: {"audit.lease_seconds": 60},
    # Where the eligibility check fails as well, one more sending must tell, and the server's refusal is the answer.
    second_submission="refused",
)

"""A run into trouble, how that is mended, and what the runs after it make of it; what goes wrong is in `troubles`."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cable import Cable
from forked_runs import Ended, RunProcess
from hospital_site import CONNECTIONS, RUN_SECONDS, Hospital, Reckoning, Site
from private_server import PrivateServer, make_room

from sandbox.process import Sandbox, running_sandbox
from sandbox.world import Fault, World

FURTHER_RUNS = 3
# No run of this suite needs half as much, whatever a server answers.
MOST_MEGABYTES = 600
# Where no run's death is waited for, for the sake of busy machines: there a run may stand still for longer than this suite's
# short lease.
LONG_LEASE = {"audit.lease_seconds": 60}
# So that an act in mid-run finds claims under way.
LATENCY_MS = 40
# A server that takes a claim again shows what a program sends twice; one that refuses it would hide that.
USUAL = World(second_submission="taken_again", latency_ms=10)
# Where no run's death is waited for, for the sake of busy machines: there a run may stand still for longer than this suite's
# short lease.
LONG_LEASE = {"audit.lease_seconds": 60}
# So that an act in mid-run finds claims under way.
LATENCY_MS = 40
# A server that takes a claim again shows what a program sends twice; one that refuses it would hide that.
USUAL = World(second_submission="taken_again", latency_ms=10)


@dataclass
class Stage:
    """A site, and all that can be taken away from it.

    Args:
        site: The hospital, its settings, its audit.
        away_seconds: How long what is taken away stays away.
        audit_cable: Between the runs and the audit's server.
        his_cable: Between the runs and the HIS's server.
        server: The audit's server, where it is the suite's own.
        disk: The small disk the audit, or the data folder, lies on.
        problems: What an act has found amiss.
    """

    site: Site
    away_seconds: float
    audit_cable: Cable | None = None
    his_cable: Cable | None = None
    server: PrivateServer | None = None
    disk: Path | None = None
    problems: list[str] = field(default_factory=list)

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
        needs: What it takes away: a cable to the audit's or the HIS's server, a server of the suite's own, or the disk
            of the audit or of the data folder.
        second_submission: What the sandbox does with a claim it has taken already.
        connections: Over which the run sends.
        says: Part of the sentence with which the run must fail.
        code: Exit code that it must have.
    """

    name: str
    faults: tuple[Fault, ...] = ()
    act: Act | None = None
    settings: Callable[[Stage], dict[str, Any]] = lambda _: {}
    needs: Literal["", "audit cable", "his cable", "server", "disk", "data disk"] = ""
    second_submission: Literal["refused", "taken_again"] = "taken_again"
    connections: int = CONNECTIONS
    says: str = ""
    code: int = 0


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


def play(trouble: Trouble, stage: Stage) -> Row:
    """A run into trouble, then undisturbed ones until every claim is settled, at most three."""
    site, problems = stage.site, stage.problems
    proper = site.settings
    site.change(({} if trouble.act else LONG_LEASE) | trouble.settings(stage))
    stage.sandbox.change(faults=trouble.faults, second_submission=trouble.second_submission)
    if trouble.act:
        stage.sandbox.change(latency_ms=LATENCY_MS)
    run = site.start(trouble.connections)
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
    site.replace(proper)
    left = site.hospital.claims - site.reckon().settled
    problems += amiss(ended, trouble.code)
    if trouble.says not in (ended.failure or ""):
        problems.append(f"the run failed with: {ended.failure}")
    runs, after = settle(site)
    return Row(trouble.name, site.backend, site.reckon(), left, runs, ended, problems=(*problems, *after))


def settle(site: Site) -> tuple[int, list[str]]:
    """Undisturbed runs until every claim is settled, at most three; how many, and what was amiss in them."""
    problems: list[str] = []
    failures: list[str] = []
    site.change(LONG_LEASE)
    for runs in range(FURTHER_RUNS):
        if site.reckon().is_settled:
            return runs, problems
        ended = site.run()
        problems += amiss(ended)
        failures += [f"a further run failed: {ended.failure}"] if ended.failure else []
    return FURTHER_RUNS, problems + ([] if site.reckon().is_settled else failures)


def amiss(ended: Ended, code: int = 0) -> list[str]:
    """What no run may do, however it ends; `code` is the exit code it should have."""
    problems = []
    if ended.code != code:
        problems.append(f"the run's process ended with {ended.code}")
    if "Traceback" in ended.said:
        problems.append("a person saw a traceback: " + ended.said[ended.said.index("Traceback") :][:1500])
    if ended.megabytes > MOST_MEGABYTES:
        problems.append(f"the run took {ended.megabytes} MB")
    return problems

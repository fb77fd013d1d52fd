"""The fault suite in its long form: every fault on every audit, hundreds of kills; writes docs/reliability.md's figures.

`PYTHONPATH=tests python tests/reliability/suite.py --help` lists the options. Exit code 1: something was lost, sent twice, or hung.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import sqlalchemy as sa
from faults import Row, Stage, play, sandbox_with_journal, stage_on
from forked_runs import run_service
from hospital_site import build, database
from kills import kill_at_random, start_two, take_over
from private_server import MariaDB, NotHere, PostgreSQL, small_disk
from restored import DAYS, emptied, put_back
from troubles import EVERYTHING, TROUBLES, VARIANTS

from core.clock import today

DOC = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
SERVERS = {
    "sqlite": "",
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306"),
    "postgresql": os.environ.get("TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}
PRIVATE = {"mariadb": MariaDB, "postgresql": PostgreSQL}
# Where the hospital's own database lies while the HIS goes away.
HIS_BESIDE = {"sqlite": "mariadb", "mariadb": "postgresql", "postgresql": "mariadb"}
AWAY_SECONDS = 10.0
KILLS_A_SITE = 25
_LETTERS = {"sqlite": "S", "mariadb": "M", "postgresql": "P"}


@dataclass(frozen=True)
class Job:
    """A scenario to be played on one audit.

    Args:
        name: Of the scenario.
        audit: sqlite, mariadb or postgresql.
        play: Given a stage, plays it.
        needs: As a trouble's.
        claims: Size of the hospital.
        days: Its days.
    """

    name: str
    audit: str
    play: Callable[[Stage], Row]
    claims: int
    needs: str = ""
    days: int = 1


def jobs(asked: argparse.Namespace) -> list[Job]:
    """All that is to be played, what takes longest first."""
    todo = []
    for audit in asked.audits:
        todo.append(Job(EVERYTHING.name, audit, lambda stage: play(EVERYTHING, stage), asked.everything))
    for number in range(max(1, round(asked.kills / KILLS_A_SITE))):
        audit = asked.audits[number % len(asked.audits)]
        todo.append(
            Job(
                "kill -9",
                audit,
                lambda stage, n=number: kill_at_random(stage, KILLS_A_SITE, asked.seed + n),
                asked.claims,
            )
        )
    for audit in asked.audits:
        todo.append(Job("two runs started together", audit, start_two, asked.claims))
        if audit != "sqlite":
            todo.append(Job("a run cut off, another takes over", audit, take_over, asked.claims))
        todo.append(Job("yesterday's audit put back", audit, put_back, asked.claims, days=DAYS))
        todo.append(Job("audit emptied", audit, emptied, asked.claims, days=DAYS))
        for trouble in (*TROUBLES, *VARIANTS):
            if audit == "sqlite" and trouble.needs in ("audit cable", "server"):
                continue  # a file has neither
            days = 10 if trouble.needs == "his cable" else 1
            todo.append(
                Job(trouble.name, audit, lambda stage, t=trouble: play(t, stage), asked.claims, trouble.needs, days)
            )
    return [job for job in todo if not asked.only or any(words in job.name for words in asked.only)]


@contextmanager
def stage_of(job: Job, folder: Path, seed: int) -> Iterator[Stage]:
    """All that a job needs, made anew.

    Raises:
        NotHere: This machine lacks something of it.
    """
    folder.mkdir(mode=0o755)
    with ExitStack() as stack:
        enter = stack.enter_context
        server, disk, url = None, None, SERVERS[job.audit]
        if job.needs == "disk":
            disk = enter(small_disk(folder / "disk", megabytes=200 if url else 32))
        if job.needs == "data disk":
            disk = enter(small_disk(folder / "site" / "var", megabytes=16))
        if job.needs in ("server", "disk") and url:
            server = enter(PRIVATE[job.audit](disk or folder))
            url = server.url
        audit = enter(database(disk if disk and job.needs == "disk" else folder, url))
        his = enter(database(folder / "his", SERVERS[HIS_BESIDE[job.audit]] if job.needs == "his cable" else ""))
        hospital = build(his, claims=job.claims, days=job.days, seed=seed)
        sandbox = enter(sandbox_with_journal(folder / "moph"))
        yield enter(
            stage_on(folder / "site", hospital, sandbox, audit, away_seconds=AWAY_SECONDS, server=server, disk=disk)
        )


def carry_out(job: Job, folder: Path, seed: int) -> Row | Exception:
    """Play a job; `NotHere` where this machine lacks something, another exception where the suite broke over it."""
    try:
        with stage_of(job, folder, seed) as stage:
            return job.play(stage)
    except Exception as error:
        error.add_note(f"{job.name}, {job.audit}")
        return NotHere(f"{job.name}, {job.audit}: {error}") if isinstance(error, NotHere) else error


def _played(todo: Sequence[Job], folder: Path, asked: argparse.Namespace) -> Iterator[Row | Exception]:
    """What came of the jobs, as they end; several are played at a time."""
    pool = ThreadPoolExecutor(asked.parallel)
    try:
        under_way = [pool.submit(carry_out, job, folder / str(n), asked.seed) for n, job in enumerate(todo)]
        for done in as_completed(under_way):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def main() -> int:
    """Play everything, print the figures, write them down; 0 if all is as promised."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=300, help="runs killed at random instants, over all audits")
    options.add_argument("--claims", type=int, default=240, help="claims of each scenario's hospital")
    options.add_argument("--everything", type=int, default=5000, help="claims of the run with every fault at once")
    options.add_argument("--audits", nargs="+", default=list(SERVERS), choices=list(SERVERS))
    options.add_argument("--parallel", type=int, default=4, help="scenarios played at the same time")
    options.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="of the kills' instants")
    options.add_argument(
        "--only", nargs="+", help="only scenarios whose name holds one of these; writes no figures down"
    )
    asked = options.parse_args()
    _say(f"seed {asked.seed}")
    started = time.monotonic()
    rows: list[Row] = []
    undone: list[str] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as place, run_service(Path(place) / "prefect"):
        Path(place).chmod(0o755)  # servers run as users of their own
        for came in _played(jobs(asked), Path(place), asked):
            if isinstance(came, Row):
                rows.append(came)
                _say(_line(came))
            elif isinstance(came, NotHere):
                undone.append(str(came))
                _say(f"not done: {came}")
            else:
                broken += came.__notes__[-1:]
                _say(f"BROKEN {''.join(traceback.format_exception(came))}")
    minutes = (time.monotonic() - started) / 60
    figures = _figures(rows, undone, broken, asked, minutes)
    _say(figures)
    if not asked.only:
        before, _, rest = DOC.read_text(encoding="utf-8").partition(BEGIN)
        DOC.write_text(before + BEGIN + figures + END + rest.partition(END)[2], encoding="utf-8")
    return int(bool(broken) or not all(row.holds for row in rows))


def _line(row: Row) -> str:
    r = row.reckoning
    books = f"{r.claims} claims, {r.taken} taken, {r.accepted}+{r.presumed} in the ledger"
    wrong = f"{r.taken_twice} twice, {r.missing} missing, {r.unlike} unlike"
    runs = f"{row.left} left, {row.further_runs} further runs"
    kills = (
        f", {row.kills} kills, {row.kills_in_sending} in sending, {row.answers_lost} answers lost" if row.kills else ""
    )
    lived = f", the run took {row.ended.seconds:.0f} s and {row.ended.megabytes} MB" if row.ended else ""
    said = "".join(f"\n  {problem}" for problem in row.problems)
    return f"{'holds' if row.holds else 'FAILS'}  {row.name}, {row.audit}: {books}; {wrong}; {runs}{kills}{lived}{said}"


def _figures(
    rows: Sequence[Row], undone: Sequence[str], broken: Sequence[str], asked: argparse.Namespace, minutes: float
) -> str:
    """The part of the page that is made from the rows."""
    failed = [*(f"{row.name}, {row.audit}" for row in rows if not row.holds), *broken]
    verdict = f"**{len(failed)} of them did not hold**" if failed else "every one of them held"
    killed = [row for row in rows if row.kills]
    parts = [
        f"Last played on {today()}: {len(rows) + len(broken)} scenarios, {sum(row.kills for row in killed)} kills among them, in "
        f"{minutes:.0f} minutes; {verdict} (seed {asked.seed}, Python {platform.python_version()}, "
        f"{', '.join(_versions(asked.audits))}).\n",
        _table(["fault", "audits", *_BOOKS, "left", "runs", "s", "MB"], [_sum(*of_name) for of_name in _by_name(rows)]),
    ]
    if failed:
        parts.append("Did not hold: " + "; ".join(failed) + ".\n")
    if killed:
        by_audit = [[row for row in killed if row.audit == audit] for audit in asked.audits]
        heads = ["kill -9 of a run", "kills", "while sending", "answers lost", *_BOOKS, "runs"]
        parts.append(_table(heads, [_sum_of_kills(some) for some in by_audit if some]))
    of_everything = [(row, row.ended) for row in rows if row.name == EVERYTHING.name and row.ended is not None]
    for row, ended in of_everything:
        parts.append(
            f"{row.name}, {row.audit}: one run of {ended.seconds:.0f} s, {row.left} claims left for the next.\n"
        )
    for _, ended in of_everything[:1]:
        said = (ended.report or ended.failure or "nothing").partition("\n## By kind")[0]
        compact = said.replace("\n\n", "\n")
        parts.append(f"What such a run says, without its tables:\n\n```markdown\n{compact}\n```\n")
    if undone:
        parts.append("Not done on this machine: " + "; ".join(undone) + ".\n")
    return "\n".join(parts)


_BOOKS = ("claims", "accepted there", "in the ledger", "presumed", "twice", "missing")


def _books(rows: Sequence[Row]) -> list[str]:
    books = [row.reckoning for row in rows]
    columns = zip(*((b.claims, b.taken, b.accepted, b.presumed, b.taken_twice, b.missing) for b in books), strict=True)
    return [f"{sum(column):,}" for column in columns]


def _by_name(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows of a disturbed run, the audits of a fault together, in the order of the faults."""
    rank = {trouble.name: number for number, trouble in enumerate((*TROUBLES, *VARIANTS))}
    ordered = sorted((row for row in rows if not row.kills), key=lambda row: (rank.get(row.name, len(rank)), row.name))
    return [(name, list(some)) for name, some in groupby(ordered, key=lambda row: row.name)]


def _sum(name: str, rows: Sequence[Row]) -> list[str]:
    ended = [row.ended for row in rows if row.ended]
    audits = " ".join(letter for audit, letter in _LETTERS.items() if audit in {row.audit for row in rows})
    return [
        name,
        audits,
        *_books(rows),
        f"{sum(row.left for row in rows):,}",
        f"{max(row.further_runs for row in rows)}",
        f"{max(each.seconds for each in ended):.0f}" if ended else "",
        f"{max(each.megabytes for each in ended)}" if ended else "",
    ]


def _sum_of_kills(rows: Sequence[Row]) -> list[str]:
    kills = ((row.kills, row.kills_in_sending, row.answers_lost) for row in rows)
    sums = [f"{sum(column):,}" for column in zip(*kills, strict=True)]
    return [rows[0].audit, *sums, *_books(rows), f"{max(row.further_runs for row in rows)}"]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _versions(audits: Sequence[str]) -> Iterator[str]:
    for audit in audits:
        engine = sa.create_engine(SERVERS[audit] or "sqlite://", poolclass=sa.NullPool)
        with engine.connect() as connection:
            number = ".".join(str(part) for part in connection.dialect.server_version_info or ())
        yield f"{audit} {number}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""The program's runs as the flows carry them out, without Prefect, at a hospital whose records a test edits from day to day."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from edited_hospital import Key
from night_shift import Site

from core.clock import BANGKOK
from core.errors import MophClaimError
from flows.parameters import ImportParameters, ReconcileParameters, SubmitParameters
from flows.reports.sections import asked_line
from flows.runs.claim_run import ClaimRun
from flows.runs.import_workbook import open_import_run
from flows.runs.reconcile import open_reconcile_run
from flows.runs.submit import SubmitRun, open_submit_run
from flows.settings.model import Settings
from load.tables import claim, former_payload, issue, submission
from sandbox.process import Sandbox

ONE_AFTER_ANOTHER = {"concurrency": 1}  # so that the same story meets the same answers


class Calendar:
    """The program's clock, which a test puts forward; it begins on a day on which every list is valid."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Go back to the first day."""
        self._ahead = datetime(2026, 5, 20, 1, tzinfo=BANGKOK) - datetime.now(BANGKOK)

    def now(self, zone: tzinfo) -> datetime:
        """What `datetime.now` gives the program."""
        return datetime.now(zone) + self._ahead

    @property
    def today(self) -> date:
        """The day in Bangkok."""
        return self.now(BANGKOK).date()

    def pass_by(self, days: int) -> None:
        """Let days go by."""
        self._ahead += timedelta(days)


@dataclass
class Done:
    """What came of a run.

    Args:
        id: Its id in the audit; empty where it came to none.
        claims: The claims it has sent, or of a dry run would send.
        asked: The claims it has asked about first, or of a dry run would, because their source says otherwise now.
        issues: The open issues after it.
        failure: Why it ended early, if it did.
        asked_about: What a dry run of the night says of claims that would be asked about first.
    """

    id: str = ""
    claims: set[Key] = field(default_factory=set)
    asked: set[Key] = field(default_factory=set)
    issues: set[tuple[Any, ...]] = field(default_factory=set)
    failure: MophClaimError | None = None
    asked_about: list[str] = field(default_factory=list)


class Runs:
    """The program's runs, as the flows carry them out, and what the audit has of them.

    Args:
        settings: The settings in force.
        hcode: The facility.
    """

    def __init__(self, settings: Settings, hcode: str) -> None:
        self.settings = settings
        self.hcode = hcode
        self._audit = sa.create_engine(settings.audit_url(), poolclass=sa.NullPool)

    def submit(self, *, dry_run: bool = False, **asked: Any) -> Done:
        """The nightly run."""
        parameters = SubmitParameters.checked(dry_run=dry_run, **ONE_AFTER_ANOTHER, **asked)
        planned: set[Key] = set()
        with self._ending_in(Done()) as done, open_submit_run(self.settings, parameters, pytest.fail) as run:
            done.id = run.audit_run.id
            open_visits = run.open_visits()
            for day in run.days:
                run.extract_day(day)
                run.transform_day()
            deque(run.read_again(run.not_seen(open_visits)), maxlen=0)
            if dry_run:
                done.asked_about = [line.en for line in asked_line(run)]
                planned = {key[1:] for key in run.registrar.would_send} | self._waiting_of_workbooks(run)
            done.asked = {key[1:] for key in run.ledger.intake.otherwise}
            _send(run)
        return self._with_books(done, planned if dry_run else None)

    def _waiting_of_workbooks(self, run: SubmitRun) -> set[Key]:
        s = run.selection
        return {
            (c.kind, c.vn, c.item)
            for c in self.claims()
            if c.origin == "workbook" and c.state in s.states and s.first <= c.service_date <= s.last
        }

    def planned_reconcile(self) -> tuple[int, set[Key]]:
        """How many claims a dry run of `reconcile` finds would be sent, and which would be asked about first."""
        parameters = ReconcileParameters.checked(dry_run=True)
        with open_reconcile_run(self.settings, parameters, pytest.fail) as run:
            deque(run.read_again(run.open_visits()), maxlen=0)
            run.plan()
            return sum(run.would_send.values()), {key[1:] for key in run.ledger.intake.otherwise}

    def reconcile(self) -> Done:
        """What is left from earlier runs is sent."""
        parameters = ReconcileParameters.checked(**ONE_AFTER_ANOTHER)
        with self._ending_in(Done()) as done, open_reconcile_run(self.settings, parameters, pytest.fail) as run:
            done.id = run.audit_run.id
            deque(run.read_again(run.open_visits()), maxlen=0)
            done.asked = {key[1:] for key in run.ledger.intake.otherwise}
            _send(run)
            run.give_up()
            while transactions := run.next_transactions():
                run.ask(transactions)
        return self._with_books(done, None)

    def import_workbook(self, file: Path, *, dry_run: bool = False) -> tuple[Done, set[Key]]:
        """A workbook; also gives the claims that its rows became."""
        parameters = ImportParameters.checked(dry_run=dry_run, **ONE_AFTER_ANOTHER)
        made: set[Key] = set()
        opened = open_import_run(self.settings, file, file.name, parameters, pytest.fail)
        with self._ending_in(Done()) as done, opened as run:
            done.id = run.audit_run.id
            run.make_claims()
            made.update(run.claims)
            done.asked = {key[1:] for key in run.ledger.intake.otherwise}
            _send(run)
        return self._with_books(done, {key[1:] for key in run.registrar.would_send} if dry_run else None), made

    @contextmanager
    def _ending_in(self, done: Done) -> Iterator[Done]:
        try:
            yield done
        except MophClaimError as error:
            done.failure = error

    def _with_books(self, done: Done, planned: set[Key] | None) -> Done:
        done.claims = {(c.kind, c.vn, c.item) for c in self.claims() if c.run_id == done.id}
        if planned is not None:
            assert not done.claims
            done.claims = planned
        done.issues = self.issues()
        return done

    def claims(self) -> list[Any]:
        """The ledger's claims."""
        return self._rows(sa.select(claim).where(claim.c.hcode == self.hcode))

    def issues(self) -> set[tuple[Any, ...]]:
        """The open issues: what they are about (kind, vn, item first), and what they say."""
        names = ("kind", "vn", "item", "rule", "severity", "field", "service_date", "message_en")
        open_ = sa.and_(issue.c.hcode == self.hcode, issue.c.resolved_at.is_(None))
        return {tuple(row) for row in self._rows(sa.select(*(issue.c[name] for name in names)).where(open_))}

    def submitted(self, done: Done) -> list[Any]:
        """What a run has sent to be accepted: kind, vn, item, origin, payload."""
        c, s, f = claim.c, submission.c, former_payload.c
        former = sa.and_(f.claim_id == c.id, f.payload_hash == s.payload_hash)
        payload = sa.case((c.payload_hash == s.payload_hash, c.payload), else_=f.payload).label("payload")
        sent = sa.select(c.kind, c.vn, c.item, c.origin, payload).join_from(submission, claim, s.claim_id == c.id)
        return self._rows(sent.outerjoin(former_payload, former).where(s.run_id == done.id, s.call == "submit"))

    def _rows(self, query: "sa.Select[Any]") -> list[Any]:
        with self._audit.connect() as connection:
            return list(connection.execute(query))


def _send(run: ClaimRun) -> None:
    """What is due goes, where the run sends; before it, what is only asked about."""
    if not run.sends:
        return
    run.log_in()
    number = 0
    for chunk in run.chunks_to_ask():
        number += 1
        run.send_chunk(number, chunk)
        run.finish_sending()
    while chunk := run.next_chunk():
        number += 1
        run.send_chunk(number, chunk)
    run.finish_sending()


def site_of(folder: Path, sandbox: Sandbox, his: str, kind: str, audit: str, **lines: Any) -> Site:
    """A hospital's settings: nothing waits, and its own list takes a vaccine that the server does not."""
    ours = (Path(__file__).parents[2] / "transform" / "codes" / "vaccines.csv").read_text(encoding="utf-8")
    (folder / "vaccines.csv").write_text(
        f"{ours.rstrip()}\n815,epi,Influenza,ไข้หวัดใหญ่,,,,,,,,a test,\n", encoding="utf-8"
    )
    lines |= {"his.kind": kind, "audit.url": audit, "transform.codes_folder": str(folder)}
    return Site(folder / "site", his=his, sandbox=sandbox, lines=lines | {"api.backoff_seconds": 0})

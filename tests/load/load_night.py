"""Claims of invented people, and a run as `flows` makes one, in a few lines."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, select, update

from core.messages import Message
from load.account_center import TokenSource
from load.batch import Batch
from load.delivery import Delivery
from load.issues import record_issues
from load.ledger import Ledger
from load.ledger_writer import LedgerWriter
from load.queue import DueClaim
from load.runs import Run, start_run
from load.settings import ApiSettings, AuditSettings
from load.states import DUE, State
from load.tables import claim, facility_lock
from sandbox.process import Sandbox
from transform.claim import KINDS, SERVICES, Claim, Issue, Kind, payload_hash

DAY = date(2026, 9, 21)
LONG_AGO = datetime(2020, 1, 1).astimezone()


def pid(number: int) -> str:
    """The identity number that begins with these twelve digits, its check digit right."""
    digits = f"{number:012d}"
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(digits))
    return digits + str((11 - total % 11) % 10)


def make_claim(
    number: int = 1,
    kind: Kind = "dm",
    *,
    day: date = DAY,
    person: int | None = None,
    hcode: str = "10953",
    vn: str = "",
    **changes: Any,
) -> Claim:
    """A claim the sandbox takes, of a visit and (unless told) a person of that number; `changes` are of its payload."""
    seq = vn or f"69{number:010d}"
    identity = changes.get("pid") or pid(100_000_000_000 + (number if person is None else person))
    when = f"{day} 08:30"
    payload: dict[str, Any] = {
        "seq": seq,
        "hn": f"{number:09d}",
        "pid": identity,
        "id_type": "1",
        "title": "นาง",
        "fname": "ตัวอย่าง",
        "lname": "สมมติ",
        "occupa": "เกษตรกร",
        "marriage": "2",
        "dob": "1960-01-31",
        "sex": "2",
        "nation": "099",
        "hcode": hcode,
        "hospital_name": "โรงพยาบาลตัวอย่าง",
        "visit_date_time": when,
    }
    item = ""
    if kind in ("dm", "ht"):
        lab = {"dm": ("HbA1C", "32401", "7.2"), "ht": ("Creatinine (Cr)", "32202", "0.9")}[kind]
        payload |= {"uuc": "1", "is_used_dm": str(int(kind == "dm")), "is_used_ht": str(int(kind == "ht"))}
        payload["diagnosis"] = [{"dx_date_time": when, "icd10": "E119" if kind == "dm" else "I10", "dx_type": "1"}]
        payload["claim_services"] = [dict(zip(("name", "code", "lab_result"), lab, strict=True))]
    else:
        item = "106" if kind == "dt" else "043"
        dose = dict.fromkeys(("manufacturer", "site_code", "route_code", "note"), "")
        dose |= {"code": item, "lot_number": "LOT-1", "dose_quantity": "1", "expiration_date": "2028-01-31"}
        payload["vaccine"] = [dose | {"occurence_date_time": when, "license_no": "ว.00000", "name": "ผู้ให้ ตัวอย่าง"}]
    body = json.dumps(payload | changes, ensure_ascii=False, separators=(",", ":")).encode()
    return Claim(hcode, kind, seq, item, f"{number:09d}", identity, SERVICES[kind], day, 150, body, payload_hash(body))


def make_claims(count: int, **of_each: Any) -> list[Claim]:
    """Claims of as many visits and people."""
    return [make_claim(number, **of_each) for number in range(1, count + 1)]


def make_issue(vn: str = "690000000001", rule: str = "person.names", said: str = "no name", **changes: Any) -> Issue:
    """A record that did not become a claim."""
    of_issue: dict[str, Any] = {"kind": "dm", "hn": "000000001", "item": "", "severity": "error"}
    of_issue |= {"service_date": DAY, "column": "visits.fname", "hcode": "10953"} | changes
    return Issue(vn=vn, rule=rule, message=Message(said, said), **of_issue)


def settings_for(sandbox: Sandbox, **changes: Any) -> ApiSettings:
    """Settings for the sandbox that lose no time."""
    fast = {"backoff_seconds": 0.01, "read_timeout_seconds": 10.0, "connect_timeout_seconds": 5.0}
    account = {"username": "sandbox", "password": "sandbox-password"}
    here = {"token_url": sandbox.token_url, "api_url": sandbox.api_url}
    return ApiSettings.model_validate(account | here | fast | changes)


@contextmanager
def holding(
    engine: Engine,
    *,
    hcode: str = "10953",
    lease: float = 300,
    patience: float = 0,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[Run]:
    """A run that holds its facility."""
    settings = AuditSettings.model_construct(lease_seconds=lease, lock_wait_seconds=patience)
    of_run = {"environment": "sandbox", "hcode": hcode, "flow": "test", "parameters": {"from": DAY}}
    with start_run(engine, settings, on_wait=on_wait, **of_run) as run:
        yield run


class ToldWriter(LedgerWriter):
    """A writer that tells, after every commit of results, how many of the claims sent so far are in each state."""

    def __init__(self, engine: Engine, run: Run, on_progress: Callable[[Counter[State]], None]) -> None:
        super().__init__(engine, run)
        self._counts: Counter[State] = Counter()
        self._on_progress = on_progress

    def write(self, batch: Batch, *, wait_for_room: bool = True) -> Sequence[DueClaim]:
        going = super().write(batch, wait_for_room=wait_for_room)
        self._counts.update(r.state for r in batch.results)
        if batch.results:
            self._on_progress(self._counts)
        return going


def told_ledger(engine: Engine, run: Run, on_progress: Callable[[Counter[State]], None]) -> Ledger:
    """A ledger whose writer is such a one; the writing thread calls `on_progress`."""
    ledger = Ledger(engine, run)
    ledger.writer = ToldWriter(engine, run, on_progress)
    return ledger


def night(
    engine: Engine,
    settings: ApiSettings,
    claims: Sequence[Claim] | None = None,
    *,
    states: Collection[State] = DUE,
    concurrency: int = 4,
    chunk_size: int = 1000,
    lease: float = 300,
    on_progress: Callable[[Counter[State]], None] = lambda _: None,
) -> Counter[State]:
    """One run: recover, register (unless there are no claims to), send what is due; where the claims sent stand."""
    with holding(engine, lease=lease, patience=lease) as run:
        ledger = told_ledger(engine, run, on_progress)
        ledger.writer.recover()
        if claims is not None:
            for day in sorted({c.service_date for c in claims}):
                ledger.intake.register(day, KINDS, [c for c in claims if c.service_date == day])
        tokens = TokenSource(settings, run.hcode)
        try:
            with Delivery(settings, ledger, tokens, concurrency) as delivery:
                number = 0
                while due := ledger.queue.due(states, KINDS, DAY - timedelta(9), DAY + timedelta(9), chunk_size):
                    number += 1
                    delivery.send_chunk(number, due)
                delivery.finish()
                run.counts = {"sent": delivery.counts}
                return delivery.counts
        finally:
            run.log_ins = tokens.log_ins


def note(ledger: Ledger, day: date, kinds: Collection[Kind], issues: Sequence[Issue]) -> None:
    """The day's issues, by the run that holds the ledger."""
    record_issues(ledger.writer._engine, ledger.writer._run, day, kinds, issues)


def rows(engine: Engine, table: Table, **where: Any) -> list[Any]:
    """The rows of a table with these values, in the order they were written."""
    query = select(table)
    for name, value in where.items():
        query = query.where(table.c[name] == value)
    with engine.connect() as connection:
        found = list(connection.execute(query))
    return sorted(found, key=lambda row: getattr(row, "id", 0))


def standing(engine: Engine, **where: Any) -> Counter[str]:
    """How many claims stand in each state."""
    return Counter(row.state for row in rows(engine, claim, **where))


def let_leases_run_out(engine: Engine) -> None:
    """As if all runs had been silent for long."""
    with engine.begin() as connection:
        connection.execute(update(facility_lock).values(expires_at=LONG_AGO))


def values(table: Table, row: Any) -> dict[str, Any]:
    """A row as a statement that writes it anew takes it: by the names that columns have in the program."""
    return {column.key: getattr(row, column.name) for column in table.c}

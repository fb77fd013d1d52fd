"""An audit with rows in every table: two nights, a mended claim, an access, issues, and a workbook's rows."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

from load_night import DAY, make_claim, make_claims, make_issue, night, note, settings_for
from sqlalchemy import Connection, Engine

from core.clock import now
from load.accesses import record_access
from load.erasure import erase
from load.ledger import Ledger
from load.runs import Run, start_run
from load.seals import ERASE_FLOW
from load.settings import AuditSettings
from load.tables import workbook_row
from load.triggers import drop_triggers, make_triggers
from sandbox.process import Sandbox
from transform.claim import KINDS

HCODE = "10953"


def held_by(engine: Engine, flow: str) -> AbstractContextManager[Run]:
    """A run of this flow that holds the facility."""
    settings = AuditSettings.model_construct(lease_seconds=300, lock_wait_seconds=0)
    return start_run(engine, settings, environment="sandbox", hcode=HCODE, flow=flow, parameters={"from": DAY})


def fill(engine: Engine, sandbox: Sandbox) -> None:
    """Fill it, the server's answers held for one visit and refused for another."""
    settings = settings_for(sandbox)
    sandbox.change(no_closing_code_visits=[make_claim(3).vn])
    faulty = make_claim(4, uuc="9")
    night(engine, settings, [*make_claims(3), faulty], concurrency=1)
    night(engine, settings, [*make_claims(3), make_claim(4)], concurrency=1)
    record_access(engine, "sandbox", "audit show --payload", "690000000001", hcode=HCODE)
    with held_by(engine, "import-workbook") as importing:
        ledger = Ledger(engine, importing)
        note(ledger, DAY, KINDS, [make_issue(vn) for vn in ("690000000071", "690000000072")])
        of_file = {"run_id": importing.id, "file_hash": "f" * 64, "file_name": "สมชาย.xlsx", "sheet": "dm"}
        of_row = {"kind": "dm", "vn": "690000000001", "item": "", "refusal_th": "ไม่มี", "refusal_en": "none"}
        with engine.begin() as connection:
            connection.execute(
                workbook_row.insert(),
                [
                    of_file | of_row | {"row_number": number, "claim_id": claim_id}
                    for number, claim_id in ((2, 1), (3, None))
                ],
            )
    with held_by(engine, "reconcile"):
        pass


@contextmanager
def without_triggers(engine: Engine) -> Iterator[Connection]:
    """As its owner can change it: without its triggers, which are there again afterwards."""
    with engine.begin() as connection:
        drop_triggers(connection)
        yield connection
        make_triggers(connection)


def erase_all(engine: Engine) -> Run:
    """Erase everything that is not open."""
    with held_by(engine, ERASE_FLOW) as erasing:
        erase(engine, erasing, (now() + timedelta(days=400)).date())
    return erasing

"""Imported workbooks on three databases: every row kept for good, and the nights that follow an import."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import pytest
from databases import SQLITE_FIRST
from load_night import DAY, holding, make_claim, rows, settings_for
from sqlalchemy import Engine, select

from core.messages import Message
from load.account_center import TokenSource
from load.claim_history import claim_histories
from load.delivery import Delivery
from load.issues import record_issues
from load.ledger import Ledger
from load.queries import open_issues
from load.runs import start_run
from load.settings import AuditSettings
from load.states import DUE, State
from load.tables import claim, submission, workbook_row
from load.tables import run as run_table
from load.workbook_rows import FLOW, WorkbookRow, imported_before, record_rows
from sandbox.process import Sandbox
from sandbox.world import Account
from transform.after_acceptance import after_acceptance
from transform.claim import KINDS, Claim, Issue

FILE = "มีนาคม 2569.xlsx"
HASH = "ab" * 32


@pytest.fixture(params=SQLITE_FIRST)
def each_audit(request: pytest.FixtureRequest, shared_audits: Callable[[str], Engine]) -> Engine:
    return shared_audits(request.param)


def row_of(made: Claim, number: int = 5, sheet: str = "DMHT") -> WorkbookRow:
    return WorkbookRow(sheet, number, made.kind, made.vn, made.item, made.key)


# Where claims come from.


def test_every_row_of_a_workbook_stands_there_with_its_claim_or_why_there_is_none(each_audit: Engine, hcode: str):
    lab, dose = make_claim(1, hcode=hcode), make_claim(2, "epi", hcode=hcode)
    why = Message("ไม่มีวันที่", "no date")
    with holding(each_audit, hcode=hcode) as run:
        Ledger(each_audit, run).intake.register(DAY, KINDS, [lab, dose], origin="workbook")
        sheet = [row_of(lab), row_of(lab, 6), row_of(dose, 5, "EPI"), WorkbookRow("EPI", 6, "epi", "9", "", None, why)]
        record_rows(each_audit, run, HASH, FILE, [*sheet, WorkbookRow("EPI", 7, "", "", "", None, why)])
    of_lab, of_dose = rows(each_audit, claim, hcode=hcode)
    noted = [row._mapping for row in rows(each_audit, workbook_row, run_id=run.id)]
    assert {(row["file_name"], row["file_hash"]) for row in noted} == {(FILE, HASH)}
    columns = ("sheet", "row_number", "kind", "vn", "item", "claim_id", "refusal_th", "refusal_en")
    assert [tuple(row[name] for name in columns) for row in noted] == [
        ("DMHT", 5, "dm", lab.vn, "", of_lab.id, None, None),
        ("DMHT", 6, "dm", lab.vn, "", of_lab.id, None, None),
        ("EPI", 5, "epi", dose.vn, "043", of_dose.id, None, None),
        ("EPI", 6, "epi", "9", "", None, "ไม่มีวันที่", "no date"),
        ("EPI", 7, "", "", "", None, "ไม่มีวันที่", "no date"),
    ]


def test_a_claims_life_tells_the_file_the_sheet_and_the_row(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    for number in (5, 9):
        with holding(each_audit, hcode=hcode) as run:
            Ledger(each_audit, run).intake.register(DAY, KINDS, [made], origin="workbook")
            record_rows(each_audit, run, HASH, FILE, [row_of(made, number), row_of(make_claim(2, hcode=hcode))])
    (life,) = claim_histories(each_audit, "sandbox", made.vn, hcode)
    assert [(row.file_name, row.sheet, row.row_number) for row in life.workbook_rows] == [
        (FILE, "DMHT", 5),
        (FILE, "DMHT", 9),
    ]
    assert [row.flow for row in life.workbook_rows] == ["test", "test"]
    assert life.workbook_rows[-1].run_id == run.id


def test_rows_are_written_once_though_the_answer_to_their_commit_was_lost(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    with holding(each_audit, hcode=hcode) as run:
        for _ in range(2):
            record_rows(each_audit, run, HASH, FILE, [row_of(made)])
        record_rows(each_audit, run, "cd" * 32, "อีกไฟล์.xlsx", [row_of(made)])
    assert [row.file_hash for row in rows(each_audit, workbook_row, run_id=run.id)] == [HASH, "cd" * 32]


def test_many_rows_are_written_and_a_part_of_one_claim_each(each_audit: Engine, hcode: str):
    claims = [make_claim(number, hcode=hcode) for number in range(1, 1202)]
    with holding(each_audit, hcode=hcode) as run:
        Ledger(each_audit, run).intake.register(DAY, KINDS, claims, origin="workbook")
        record_rows(each_audit, run, HASH, FILE, [row_of(c, n) for n, c in enumerate(claims, start=5)])
        assert Ledger(each_audit, run).queue.count_due(DUE, KINDS, DAY, DAY, of_workbook=True) == 1201
    query = select(workbook_row.c.vn, claim.c.vn).join(claim, claim.c.id == workbook_row.c.claim_id)
    with each_audit.connect() as connection:
        pairs = connection.execute(query.where(workbook_row.c.run_id == run.id)).all()
    assert len(pairs) == 1201
    assert all(one == other for one, other in pairs)


def test_a_row_is_kept_whatever_a_person_has_written_there(each_audit: Engine, hcode: str):
    with holding(each_audit, hcode=hcode) as run:
        odd = WorkbookRow("ก" * 200, 5, "dm", "9" * 200, "x" * 200, None, Message("ยาว" * 999, "long"))
        record_rows(each_audit, run, HASH, "ช" * 400 + ".xlsx", [odd])
    (row,) = rows(each_audit, workbook_row, run_id=run.id)
    assert [len(text) for text in (row.file_name, row.sheet, row.vn, row.item)] == [255, 64, 32, 32]
    assert row.refusal_th == "ยาว" * 999


def test_a_row_is_no_part_of_another_facilitys_claim(each_audit: Engine, hcode: str):
    made = make_claim(hcode=hcode)
    with holding(each_audit, hcode=hcode) as run:
        Ledger(each_audit, run).intake.register(DAY, KINDS, [made])
    with holding(each_audit, hcode="9" + hcode[1:]) as another:
        record_rows(each_audit, another, HASH, FILE, [row_of(made)])
    assert [row.claim_id for row in rows(each_audit, workbook_row, run_id=another.id)] == [None]


# Whether a file was imported before.


def import_file(engine: Engine, hcode: str, file_hash: str, *, flow: str = FLOW, dies: bool = False) -> str:
    with (
        suppress(KeyboardInterrupt),
        start_run(engine, AuditSettings(), environment="sandbox", hcode=hcode, flow=flow, parameters={}) as run,
    ):
        record_rows(engine, run, file_hash, FILE, [WorkbookRow("DMHT", 5, "dm", "1", "", None)])
        assert imported_before(engine, "sandbox", hcode, file_hash) is None  # it is not at its end
        if dies:
            raise KeyboardInterrupt
    return run.id


def test_the_run_that_imported_a_file_is_known(each_audit: Engine, hcode: str):
    file_hash = f"{hcode:0>64}"
    assert imported_before(each_audit, "sandbox", hcode, file_hash) is None
    run_id = import_file(each_audit, hcode, file_hash)
    before = imported_before(each_audit, "sandbox", hcode, file_hash)
    assert before is not None
    (started,) = (row.started_at for row in rows(each_audit, run_table, id=run_id))
    assert (before.id, before.flow, before.started_at) == (run_id, FLOW, started)
    assert imported_before(each_audit, "prd", hcode, file_hash) is None
    assert imported_before(each_audit, "sandbox", "9" + hcode[1:], file_hash) is None
    assert imported_before(each_audit, "sandbox", hcode, "ef" * 32) is None


def test_an_import_that_died_or_was_no_import_does_not_count(each_audit: Engine, hcode: str):
    file_hash = f"{hcode:0>64}"
    import_file(each_audit, hcode, file_hash, dies=True)
    import_file(each_audit, hcode, file_hash, flow="another")
    assert imported_before(each_audit, "sandbox", hcode, file_hash) is None


# An import, and the nights after it, with MOPH Claim.


class Hospital:
    """A facility that has a HIS and officers with workbooks."""

    def __init__(self, sandbox: Sandbox, audit: Engine, hcode: str) -> None:
        self.sandbox = sandbox
        self.audit = audit
        self.hcode = hcode
        sandbox.change(accounts=[Account(hospital_code=hcode)])

    def claim(self, number: int = 1, **changes: Any) -> Claim:
        return make_claim(number, hcode=self.hcode, **changes)

    def night(self, *claims: Claim, issues: Sequence[Issue] = ()) -> None:
        """The HIS gives these, and nothing else; what is due is sent."""
        with holding(self.audit, hcode=self.hcode) as run:
            ledger = Ledger(self.audit, run)
            taken = after_acceptance(ledger.intake.accepted_on(DAY, KINDS, claims), DAY)
            record_issues(self.audit, run, DAY, KINDS, [*issues, *taken], claims)
            ledger.intake.register(DAY, KINDS, claims)
            self._send(ledger)

    def workbook(self, *claims: Claim, issues: Sequence[Issue] = ()) -> None:
        """A person imports a workbook of these."""
        with holding(self.audit, hcode=self.hcode) as run:
            ledger = Ledger(self.audit, run)
            visits = {c.vn for c in claims} | {i.vn for i in issues}
            record_issues(self.audit, run, DAY, KINDS, issues, claims, origin="workbook", visits=visits)
            ledger.intake.register(DAY, KINDS, claims, origin="workbook")
            record_rows(self.audit, run, HASH, FILE, [row_of(c) for c in claims])
            self._send(ledger, of_workbook=True)

    def _send(self, ledger: Ledger, *, of_workbook: bool = False) -> None:
        api = settings_for(self.sandbox)
        with Delivery(api, ledger, TokenSource(api, self.hcode), 2) as delivery:
            while due := ledger.queue.due(DUE, KINDS, DAY, DAY, 100, of_workbook=of_workbook):
                delivery.send_chunk(1, due)
            delivery.finish()

    def stands(self, number: int = 1) -> tuple[str, str]:
        (row,) = rows(self.audit, claim, hcode=self.hcode, vn=self.claim(number).vn)
        return row.state, row.origin

    def hold(self, vns: Collection[str]) -> None:
        self.sandbox.change(no_closing_code_visits=list(vns))

    def sendings(self, number: int = 1) -> int:
        (row,) = rows(self.audit, claim, hcode=self.hcode, vn=self.claim(number).vn)
        return len(rows(self.audit, submission, claim_id=row.id, call="submit"))

    def listed(self) -> list[str]:
        return open_issues(self.audit, "sandbox", hcode=self.hcode)["rule"].tolist()


@pytest.fixture
def hospital(sandbox: Sandbox, each_audit: Engine, hcode: str) -> Hospital:
    return Hospital(sandbox, each_audit, hcode)


def test_what_was_taken_from_a_workbook_is_not_sent_again_and_not_compared_when_the_his_gives_it_otherwise(
    hospital: Hospital,
):
    hospital.workbook(hospital.claim())
    assert hospital.stands() == (State.ACCEPTED, "workbook")
    for given in ([hospital.claim(marriage="1")], [], [hospital.claim(marriage="3")]):
        hospital.night(*given)
        assert hospital.stands() == (State.ACCEPTED, "workbook")
    assert hospital.sendings() == 1
    assert hospital.listed() == []


def test_a_claim_of_a_workbook_that_waits_for_its_closing_code_goes_by_night_as_the_workbook_has_it(
    hospital: Hospital,
):
    of_workbook = hospital.claim()
    hospital.hold([of_workbook.vn])
    hospital.workbook(of_workbook)
    for given in ([hospital.claim(marriage="1")], []):
        hospital.night(*given)
        assert hospital.stands() == (State.HELD, "workbook")
    hospital.hold([])
    hospital.night(hospital.claim(marriage="1"))
    assert hospital.stands() == (State.ACCEPTED, "workbook")
    (row,) = rows(hospital.audit, claim, hcode=hospital.hcode)
    assert row.sent_hash == row.payload_hash == of_workbook.payload_hash


def test_a_claim_refused_from_a_workbook_goes_once_it_is_mended_in_the_his(hospital: Hospital):
    hospital.workbook(hospital.claim(marriage="married"))
    assert hospital.stands() == (State.CORRECTABLE, "workbook")
    hospital.night()
    assert hospital.stands() == (State.CORRECTABLE, "workbook")
    hospital.night(hospital.claim())
    assert hospital.stands() == (State.ACCEPTED, "his")


def test_a_claim_refused_from_the_his_and_again_from_a_workbook_is_the_workbooks_to_correct(hospital: Hospital):
    as_in_his = hospital.claim(marriage="married")
    hospital.night(as_in_his)
    hospital.workbook(hospital.claim(marriage="widowed"))
    for _ in range(2):
        hospital.night(as_in_his)
        assert hospital.stands() == (State.CORRECTABLE, "workbook")
    assert hospital.sendings() == 2
    hospital.workbook(hospital.claim())
    hospital.night(as_in_his)
    assert hospital.stands() == (State.ACCEPTED, "workbook")
    assert hospital.sendings() == 3


def test_a_claim_that_waits_in_the_his_is_corrected_in_a_workbook_and_goes_once(hospital: Hospital):
    hospital.hold([hospital.claim().vn])
    hospital.night(hospital.claim())
    hospital.hold([])
    hospital.workbook(hospital.claim(marriage="1"))
    hospital.night(hospital.claim())
    assert hospital.stands() == (State.ACCEPTED, "workbook")
    assert len(hospital.sandbox.accepted()) == 1


def test_an_import_sends_its_own_claims_alone(hospital: Hospital):
    hospital.hold([hospital.claim(2).vn])
    hospital.night(hospital.claim(2))
    hospital.hold([])
    hospital.workbook(hospital.claim(1))
    assert hospital.stands(1) == (State.ACCEPTED, "workbook")
    assert hospital.stands(2) == (State.HELD, "his")


def test_a_late_workbook_of_what_the_his_has_claimed_is_settled(hospital: Hospital):
    hospital.night(hospital.claim())
    hospital.workbook(hospital.claim(marriage="1"))
    assert hospital.stands() == (State.ACCEPTED, "his")
    assert hospital.sendings() == 1
    (life,) = claim_histories(hospital.audit, "sandbox", hospital.claim().vn, hospital.hcode)
    assert [row.file_name for row in life.workbook_rows] == [FILE]
    hospital.night(hospital.claim(marriage="3"))
    assert hospital.listed() == ["taken.changed"]

"""An import where there is a HIS: what that knows of the workbook's persons and visits counts; runs without the orchestrator."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from night_shift import FIRST_DAY, Site
from officer import Rows, fill, rows_of

from extract.errors import SourceError
from extract.statements import BUILT_IN
from flows.parameters import ImportParameters
from flows.reports.import_report import report_import_run
from flows.reports.row_outcomes import row_outcomes
from flows.runs.import_workbook import ImportRun, open_import_run
from flows.settings.read import read_settings
from load.issues import record_issues
from load.workbook.result_content import RowOutcome
from sandbox.his import DENSE, build_hosxp, build_jhcis
from sandbox.process import Sandbox
from transform.claim import Issue, Kind
from transform.rules import registry

DAY = FIRST_DAY
HCODE = "10953"
BUILD = {"hosxp": build_hosxp, "jhcis": build_jhcis}


@dataclass(frozen=True)
class Hospital:
    """A HIS of one day, all of whose claims are faultless, and a workbook that says the same.

    Args:
        kind: hosxp or jhcis.
        file: Its database.
        rows: The workbook's rows.
    """

    kind: str
    file: Path
    rows: Rows

    def row(self, *codes: str) -> dict[str, Any]:
        """The first row with one of these tests or vaccines."""
        rows = [row for sheet in self.rows.values() for row in sheet]
        return next(r for r in rows if {r.get("lab_code"), r.get("vaccine_code")}.intersection(codes))

    def execute(self, statement: str, **values: Any) -> None:
        engine = sa.create_engine(f"sqlite:///{self.file}", poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def diagnose(self, hn: object, day: str = "2022-03-01") -> None:
        """Hypertension at an earlier visit of the person."""
        if self.kind == "hosxp":
            self.execute("INSERT INTO ovst (vn, hn, vstdate) VALUES ('650301080000', :hn, :day)", hn=hn, day=day)
            self.execute("INSERT INTO ovstdiag (ovst_diag_id, vn, icd10) VALUES (999999, '650301080000', 'I10')")
        else:
            visit = "INSERT INTO visit (pcucode, visitno, visitdate, pcucodeperson, pid) VALUES (:hcode, 999999, :day, :hcode, :hn)"
            self.execute(visit, hcode=HCODE, hn=int(str(hn)), day=day)
            self.execute(
                "INSERT INTO visitdiag (pcucode, visitno, diagcode) VALUES (:hcode, 999999, 'I10')", hcode=HCODE
            )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Hospital]:
    """A hospital of a kind, built once."""
    hospitals: dict[str, Hospital] = {}

    def build(kind: str) -> Hospital:
        if kind not in hospitals:
            file = tmp_path_factory.mktemp(kind) / "his.sqlite"
            BUILD[kind](f"sqlite:///{file}", first_day=DAY, days=1, visits_a_day=12, traps=False, mix=DENSE)
            hospitals[kind] = Hospital(kind, file, rows_of(f"sqlite:///{file}", [DAY], kind))
        return hospitals[kind]

    return build


@pytest.fixture
def kind() -> str:
    return "hosxp"


@pytest.fixture
def his(kind: str, built: Callable[[str], Hospital], tmp_path: Path) -> Hospital:
    """A hospital that a test may change."""
    made = built(kind)
    return Hospital(kind, Path(shutil.copyfile(made.file, tmp_path / "his.sqlite")), made.rows)


class Desk:
    """Where a workbook is imported with the HIS at hand."""

    def __init__(self, site: Site, book: Path) -> None:
        self.site, self.book = site, book
        self.found: list[RowOutcome] = []
        self.report = ""

    def imports(self, before: Callable[[ImportRun], None] = lambda _: None, **asked: Any) -> "Desk":
        """Import the workbook, once something else has been done in the run."""
        parameters = ImportParameters.checked(**{"concurrency": 4, **asked})
        with open_import_run(read_settings(), self.book, self.book.name, parameters, lambda _: None) as run:
            before(run)
            run.make_claims()
            if run.sends and run.count_due():
                run.log_in()
                while chunk := run.next_chunk():
                    run.send_chunk(1, chunk)
                run.finish_sending()
            self.found = row_outcomes(run)
            self.report = report_import_run(run, self.found, None).body
        return self

    def told(self) -> dict[str, list[str]]:
        """The reasons in English of what is not accepted, by outcome."""
        said: dict[str, list[str]] = {}
        for a in self.found:
            if a.outcome.en != "accepted":
                said.setdefault(a.outcome.en, []).append(str(a.reason.en if a.reason else ""))
        return said

    def sent(self) -> set[tuple[str, str]]:
        """The claims that were taken, by kind and visit number."""
        return {(a["kind"], a["seq"]) for a in self.site.sandbox.accepted()}


@pytest.fixture
def desk(his: Hospital, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Desk:
    site = Site(
        tmp_path / "site", his=f"sqlite:///{his.file}", sandbox=sandbox, lines={"language": "en", "his.kind": his.kind}
    )
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    return Desk(site, fill(tmp_path / "claims.xlsx", his.rows))


@pytest.mark.parametrize("kind", BUILD)
def test_a_person_hypertensive_in_the_his_is_not_sent_as_new(desk: Desk, his: Hospital) -> None:
    person = his.row("32202", "32103")
    his.diagnose(person["hn"])
    desk.imports()
    # Was: accepted, as the workbook alone was looked at.
    assert ("ht", person["vn"]) not in desk.sent()
    assert desk.sent()
    (reasons,) = desk.told().values()
    assert desk.told().keys() == {"nothing to claim"}
    assert {"2022-03-01" in reason for reason in reasons} == {True}


@pytest.mark.slow
@pytest.mark.parametrize("indexed", [True, False])
def test_a_person_is_known_under_another_hospital_number(desk: Desk, his: Hospital, indexed: bool) -> None:
    person = his.row("32202", "32103")
    his.execute("INSERT INTO patient (hn, cid) VALUES ('999999999', :cid)", cid=person["cid"])
    if indexed:
        his.execute("CREATE INDEX ix_patient_cid ON patient (cid)")
    his.diagnose("999999999")
    desk.imports()
    assert (("ht", person["vn"]) in desk.sent()) is not indexed
    assert ("asks for earlier diagnoses by hospital number alone" in desk.report) is not indexed


def test_what_the_his_claimed_itself_does_not_go_again_and_the_row_says_so(desk: Desk, his: Hospital) -> None:
    visit, dose = his.row("32401"), his.row("106")
    eligible = (
        "INSERT INTO ovst_nhso_eligible (ovst_nhso_eligible_id, vn, claim_transaction_uid) VALUES (1, :vn, 'uid-1')"
    )
    his.execute(eligible, vn=visit["vn"])
    his.execute(
        "INSERT INTO ovst_vaccine_eligible (ovst_vaccine_eligible_id, ovst_vaccine_id, claim_transaction_uid) "
        "SELECT 1, MIN(v.ovst_vaccine_id), 'uid-2' FROM ovst_vaccine v WHERE v.vn = :vn",
        vn=dose["vn"],
    )
    desk.imports()
    # Was: both accepted, a second time.
    assert desk.sent().isdisjoint({("dm", visit["vn"]), ("dt", dose["vn"])})
    assert desk.told().keys() == {"nothing to claim"}
    reasons = " ".join(desk.told()["nothing to claim"])
    assert "uid-1" in reasons and "uid-2" in reasons


def test_a_his_that_does_not_answer_keeps_everything_and_is_said_in_a_sentence(desk: Desk, his: Hospital) -> None:
    desk.site.set(facility__hcode=HCODE, facility__name="รพ.สต.ตัวอย่าง")
    his.file.unlink()
    with pytest.raises(SourceError, match="Nothing was sent, for the HIS is asked first and could not be: ") as told:
        desk.imports()
    assert "\n" not in told.value.message.en
    assert (desk.sent(), desk.site.rows("select 1 from claim")) == (set(), [])


def test_without_a_his_nothing_is_asked(desk: Desk, his: Hospital) -> None:
    his.diagnose(his.row("32202", "32103")["hn"])
    desk.site.set(his__url="", facility__hcode=HCODE, facility__name="รพ.สต.ตัวอย่าง")
    assert desk.imports().told() == {}


@pytest.mark.slow
def test_a_folder_that_cannot_be_asked_for_persons_is_said(desk: Desk, his: Hospital, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(BUILT_IN / "hosxp", own)
    (own / "persons.sql").unlink()
    desk.site.set(his__kind="own", his__sql_folder=str(own))
    assert "The HIS's SQL folder has no persons.sql" in desk.imports().report
    assert desk.told() == {}


def found_in_his(
    row: dict[str, Any], kind: Kind, rule: str, column: str, item: str = ""
) -> Callable[[ImportRun], None]:
    """What a nightly reading of the HIS has written down of a visit."""
    said = registry()[rule].sentence(icd10="I10", date="2022-03-01", months=3)
    issue = Issue(HCODE, kind, row["vn"], row["hn"], item, DAY, rule, "error", said, column)
    return lambda run: record_issues(run.engine, run.audit_run, DAY, (kind,), [issue])


@pytest.mark.parametrize(
    ("code", "kind_of_claim", "rule", "column"),
    [
        ("32202", "ht", "ht.not_newly_diagnosed", "diagnoses.earlier"),
        ("32401", "dm", "dm.interval", "visits.visit_date"),
    ],
)
def test_an_open_verdict_on_the_visit_holds_its_row_back_and_stays_open(
    desk: Desk, his: Hospital, code: str, kind_of_claim: Kind, rule: str, column: str
) -> None:
    row = his.row(code)
    desk.imports(found_in_his(row, kind_of_claim, rule, column))
    # Was: accepted, and the issue resolved.
    assert (kind_of_claim, row["vn"]) not in desk.sent()
    (reason,) = set(desk.told()["nothing to claim"])
    assert reason.startswith("As read from the HIS: ")
    assert reason.endswith("It cannot be claimed; nothing needs to be done.")
    (issue,) = desk.site.rows("select rule, origin, resolved_at from issue where severity = 'error'")
    assert issue == {"rule": rule, "origin": "his", "resolved_at": None}


def test_an_open_issue_that_can_be_mended_is_mended_by_a_workbook(desk: Desk, his: Hospital) -> None:
    row = his.row("106")
    desk.imports(found_in_his(row, "dt", "vaccine.lot_missing", "vaccinations.lot_number", "106"))
    assert ("dt", row["vn"]) in desk.sent()
    assert desk.site.rows("select 1 from issue where severity = 'error' and resolved_at is null") == []


def test_a_verdict_that_the_workbook_confirms_stays_the_his_s_own(desk: Desk, his: Hospital) -> None:
    row = his.row("32202")
    his.diagnose(row["hn"])
    desk.imports(found_in_his(row, "ht", "ht.not_newly_diagnosed", "diagnoses.earlier"))
    # Was: the workbook's issue, which the next workbook that does not find it resolves.
    of_visit = f"select origin, resolved_at from issue where severity = 'error' and vn = '{row['vn']}'"
    assert desk.site.rows(of_visit) == [{"origin": "his", "resolved_at": None}]


@pytest.mark.slow
def test_a_verdict_does_not_change_what_was_accepted_before_it(desk: Desk, his: Hospital) -> None:
    row = his.row("32202")
    desk.imports()
    other = fill(desk.book.with_name("again.xlsx"), his.rows)
    desk.book = other
    desk.imports(found_in_his(row, "ht", "ht.not_newly_diagnosed", "diagnoses.earlier"))
    assert desk.told() == {}

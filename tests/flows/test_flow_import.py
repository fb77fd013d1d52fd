"""`import-workbook`: the claims of a workbook go through the same rules, ledger and audit as those of the night."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from command_line import moph_claim
from night_shift import Ended, Site, Trial, artifacts_of
from officer import change, fill, rows_of, sheet_of, titles
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Failed, Running
from rights import without_power_over_rights

from core.clock import today
from flows.import_workbook import _import_by_hand, import_in_process, import_workbook
from flows.inbox import watcher
from flows.inbox.folder import Inbox, reserved_result
from flows.parameters import ImportParameters
from sandbox.his import DENSE, build_hosxp
from sandbox.process import running_sandbox

pytestmark = pytest.mark.xdist_group("flow_import")

DAYS = [today() - timedelta(days=3), today() - timedelta(days=2)]
WINDOW = {"date_from": DAYS[0].isoformat(), "date_to": DAYS[-1].isoformat()}


@pytest.fixture(scope="module")
def clean_hospital(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a hospital of two days, all of whose claims are faultless."""
    url = f"sqlite:///{tmp_path_factory.mktemp('clean-his') / 'hosxp.sqlite'}"
    build_hosxp(url, first_day=DAYS[0], days=len(DAYS), visits_a_day=24, traps=False, mix=DENSE)
    return url


@pytest.fixture(scope="module")
def filled(clean_hospital: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template, filled with what that hospital's database says."""
    return fill(tmp_path_factory.mktemp("filled") / "claims.xlsx", rows_of(clean_hospital, DAYS))


@pytest.fixture
def officer(trial: Trial, clean_hospital: str) -> Trial:
    """A trial at that hospital, whose inbox takes files at once."""
    trial.site.set(language="th", his__url=clean_hospital, inbox__settle_seconds=0)
    return trial


def inbox(trial: Trial) -> Path:
    folder = trial.site.folder / "var" / "inbox"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def put(trial: Trial, file: Path, name: str = "claims.xlsx") -> None:
    shutil.copyfile(file, inbox(trial) / name)


def imported(trial: Trial, file: Path, name: str = "claims.xlsx", **parameters: Any) -> Ended:
    put(trial, file, name)
    return trial.import_workbook(**parameters)


def done(trial: Trial, name: str = "claims.result.xlsx") -> Path:
    return inbox(trial) / "done" / name


def posts(trial: Trial) -> int:
    """How many claims reached the server."""
    return sum(trial.sandbox.received().values())


def payloads(trial: Trial) -> dict[tuple[str, str, str], str]:
    rows = trial.site.rows("select kind, vn, item, payload from claim")
    return {(r["kind"], r["vn"], r["item"]): r["payload"] for r in rows}


@dataclass(frozen=True)
class Morning:
    """What came of a workbook that was imported, and of the night after it: looked at by several tests.

    Args:
        trial: The hospital.
        imported: How the import ended.
        posts: How many claims had reached the server after the import.
        claims: The claims of the workbook, as the ledger had them then.
        night: How the night after it ended.
    """

    trial: Trial
    imported: Ended
    posts: int
    claims: dict[tuple[str, str, str], str]
    night: Ended


FILE = "สมชาย ใจดี.xlsx"


@pytest.fixture(scope="module")
def morning(
    prefect_server: dict[str, str], clean_hospital: str, filled: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Morning]:
    with running_sandbox() as moph:
        lines = {"language": "th", "inbox.settle_seconds": 0}
        trial = Trial(Site(tmp_path_factory.mktemp("morning"), his=clean_hospital, sandbox=moph, lines=lines))
        ended = imported(trial, filled, FILE)
        sent, claims = posts(trial), payloads(trial)
        yield Morning(trial, ended, sent, claims, trial.run(**WINDOW))


def test_the_claims_of_a_filled_template_equal_those_of_the_his_byte_for_byte(morning: Morning, officer: Trial) -> None:
    officer.run(**WINDOW)
    assert morning.claims == payloads(officer)
    assert {kind for kind, _, _ in morning.claims} == {"dm", "ht", "epi", "dt"}


def test_every_claim_is_accepted_once_and_the_row_says_so(morning: Morning) -> None:
    trial = morning.trial
    assert (morning.imported.state, set(trial.site.states())) == ("Completed", {"accepted"})
    assert len(trial.sandbox.accepted()) == trial.site.states()["accepted"] == morning.posts
    uids = {r["transaction_uid"] for r in trial.site.rows("select transaction_uid from claim")}
    result = done(trial, "สมชาย ใจดี.result.xlsx")
    found = [row for title in ("DMHT", "EPI", "dT") for row in sheet_of(result, title)]
    assert {row["ผลการส่ง"] for row in found} == {"รับแล้ว"}
    assert {row["เลขธุรกรรม"] for row in found} == uids


def test_the_nightly_run_after_it_sends_nothing_again(morning: Morning) -> None:
    assert (morning.night.state, posts(morning.trial)) == ("Completed", morning.posts)


def test_every_row_and_its_claim_stand_in_the_audit(morning: Morning, filled: Path) -> None:
    query = "select w.*, c.vn as claimed from workbook_row w left join claim c on c.id = w.claim_id"
    rows = morning.trial.site.rows(query)
    assert {(r["file_name"], r["file_hash"]) for r in rows} == {(FILE, sha256(filled.read_bytes()).hexdigest())}
    assert all(r["vn"] == r["claimed"] for r in rows)
    by_place = {(r["sheet"], r["row_number"]): r["vn"] for r in rows}
    assert len(by_place) == len(rows)
    # Below the title, the headings and the names of the fields.
    told = {(t, n): row["vn"] for t in ("DMHT", "EPI", "dT") for n, row in enumerate(sheet_of(filled, t), start=4)}
    assert by_place == told


def test_nothing_of_a_person_or_file_stands_in_logs_or_artifacts(morning: Morning, filled: Path) -> None:
    ended = morning.imported
    told = ended.text + ended.message + "".join(artifacts_of(ended).values())
    rows = [row for title in ("DMHT", "EPI", "dT") for row in sheet_of(filled, title)]
    words = {"สมชาย ใจดี"} | {str(row[name]) for row in rows for name in ("cid", "fname", "lname", "hn")}
    assert [word for word in words if word in told] == []


def test_what_the_night_has_sent_is_not_sent_from_a_workbook(officer: Trial, filled: Path) -> None:
    officer.run(**WINDOW)
    sent = posts(officer)
    imported(officer, filled)
    assert posts(officer) == sent
    assert {row["ผลการส่ง"] for row in sheet_of(done(officer), "EPI")} == {"รับแล้ว"}


def test_the_same_file_again_sends_nothing_and_says_so(officer: Trial, filled: Path) -> None:
    imported(officer, filled)
    claims = officer.site.rows("select * from claim")
    sent = posts(officer)
    again = imported(officer, filled)
    assert (again.state, again.message) == ("Completed", "เคยนำเข้าไฟล์นี้แล้ว ไม่ได้ส่งอะไร")
    assert (posts(officer), officer.site.rows("select * from claim")) == (sent, claims)
    assert "เคยนำเข้าไฟล์นี้แล้ว" in artifacts_of(again)["claims-report"]
    assert {row["ผลการส่ง"] for row in sheet_of(done(officer, "claims-2.result.xlsx"), "dT")} == {"รับแล้ว"}


def test_the_same_file_goes_on_where_the_first_import_was_stopped(officer: Trial, filled: Path) -> None:
    officer.site.write(MOPH_CLAIM_API__PASSWORD="wrong")
    first = imported(officer, filled)
    assert (first.state, officer.site.states().keys()) == ("Failed", {"ready"})
    assert (inbox(officer) / "failed" / "claims.result.xlsx").is_file()
    officer.site.write(MOPH_CLAIM_API__PASSWORD=officer.site.account.password)
    assert imported(officer, filled).state == "Completed"
    assert set(officer.site.states()) == {"accepted"}


def test_a_dry_run_sends_nothing_and_says_what_would_go(officer: Trial, filled: Path) -> None:
    ended = imported(officer, filled, dry_run=True)
    assert (posts(officer), officer.site.states()) == (0, {})
    assert "จะส่ง" in ended.message
    assert {row["ผลการส่ง"] for row in sheet_of(done(officer), "DMHT")} == {"จะส่ง (ทดลอง)"}


def test_refused_rows_are_mended_in_the_result_and_only_they_go(officer: Trial, filled: Path, tmp_path: Path) -> None:
    file = Path(shutil.copyfile(filled, tmp_path / "claims.xlsx"))
    first, second, *_ = dict.fromkeys(row["vn"] for row in sheet_of(file, "EPI"))
    change(file, "EPI", first, dob="1/10/69")
    change(file, "EPI", second, lot_number=None)
    ended = imported(officer, file)
    assert ended.state == "Completed"
    sent = posts(officer)
    result = done(officer)
    refused = {row["vn"]: row["reason"] for row in sheet_of(result, "แก้ไข EPI")}
    assert refused.keys() == {first, second}
    assert "1/10/69" in refused[first]
    report = artifacts_of(ended)["claims-report"]
    assert "ช่องนี้ว่าง" in report
    assert [word for word in ("cell.", "ใน HIS", "1/10/69") if word in report] == []
    change(result, "แก้ไข EPI", first, dob=date(2026, 5, 1))
    change(result, "แก้ไข EPI", second, lot_number="LOT77")
    again = imported(officer, result)
    assert again.state == "Completed", again.message
    assert posts(officer) == sent + 2
    assert set(officer.site.states()) == {"accepted"}
    assert officer.site.rows("select * from issue where resolved_at is null and severity = 'error'") == []


def test_a_file_that_cannot_be_read_fails_with_a_sentence_beside_it(officer: Trial) -> None:
    (inbox(officer) / "claims.xlsx").write_bytes(b"no workbook")
    ended = officer.import_workbook()
    assert ended.state == "Failed"
    failed = inbox(officer) / "failed"
    assert sorted(path.name for path in failed.iterdir()) == ["claims.result.xlsx", "claims.xlsx"]
    assert titles(failed / "claims.result.xlsx") == ["สรุป"]


def test_a_his_that_does_not_answer_keeps_the_file_back_and_it_is_said_beside_it(officer: Trial, filled: Path) -> None:
    officer.site.set(facility__hcode="10953", facility__name="รพ.สต.ตัวอย่าง", his__url="mysql://reader@127.0.0.1:9/hos")
    ended = imported(officer, filled)
    # Was: everything was sent, without a look at the HIS.
    assert (ended.state, posts(officer)) == ("Failed", 0)
    assert ended.message.startswith("ยังไม่ได้ส่งอะไร เพราะต้องตรวจกับ HIS ก่อน แต่ทำไม่ได้: ")
    failed = inbox(officer) / "failed"
    assert sorted(path.name for path in failed.iterdir()) == ["claims.result.xlsx", "claims.xlsx"]
    cells = [cell for row in openpyxl.load_workbook(failed / "claims.result.xlsx").active.iter_rows() for cell in row]
    assert any(str(cell.value).startswith("ยังไม่ได้ส่งอะไร") for cell in cells)


def test_bad_files_do_not_keep_the_others_from_going(officer: Trial, filled: Path) -> None:
    put(officer, filled, "good.xlsx")
    for name in ("bad.xlsx", "letter.docx"):
        (inbox(officer) / name).write_bytes(b"no workbook")
    ended = officer.import_workbook()
    assert ended.state == "Failed"
    assert "1/2" in ended.message
    assert "1 ไฟล์ใน inbox ไม่ใช่ไฟล์ Excel" in ended.text
    assert (inbox(officer) / "letter.docx").is_file()  # a file of another kind stays where it was put
    assert sorted(path.name for path in (inbox(officer) / "failed").iterdir() if "result" not in path.name) == [
        "bad.xlsx"
    ]
    assert set(officer.site.states()) == {"accepted"}
    assert done(officer, "good.result.xlsx").is_file()


NAMED = "นายลับ สุดยอด"


@pytest.fixture
def troubled(officer: Trial, filled: Path) -> tuple[Trial, Ended]:
    """What came of an inbox with one good file, and others that cannot be imported, each for its own reason."""
    put(officer, filled, f"{'ก' * 81}.xlsx")
    (inbox(officer) / f"{NAMED}.csv").write_text("vn,cid,visit_date,lab_code,result\n1,2,3,4,5\n")
    (inbox(officer) / f"{NAMED}.xlsx").write_bytes(b"no workbook")
    (inbox(officer) / f"{NAMED} 2.xlsx").write_bytes(b"no workbook")
    put(officer, filled, f"{NAMED}.ods")
    (inbox(officer) / f"{NAMED}.ods").chmod(0)
    with without_power_over_rights():
        return officer, officer.import_workbook()


def test_no_file_keeps_the_others_from_going_and_none_is_named(troubled: tuple[Trial, Ended]) -> None:
    trial, ended = troubled
    assert set(trial.site.states()) == {"accepted"}
    assert {r["file_name"] for r in trial.site.rows("select file_name from workbook_row")} == {f"{'ก' * 81}.xlsx"}
    assert [path.suffix for path in inbox(trial).iterdir() if path.is_file()] == []
    assert ended.state == "Failed"
    # Each different reason once.
    count, *_ = ended.message.split(": ")
    assert count == "ไม่สำเร็จ 4/5 ไฟล์"
    said = ["แผ่นงานหนึ่ง ไม่มีคอลัมน์ที่จำเป็น", "เนื้อในเป็นข้อความธรรมดา", "เปิดไฟล์ที่นำเข้า ไม่ได้"]
    assert [ended.message.count(reason) for reason in said] == [1, 1, 1], ended.message
    told = ended.text + ended.message + "".join(artifacts_of(ended).values())
    assert [word for word in ("นายลับ", "สุดยอด") if word in told] == []


def test_the_result_beside_a_refused_file_names_it(troubled: tuple[Trial, Ended]) -> None:
    failed = inbox(troubled[0]) / "failed"
    results = sorted(path for path in failed.iterdir() if ".result" in path.name)
    assert len(results) == 4
    texts = [" ".join(str(cell) for row in openpyxl.load_workbook(r).active.values for cell in row) for r in results]
    assert [NAMED in text for text in texts] == [True] * 4
    assert f"แผ่นงาน {NAMED} ไม่มีคอลัมน์ที่จำเป็น" in " ".join(texts)
    assert f"เปิดไฟล์ {NAMED}.ods ไม่ได้" in " ".join(texts)


def test_a_file_that_cannot_be_moved_is_left_and_said_without_its_name(officer: Trial, filled: Path) -> None:
    folder = inbox(officer) / "folder"
    folder.mkdir()
    shutil.copyfile(filled, folder / f"{NAMED}.xlsx")
    folder.chmod(0o500)
    with without_power_over_rights():
        ended = officer.import_workbook(file=f"folder/{NAMED}.xlsx")
    folder.chmod(0o700)
    assert ended.state == "Failed"
    assert "1 ไฟล์ใน inbox ย้ายหรือเปิดไม่ได้" in ended.message
    assert (NAMED in ended.text, (folder / f"{NAMED}.xlsx").exists()) == (False, True)


def test_what_came_of_the_claims_is_reported_where_the_result_cannot_be_written(officer: Trial, filled: Path) -> None:
    put(officer, filled, FILE)
    ends = [inbox(officer) / end for end in ("done", "failed")]
    for end in ends:
        end.mkdir()
        end.chmod(0o500)
    with without_power_over_rights():
        ended = officer.import_workbook()
    for end in ends:
        end.chmod(0o700)
    assert (ended.state, set(officer.site.states())) == ("Failed", {"accepted"})
    report = artifacts_of(ended)["claims-report"]
    sent = posts(officer)
    assert f"ส่งในรอบนี้ **{sent}** รายการ" in report
    assert "แต่เขียนไฟล์ผล ที่ควรอยู่ใน inbox/done ไม่ได้ (Permission denied)" in report
    # Once it can be written, the result comes by itself.
    assert officer.import_workbook().state == "Completed"
    assert (posts(officer), {row["ผลการส่ง"] for row in sheet_of(done(officer, "สมชาย ใจดี.result.xlsx"), "EPI")}) == (
        sent,
        {"รับแล้ว"},
    )


def test_an_empty_inbox_is_no_failure(officer: Trial) -> None:
    ended = officer.import_workbook()
    assert (ended.state, "ไม่มีไฟล์รออยู่" in ended.message) == ("Completed", True)


def test_only_the_named_file_is_taken(officer: Trial, filled: Path) -> None:
    put(officer, filled, "one.xlsx")
    put(officer, filled, "two.xlsx")
    officer.import_workbook(file="two.xlsx")
    assert [path.name for path in inbox(officer).glob("*.xlsx")] == ["one.xlsx"]


@pytest.fixture
def by_hand(officer: Trial, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """A trial whose settings are in force for what is called in this process."""
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(officer.site.config))
    return officer


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_sent(
    by_hand: Trial, filled: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copyfile(filled, tmp_path / "claims.xlsx"))
    tmp_path.chmod(0o500)
    with without_power_over_rights():
        result = import_in_process(file)
    tmp_path.chmod(0o700)
    assert result.report is None
    assert result.failure is not None
    assert f"เขียนไฟล์ผลลงในโฟลเดอร์ {tmp_path} ไม่ได้" in result.failure.message.th
    assert (posts(by_hand), by_hand.site.audit.exists()) == (0, False)


def test_a_folder_that_is_shut_meanwhile_loses_the_result_alone(by_hand: Trial, filled: Path, tmp_path: Path) -> None:
    file = Path(shutil.copyfile(filled, tmp_path / "claims.xlsx"))
    with without_power_over_rights(), reserved_result(file) as result_file:
        tmp_path.chmod(0o500)
        result = _import_by_hand(file, ImportParameters(), result_file)
        tmp_path.chmod(0o700)
    assert result.report is not None
    assert "แต่เขียนไฟล์ผล ที่ควรอยู่ข้างไฟล์ที่นำเข้า ไม่ได้ (Permission denied)" in result.report.body
    assert result.failure is not None
    assert f"เขียนไฟล์ผล {tmp_path / 'claims.result.xlsx'} ไม่ได้" in result.failure.message.th
    assert (set(by_hand.site.states()), [path.name for path in tmp_path.glob("*.xlsx")]) == (
        {"accepted"},
        ["claims.xlsx"],
    )


@pytest.mark.slow
def test_the_command_names_the_files_it_is_given_and_first_sees_whether_they_are_there(
    officer: Trial, prefect_server: dict[str, str]
) -> None:
    (officer.site.folder / "bad.xlsx").write_bytes(b"no workbook")
    shutil.copyfile(officer.site.folder / "bad.xlsx", officer.site.folder / "worse.xlsx")
    gone = moph_claim(officer.site.folder, "import", "bad.xlsx", "gone.xlsx")
    assert gone.sentence.startswith("ไม่พบไฟล์ gone.xlsx")
    assert not (officer.site.folder / "var" / "prefect").exists()
    said = moph_claim(officer.site.folder, "import", "bad.xlsx", "worse.xlsx", **prefect_server)
    assert (said.code, said.out.split()) == (2, ["bad.xlsx", "worse.xlsx"])
    assert "ไฟล์ worse.xlsx มีเนื้อในเป็นข้อความธรรมดา" in said.err
    assert not list(officer.site.folder.glob("*.result*"))


@pytest.fixture
def watched(officer: Trial, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[FlowRun]]:
    """The eye on the trial's inbox; each look gives the runs that were started, the first one first."""
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0)
    deployment = import_workbook.to_deployment("inbox").apply()
    watch = watcher.InboxWatcher(Inbox(inbox(officer), 0), "inbox")
    of_it = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))

    def look() -> list[FlowRun]:
        watch.poll()
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(deployment_filter=of_it, sort=FlowRunSort.START_TIME_ASC)

    return look


def end(run: FlowRun) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Failed(), force=True)


def test_a_file_that_came_during_a_failing_run_is_seen_to_when_that_has_ended(
    officer: Trial, watched: Callable[[], list[FlowRun]]
) -> None:
    (inbox(officer) / "one.xlsx").touch()
    (run,) = watched()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Running(), force=True)
    (inbox(officer) / "two.xlsx").touch()
    assert len(watched()) == 1
    end(run)
    runs = watched()
    assert len(runs) == 2
    for run in runs:
        end(run)
    # They were there before.
    assert len(watched()) == 2
    # One that was gone and is there again was not.
    (inbox(officer) / "two.xlsx").unlink()
    assert len(watched()) == 2
    (inbox(officer) / "two.xlsx").touch()
    assert len(watched()) == 3
    for run in watched():
        end(run)


@pytest.mark.parametrize(
    "file",
    ["../moph-claim.toml", *(pytest.param(name, marks=pytest.mark.slow) for name in ("/etc/passwd", "nothing.xlsx"))],
)
def test_a_name_that_leads_out_of_the_inbox_is_refused(officer: Trial, file: str) -> None:
    ended = officer.import_workbook(file=file)
    assert (ended.state, "ไม่มีไฟล์นี้" in ended.message) == ("Failed", True)


WORKER = "from flows.import_workbook import import_workbook; import_workbook()"


@pytest.mark.slow
def test_two_workers_and_twenty_files_each_is_imported_exactly_once(
    officer: Trial, clean_hospital: str, tmp_path: Path
) -> None:
    rows = rows_of(clean_hospital, DAYS)
    visits = sorted({str(row["vn"]) for some in rows.values() for row in some})
    files = 20
    for n in range(files):
        mine = set(visits[n::files])
        some = {name: [row for row in of_sheet if row["vn"] in mine] for name, of_sheet in rows.items()}
        put(officer, fill(tmp_path / f"{n}.xlsx", some), f"{n}.xlsx")
    worker = [sys.executable, "-c", WORKER]
    environment = os.environ | {"MOPH_CLAIM_CONFIG": str(officer.site.config)}
    workers = [subprocess.Popen(worker, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [w.communicate(timeout=600)[1] for w in workers]
    assert [w.returncode for w in workers] == [0, 0], ended
    assert set(officer.sandbox.received().values()) == {1}
    assert {r["vn"] for r in officer.site.rows("select vn from claim where state = 'accepted'")} == set(visits)
    runs = officer.site.rows("select file_name, count(distinct run_id) runs from workbook_row group by file_name")
    assert {r["file_name"]: r["runs"] for r in runs} == {f"{n}.xlsx": 1 for n in range(files)}
    assert len(list((inbox(officer) / "done").iterdir())) == 2 * files
    assert all("make claims" in log for log in ended), "one worker did it all"

"""`moph-claim doctor`: each fault with its sentence; no claim is sent."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_line import moph_claim
from night_shift import Site, Trial, week_of

from core.clock import today
from core.messages import Language
from extract import session
from flows.cli.doctor import examine, examine_each, open_to_others
from flows.settings.read import read_settings
from transform.dates import buddhist_fiscal_year

GUEST = "Guest in the HIS"
SOUND = ["Configuration", "Rates", "Audit database", "Hospital database", GUEST, "MOPH Claim account"]


@pytest.fixture
def ills(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """What is not in order at the site, by what was looked at."""

    def look() -> dict[str, str]:
        monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
        found = list(examine(read_settings()))
        names = [finding.subject.en for finding in found]
        assert names in (SOUND, [name for name in SOUND if name != GUEST])  # a guest has to be let in first
        said: Language = "en"
        return {finding.subject.en: finding.message.say(said) for finding in found if not finding.ok}

    return look


def test_doctor_finds_all_in_order_and_sends_no_claim(site: Site) -> None:
    for file in (site.config, site.folder / ".env"):
        file.chmod(0o600)
    said = moph_claim(site.folder, "doctor")
    assert (said.code, said.err) == (0, "")
    assert [line[:1] for line in said.out.splitlines()] == ["✓"] * 6
    assert "Rates: rates.csv has those of fiscal year 2569–…" in said.out
    assert "can be read: 10953 โรงพยาบาลตัวอย่าง" in said.out
    assert "Guest in the HIS: a write is refused: the file is opened read-only" in said.out
    assert list(site.sandbox.stats()["requests"]) == ["token"]
    assert site.rows("select * from claim") == site.rows("select * from run") == []


def test_a_fiscal_year_without_rates_is_told(site: Site, tmp_path: Path, ills: Callable[[], dict[str, str]]) -> None:
    rates = [f"{item},20,2025-10-01,2026-09-30" for item in ("32401", "32202", "32103", "epi", "dt")]
    (tmp_path / "rates.csv").write_text("\n".join(["item,baht,valid_from,valid_to", *rates]), encoding="utf-8")
    site.set(transform__codes_folder=str(tmp_path))
    year = buddhist_fiscal_year(today())
    assert ills()["Rates"] == (
        f"rates.csv has those of fiscal year 2569, but today (fiscal year {year}) none of 32401, 32202, 32103, epi, dt, "
        "which counts as 0 baht: add them to rates.csv of transform.codes_folder"
    )


def test_files_that_others_may_read_are_told_with_the_command_that_mends_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.folder)
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    settings = read_settings()
    data = settings.data_folder.absolute()
    files = {
        site.config.absolute(): (0o640, "600"),
        site.folder.absolute() / ".env": (0o604, "600"),
        site.folder.absolute() / "prefect.env": (0o644, "600"),
        data: (0o755, "700"),
        data / "prefect" / "password": (0o644, "600"),
        data / "audit.sqlite": (0o644, "600"),
    }
    (data / "prefect").mkdir(parents=True)
    for path, (mode, _) in files.items():
        if path != data:
            path.touch()
        path.chmod(mode)
    said = [message.en for message in open_to_others(settings)]
    assert said == [
        f"Others on this machine may use {path} (mode {mode:o}); mend it with: chmod {private} '{path}'"
        for path, (mode, private) in files.items()
    ]
    for command in (line.split("with: ")[1] for line in said):
        subprocess.run(shlex.split(command), check=True)
    assert list(open_to_others(settings)) == []
    site.config.chmod(0o644)
    found = next(finding for _, finding in examine_each([settings]))
    assert (found.ok, found.warning, found.subject.en) == (False, True, "Rights of files")


def test_a_file_of_another_user_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    site.config.chmod(0o600)
    monkeypatch.chdir(site.folder)
    (site.folder / ".env").chmod(0o600)
    settings = read_settings()
    if os.geteuid() == 0:
        os.chown(site.config, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert "belongs to another user (uid " in next(open_to_others(settings)).en


def test_doctor_speaks_thai_and_exits_2_when_something_is_wrong(site: Site) -> None:
    site.set(language="th", his__url="")
    said = moph_claim(site.folder, "doctor")
    assert (said.code, said.err) == (2, "")
    assert "✗ ฐานข้อมูล HIS: ยังไม่ได้ตั้งค่าที่อยู่ฐานข้อมูลโรงพยาบาล" in said.out
    # Each is looked at on its own; without a HIS it is not known whose account it should be.
    assert said.out.count("✓") >= 2


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "The address of the hospital database is not set: set his.url"),
        ("10.0.0.5/hos", "The setting his.url is malformed"),
        ("oracle://x/y", "The setting his.url names a database oracle that is unknown"),
        ("sqlite:////nowhere/hos.db", "There is no database file /nowhere/hos.db: check the setting his.url."),
        ("mysql://reader:hidden@127.0.0.1:9/hos", "The hospital database does not answer (127.0.0.1:9/hos)"),
    ],
)
def test_his_that_cannot_be_opened_is_told(
    ills: Callable[[], dict[str, str]], site: Site, url: str, sentence: str
) -> None:
    site.set(his__url=url)
    found = ills()
    assert found["Hospital database"].startswith(sentence)
    assert "hidden" not in str(found)


@pytest.mark.xdist_group("command_doctor")
def test_wrong_his_password_is_told_without_it(
    site: Site, database_on: Callable[[str], str], prefect_server: dict[str, str]
) -> None:
    url = sa.make_url(database_on("mariadb")).set(password="hidden-from-view")
    site.write(MOPH_CLAIM_HIS__URL=url.render_as_string(hide_password=False))
    sentence = "The hospital database refuses the user name or password (127.0.0.1:"
    said = moph_claim(site.folder, "doctor")
    assert said.code == 2
    assert f"✗ Hospital database: {sentence}" in said.out
    ended = Trial(site).run()
    assert ended.state == "Failed"
    assert ended.message.startswith(sentence)
    assert "Traceback" not in ended.text
    assert "hidden-from-view" not in said.out + said.err + ended.message + ended.text


@pytest.mark.xdist_group("command_doctor")
def test_his_without_the_tables_is_told_which(site: Site, tmp_path: Path, prefect_server: dict[str, str]) -> None:
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table opdconfig (hospitalcode text, hospitalname text)"))
        connection.execute(sa.text("insert into opdconfig values ('10953', 'x')"))
    engine.dispose()
    site.set(his__url=url)
    said = moph_claim(site.folder, "doctor")
    assert said.code == 2
    assert "✗ Hospital database: These tables or columns are missing: " in said.out
    assert "ovst" in said.out
    ended = Trial(site).run()
    assert ended.state == "Failed"
    assert "ovst" in ended.message
    assert "Traceback" not in ended.text


def test_his_that_would_let_itself_be_written_is_told(
    ills: Callable[[], dict[str, str]],
    site: Site,
    database_on: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = database_on("mariadb")
    week_of(url)
    site.set(his__url=url)
    assert ills() == {}
    monkeypatch.setattr(session, "_SESSION", {})  # as on a MySQL before 5.6
    assert ills()[GUEST].startswith("the server would let this account write")


def test_audit_that_cannot_be_written_is_told(ills: Callable[[], dict[str, str]], site: Site) -> None:
    (site.folder / "var").write_text("a file where the folder should be")
    assert "cannot be written" in ills()["Audit database"]


def test_audit_server_that_does_not_answer_is_told(ills: Callable[[], dict[str, str]], site: Site) -> None:
    site.set(audit__url="postgresql+psycopg://audit:hidden@127.0.0.1:9/audit")
    sentence = ills()["Audit database"]
    assert sentence.startswith("The audit database 127.0.0.1/audit cannot be used")
    assert "hidden" not in sentence


def test_facility_other_than_the_his_is_told(ills: Callable[[], dict[str, str]], site: Site) -> None:
    site.set(facility__hcode="11111")
    assert ills()["Hospital database"].startswith(
        "The hospital database belongs to facility 10953, but facility.hcode is 11111"
    )


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("not_activated", "The MOPH Claim account is not activated"),
        ("suspended", "The MOPH Claim account is suspended"),
        ("scope_missing", "This account lacks the right MOPH_CLAIM_API"),
        ("other_hospital", "This account belongs to facility 99999, not 10953"),
        ("expired", "The token received has run out already"),
    ],
)
def test_fault_of_the_account_is_told(
    ills: Callable[[], dict[str, str]], site: Site, fault: str, sentence: str
) -> None:
    site.sandbox.change(accounts=(site.account.model_copy(update={"fault": fault}),))
    found = ills()
    assert list(found) == ["MOPH Claim account"]
    assert found["MOPH Claim account"].startswith(sentence)


def test_wrong_password_of_the_account_is_told_and_tried_once(ills: Callable[[], dict[str, str]], site: Site) -> None:
    site.write(MOPH_CLAIM_API__PASSWORD="hidden-from-view")
    sentence = ills()["MOPH Claim account"]
    assert sentence.startswith("The log-in to MOPH Claim was refused (401")
    assert "hidden-from-view" not in sentence
    assert site.sandbox.stats()["logins_refused"] == 1


def test_account_not_configured_is_told(ills: Callable[[], dict[str, str]], site: Site) -> None:
    site.set(api__username="")
    assert ills()["MOPH Claim account"].startswith("No user name or password for MOPH Claim is configured")


def test_log_in_that_does_not_answer_is_told(ills: Callable[[], dict[str, str]], site: Site) -> None:
    site.set(api__token_url="http://127.0.0.1:9/token")
    assert ills()["MOPH Claim account"].startswith("The log-in at http://127.0.0.1:9/token does not answer")


def test_two_facilities_whose_hospital_databases_are_one_are_found_out(site: Site) -> None:
    site.set(facilities__one__his__charset="", facilities__other__his__charset="")
    said = moph_claim(site.folder, "doctor")
    assert (said.code, said.err) == (2, "")
    assert [line for line in said.out.splitlines() if not line.startswith(("✓", "! Rights of files"))] == [
        "one",
        "other",
        "✗ Facility code: The facilities one and other have the same hcode 10953 in the environment sandbox: correct "
        "facility.hcode of one of them, or remove it.",
    ]


def test_a_health_centre_without_a_his_is_in_order_with_its_name(site: Site) -> None:
    site.set(his__url="", facility__hcode="10953", facility__name="รพ.สต.ตัวอย่าง")
    said = moph_claim(site.folder, "doctor")
    assert (said.code, said.err) == (0, "")
    assert "only workbooks of 10953 รพ.สต.ตัวอย่าง are imported" in said.out

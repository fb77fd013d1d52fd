"""`audit backup`, `audit restore`, `audit accept-restored`, and what a run says to an audit that has gone back in time."""

import shutil
import sqlite3
from collections import Counter
from datetime import timedelta

import pytest
from command_line import moph_claim
from night_shift import FIRST_DAY, LAST_DAY, Site

from core.errors import MophClaimError
from flows.parameters import SubmitParameters
from flows.runs.accept_restored import accept_restored
from flows.runs.audit_backup import back_up, restore
from flows.runs.submit import open_submit_run
from flows.settings.model import Settings
from flows.settings.read import read_settings
from load.errors import AuditGoneBack
from load.states import ACCEPTED_STATES, State

pytestmark = pytest.mark.xdist_group("command_audit_copies")


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MOPH_CLAIM_CONFIG", str(site.config))
    monkeypatch.chdir(site.folder)
    return read_settings()


def night(settings: Settings, last: int = 0, *, dry_run: bool = False) -> Counter[State]:
    """A run over the first day, and as many more: what the flow does, without Prefect."""
    parameters = SubmitParameters.checked(
        date_from=FIRST_DAY, date_to=FIRST_DAY + timedelta(days=last), chunk_size=50, dry_run=dry_run
    )
    with open_submit_run(settings, parameters, lambda _: None) as run:
        for day in run.days:
            run.extract_day(day)
            run.transform_day()
        if dry_run:
            return Counter()
        run.log_in()
        number = 0
        while chunk := run.next_chunk():
            number += 1
            run.send_chunk(number, chunk)
        run.finish_sending()
        return run.sent


@pytest.mark.slow
def test_yesterdays_backup_put_back_sends_nothing_until_a_person_accepts_it_and_then_nothing_twice(
    site: Site, settings: Settings
) -> None:
    """The second night of a hospital is lost. What it sent is found again; nothing of it is refused for good."""
    site.sandbox.change(no_closing_code_share=0.2)
    night(settings)
    back_up(settings, site.folder / "yesterday")
    site.sandbox.change(no_closing_code_share=0.0)
    night(settings, last=(LAST_DAY - FIRST_DAY).days)
    lost, taken = site.states(), site.sandbox.stats()

    restore(settings, site.folder / "yesterday")
    with pytest.raises(AuditGoneBack, match="was restored from a backup"):
        night(settings, last=1)
    assert site.sandbox.stats() == taken
    night(settings, last=1, dry_run=True)

    accept_restored(settings)
    sent = night(settings, last=(LAST_DAY - FIRST_DAY).days)
    assert sent.total() >= 20
    assert set(sent) <= {*ACCEPTED_STATES}
    assert site.sandbox.stats()["accepted"] == taken["accepted"]
    after = site.states()
    assert after.get("final") == lost.get("final")
    assert after["accepted"] + after.get("presumed_accepted", 0) == lost["accepted"]
    assert night(settings, last=1) == {}


@pytest.mark.slow
def test_an_audit_that_was_emptied_or_another_sends_nothing_and_verify_says_so(site: Site, settings: Settings) -> None:
    night(settings)
    taken = site.sandbox.stats()
    (run,) = site.rows("select id from run")
    ends = back_up(settings, site.folder / "copy") and site.folder / "copy.ends.json"
    site.audit.rename(site.folder / "aside.sqlite")
    with pytest.raises(AuditGoneBack) as refused:
        night(settings)
    assert f"the last known run {run['id']}" in refused.value.message.en
    assert site.sandbox.stats() == taken
    for words in ((), ("--against", str(ends)), ("--against", "copy")):
        said = moph_claim(site.folder, "audit", "verify", *words)
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith(
            f"The audit lacks what it once had of facility 10953: the last known run {run['id']}"
        )
    shutil.rmtree(site.folder / "var" / "audit-marks")
    assert moph_claim(site.folder, "audit", "verify").code == 0  # nothing on this machine knows any more
    assert moph_claim(site.folder, "audit", "verify", "--against", str(ends)).code == 1
    assert "cannot be read" in moph_claim(site.folder, "audit", "verify", "--against", "nothing").sentence


@pytest.mark.slow
def test_the_commands_back_up_restore_and_accept(site: Site, settings: Settings) -> None:
    night(settings)
    said = moph_claim(site.folder, "audit", "backup", "copy")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("The audit was copied to copy (")
    assert {f.name: f.stat().st_mode & 0o777 for f in site.folder.glob("copy*")} == {
        "copy": 0o600,
        "copy.ends.json": 0o600,
    }
    assert "never written over" in moph_claim(site.folder, "audit", "backup", "copy").sentence
    assert moph_claim(site.folder, "audit", "verify", "--against", "copy").code == 0

    asked = moph_claim(site.folder, "audit", "restore", "copy")
    assert (asked.code, asked.err) == (2, "Nothing was done: say it again with --yes if you mean it.\n")
    said = moph_claim(site.folder, "audit", "restore", "copy", "--yes")
    assert (said.code, said.err) == (0, "")
    assert "Nothing is sent until you say `moph-claim audit accept-restored`" in said.out
    assert len(list(site.audit.parent.glob("audit.sqlite.before-restore-*"))) == 1
    asked = moph_claim(site.folder, "audit", "accept-restored")
    assert "was restored from a backup" in asked.out
    assert asked.code == 2
    said = moph_claim(site.folder, "audit", "accept-restored", "--yes")
    assert (said.code, said.err) == (0, "")
    assert "The audit of facility 10953 is accepted: " in said.out
    (run,) = site.rows("select flow, state, parameters from run order by started_at desc limit 1")
    assert (run["flow"], run["state"]) == ("accept-restored", "completed")
    assert '"since": "20' in run["parameters"]
    assert [(r["action"], r["subject"]) for r in site.rows("select * from access order by id")] == [
        ("audit backup", f"{site.folder / 'copy'}"),
        ("audit restore", f"{site.folder / 'copy'}"),
    ]
    assert moph_claim(site.folder, "audit", "verify").code == 0
    assert night(settings).keys() <= {*ACCEPTED_STATES, State.HELD}


@pytest.mark.slow
def test_a_backup_that_does_not_fit_its_ends_or_an_audit_on_a_server_is_not_restored(
    site: Site, settings: Settings
) -> None:
    night(settings)
    back_up(settings, site.folder / "first")
    night(settings)
    back_up(settings, site.folder / "second")
    shutil.copy(site.folder / "second.ends.json", site.folder / "first.ends.json")
    with pytest.raises(MophClaimError, match="does not fit"):
        restore(settings, site.folder / "first")
    of_server = settings.model_copy(
        update={"audit": settings.audit.model_validate({"url": "postgresql+psycopg://x/y"})}
    )
    with pytest.raises(MophClaimError, match="pg_restore"):
        restore(of_server, site.folder / "first")
    with pytest.raises(MophClaimError, match="There is no audit database"):
        site.audit.unlink()
        back_up(settings, site.folder / "third")


# What a person corrects.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "state", "uid"), [("accepted", "accepted", "TX-0815"), ("again", "ready", None)], ids=["accepted", "again"]
)
def test_a_person_who_looked_it_up_corrects_a_claim_refused_for_good(
    site: Site, settings: Settings, word: str, state: str, uid: str | None
) -> None:
    night(settings)
    (claim,) = site.rows(
        "select * from claim where vn in (select vn from claim group by vn having count(*) = 1) limit 1"
    )
    with sqlite3.connect(site.audit) as audit:
        audit.execute("drop trigger claim_transition")
        audit.execute("update claim set state = 'final', transaction_uid = null where id = ?", (claim["id"],))
    words = ("settle", claim["vn"], "--as", word, *(("--uid", uid) if uid else ()))
    assert "--note" in moph_claim(site.folder, *words).err
    said = moph_claim(site.folder, *words, "--note", "seen on the pages")
    assert (said.code, said.err) == (0, "")
    assert "refused for good → " in said.out
    (settled,) = site.rows(f"select * from claim where id = {claim['id']}")
    assert (settled["state"], settled["cause"], settled["transaction_uid"]) == (state, "person", uid)
    assert "seen on the pages" in moph_claim(site.folder, "audit", "show", claim["vn"]).out


@pytest.mark.slow
def test_the_doctor_says_what_keeps_a_run_from_sending(site: Site, settings: Settings) -> None:
    night(settings)
    assert moph_claim(site.folder, "doctor").code == 0
    site.audit.unlink()
    said = moph_claim(site.folder, "doctor")
    assert said.code == 2
    assert "✗ Audit against its mark: The audit of facility 10953 is not what this machine knows" in said.out

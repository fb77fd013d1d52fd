"""Copies of the audit: made while it is written to, verified, put back, and what the ends beside them prove."""

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from load_night import holding, make_claims, night, rows, standing
from sqlalchemy import Engine, make_url

from load.audit_copy import check_copy, copy_audit, put_in_place, reading_copy
from load.audit_dump import dump_audit
from load.audit_ends import ends_file, first_missing_end, read_ends, write_ends
from load.database import open_audit
from load.errors import AuditError
from load.high_water_mark import Mark, marks_of
from load.settings import ApiSettings
from load.tables import claim, run
from load.verify import verify
from sandbox.process import Sandbox


def file_of(engine: Engine) -> Path:
    return Path(str(engine.url.database))


def ends_of(engine: Engine) -> list[Mark]:
    with engine.connect() as connection:
        return list(marks_of(connection))


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(AuditError) as refused:
        action()
    return refused.value.message.en


# Backups of SQLite.


def test_a_copy_is_whole_while_the_audit_is_open_and_the_bare_file_is_not(audit: Engine, tmp_path: Path):
    with holding(audit):
        copy = tmp_path / "copy.sqlite"
        copy_audit(file_of(audit), copy)
        bare = Path(shutil.copy(file_of(audit), tmp_path / "bare.sqlite"))
        with sqlite3.connect(bare) as connection:
            assert connection.execute("select count(*) from run").fetchone() == (0,)  # the attack: it looks whole
        with reading_copy(copy) as connection:
            assert [mark.run_id for mark in marks_of(connection)] == [rows(audit, run)[0].id]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith("copy")] == ["copy.sqlite"]


def test_a_copy_made_while_claims_are_sent_proves_itself(
    audit: Engine, tmp_path: Path, sandbox: Sandbox, api: ApiSettings
):
    copies: list[Path] = []
    lock = threading.Lock()

    def copy_now(_: object) -> None:
        with lock:
            if len(copies) < 3:
                copies.append(tmp_path / f"copy-{len(copies)}")
                copy_audit(file_of(audit), copies[-1])

    night(audit, api, make_claims(30), on_progress=copy_now)
    assert len(copies) == 3
    counts = []
    for copy in copies:
        engine = open_audit(f"sqlite:///{copy}")
        # The run in the copy was cut short: the next one closes it, as if it had died.
        assert not [c for c in standing(engine) if c not in {"accepted", "sending", "ready"}]
        assert verify(engine, "sandbox").mismatch is None
        assert first_missing(audit, ends_of(engine)) is None
        counts.append(standing(engine)["accepted"])
        engine.dispose()
    assert counts == sorted(counts)


def first_missing(engine: Engine, ends: list[Mark]) -> str | None:
    with engine.connect() as connection:
        lack = first_missing_end(connection, ends)
    return lack.en if lack else None


def test_nothing_is_ever_written_over(audit: Engine, tmp_path: Path):
    there = tmp_path / "there"
    there.write_text("mine")
    assert "not written over" in refusal(lambda: copy_audit(file_of(audit), there))
    assert "never written over" in refusal(lambda: write_ends(Path("/nowhere/x"), []))
    write_ends(there, [])
    assert "never written over" in refusal(lambda: write_ends(there, []))
    assert there.read_text() == "mine"


@pytest.mark.parametrize("how", ["text", "short", "other", "torn", "missing"])
def test_what_is_no_whole_audit_is_refused_and_the_audit_stays(audit: Engine, tmp_path: Path, how: str):
    copy = tmp_path / "copy"
    if how == "other":
        with sqlite3.connect(copy) as connection:
            connection.execute("create table t (x)")
    elif how == "text":
        copy.write_text("no database" * 100)
    elif how != "missing":
        copy_audit(file_of(audit), copy)
        content = copy.read_bytes()
        middle = len(content) // 2
        copy.write_bytes(content[:middle] if how == "short" else content[:4096] + b"\xff" * 8192 + content[12288:])
    before = file_of(audit).read_bytes()
    told = refusal(lambda: put_in_place(copy, file_of(audit)))
    assert str(copy) in told
    assert file_of(audit).read_bytes() == before
    assert not list(tmp_path.glob("*restor*"))


# Restoring.


def test_a_backup_is_put_in_place_and_the_present_audit_is_kept(audit: Engine, tmp_path: Path):
    with holding(audit) as first:
        pass
    copy = tmp_path / "copy"
    copy_audit(file_of(audit), copy)
    with holding(audit) as second:
        pass
    audit.dispose()
    aside = put_in_place(copy, file_of(audit))
    assert aside
    assert {r.id for r in rows(audit, run)} == {first.id}
    kept = open_audit(f"sqlite:///{aside}")
    assert {r.id for r in rows(kept, run)} == {first.id, second.id}
    kept.dispose()
    assert file_of(audit).stat().st_mode & 0o777 == 0o600
    check_copy(copy)


def test_nothing_is_restored_while_a_run_is_under_way_or_a_program_has_the_audit_open(audit: Engine, tmp_path: Path):
    copy = tmp_path / "copy"
    copy_audit(file_of(audit), copy)
    with holding(audit) as held:
        assert "has the audit database" in refusal(lambda: put_in_place(copy, file_of(audit)))
        connection = sqlite3.connect(file_of(audit))  # of a run of another process, which is not connected just now
        lock = connection.execute("select * from facility_lock").fetchone()
    audit.dispose()
    connection.execute("insert into facility_lock values (?, ?, ?, ?)", lock)
    connection.commit()
    assert "has the audit database" in refusal(lambda: put_in_place(copy, file_of(audit)))
    connection.close()
    assert f"A run is under way (run {held.id})" in refusal(lambda: put_in_place(copy, file_of(audit)))
    assert {r.id for r in rows(audit, run)} == {held.id}


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_an_audit_that_is_lost_or_damaged_is_replaced(audit: Engine, tmp_path: Path, how: str):
    copy = tmp_path / "copy"
    copy_audit(file_of(audit), copy)
    file = file_of(audit)
    with holding(audit):
        leftovers = {suffix: Path(f"{file}{suffix}").read_bytes() for suffix in ("-wal", "-shm")}
    audit.dispose()
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(b"\0" * 100_000)
        for suffix, content in leftovers.items():  # as after a power cut: not to be taken for the new one's
            Path(f"{file}{suffix}").write_bytes(content)
    aside = put_in_place(copy, file)
    assert (aside is None) == (how == "missing")
    assert rows(audit, run) == []
    audit.dispose()
    check_copy(file)


# What the ends beside a backup prove.


def test_the_ends_beside_a_backup_tell_an_audit_that_was_cut_off_since(
    audit: Engine, empty_audit: Path, tmp_path: Path, sandbox: Sandbox, api: ApiSettings
):
    night(audit, api, make_claims(3))
    copy = tmp_path / "copy"
    copy_audit(file_of(audit), copy)
    path = write_ends(copy, ends_of(audit))
    assert path.stat().st_mode & 0o777 == 0o600
    night(audit, api, make_claims(5))
    for file in (copy, path):
        assert [(m.environment, m.hcode, m.exchanges, m.seals) for m in read_ends(file)] == [("sandbox", "10953", 3, 1)]
        assert first_missing(audit, read_ends(file)) is None
    emptied = open_audit(f"sqlite:///{shutil.copy(empty_audit, tmp_path / 'emptied')}")
    assert "The audit lacks what it once had of facility 10953" in str(first_missing(emptied, read_ends(copy)))
    emptied.dispose()
    dump = tmp_path / "x.dump"
    dump.write_bytes(b"PGDMP")
    assert "is neither" in refusal(lambda: read_ends(dump))
    shutil.copy(path, ends_file(dump))
    assert read_ends(dump) == read_ends(path)
    assert "cannot be read" in refusal(lambda: read_ends(tmp_path / "nothing"))


# Servers: their own programs make the dump, and put it back.


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
@pytest.mark.skipif(not (shutil.which("pg_dump") and shutil.which("mariadb-dump")), reason="no pg_dump or mariadb-dump")
def test_a_dump_of_a_server_is_put_back_with_its_triggers(
    backend: str, database_on: Callable[[str], str], tmp_path: Path, sandbox: Sandbox, api: ApiSettings
):
    url, other = database_on(backend), make_url(database_on(backend))
    engine = open_audit(url)
    night(engine, api, make_claims(5))
    file = tmp_path / "audit.dump"
    with holding(engine):  # a run is under way
        dump_audit(url, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "never written over" in refusal(lambda: dump_audit(url, file))
    if backend == "postgresql":
        address = other.set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run(["pg_restore", "--no-owner", "--exit-on-error", "--dbname", address, file], check=True)
    else:
        words = ["mariadb", f"--host={other.host}", f"--port={other.port}", f"--user={other.username}"]
        with file.open("rb") as dump:
            subprocess.run([*words, str(other.database)], stdin=dump, check=True)
    restored = open_audit(other.render_as_string(hide_password=False))
    assert standing(restored) == {"accepted": 5}
    assert verify(restored, "sandbox").mismatch is None
    with restored.connect() as connection, pytest.raises(Exception, match=r"never|illegal"):
        connection.execute(claim.delete())
    engine.dispose()
    restored.dispose()


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://nobody:secret@127.0.0.1:1/x", "mysql+pymysql://n:secret@127.0.0.1:1/x"]
)
def test_a_dump_that_fails_is_one_sentence_without_the_password_and_leaves_no_file(url: str, tmp_path: Path):
    told = refusal(lambda: dump_audit(url, tmp_path / "dump"))
    assert "secret" not in told
    assert "\n" not in told
    assert not list(tmp_path.iterdir())

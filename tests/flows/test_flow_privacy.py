"""Nothing secret or personal outside the audit: whole runs at debug level, then every byte they left is searched."""

import base64
import gzip
import hashlib
import hmac
import json
import pickle
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from command_line import Said, moph_claim
from left_behind import files_in, leaks
from night_shift import FIRST_DAY, Site, people_of, week_of
from officer import fill, rows_of
from prefect_service import prefect_server

from sandbox.process import running_sandbox
from sandbox.world import Account, Fault

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("privacy")]

ACCOUNT = Account(username="claim-officer", password="Krung-Thep_2569!ลับ", secret_key="K$ey-0f-the-hospital")
FILE_OF = "สมหมาย-ผ่องใส"
MISTYPED = "Krung-Thep_2568!ลับ"
DEBUG = {
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
    # These go to Prefect's database as well.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "extract,transform,load,flows,requests,urllib3,sqlalchemy,alembic,pydantic",
}


@dataclass(frozen=True)
class Evidence:
    """What three runs left.

    Args:
        site: Where they ran.
        said: What each said on the screen: success, failing in the middle of a chunk, refused log-in.
        files: Every file they left, the screens among them, but for the settings and the audit.
        secrets: What must be in none of them.
    """

    site: Site
    said: dict[str, Said]
    files: list[Path]
    secrets: set[str]


def password_hash(password: str) -> str:
    """The field's form of a password."""
    return hmac.new(ACCOUNT.secret_key.encode(), password.encode(), hashlib.sha256).hexdigest().upper()


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Three runs of the real command over three days, in a folder that is theirs alone."""
    folder = tmp_path_factory.mktemp("privacy")
    his = f"sqlite:///{tmp_path_factory.mktemp('his') / 'hosxp.sqlite'}"
    week_of(his, days=3, visits_a_day=10)
    with (
        running_sandbox(accounts=(ACCOUNT,)) as sandbox,
        prefect_server(folder, PREFECT_SERVER_LOGGING_LEVEL="DEBUG") as server,
    ):
        site = Site(folder / "site", his=his, sandbox=sandbox)
        said: dict[str, Said] = {}

        def run(name: str, day: int) -> None:
            date = (FIRST_DAY + timedelta(days=day)).isoformat()
            call(name, "run", "--from", date, "--to", date)

        def call(name: str, *words: str) -> None:
            screen = said[name] = moph_claim(site.folder, *words, **server, **DEBUG)
            (folder / f"{name}.out").write_text(screen.out, encoding="utf-8")
            (folder / f"{name}.err").write_text(screen.err, encoding="utf-8")

        run("success", 0)
        sandbox.misbehave(Fault(kind="account_suspended", skip=8, times=1), Fault(kind="502_html", times=2))
        run("mid-chunk", 1)
        tokens = sandbox.tokens()
        sandbox.change(faults=(), accounts=(ACCOUNT,))
        site.write(MOPH_CLAIM_API__PASSWORD=MISTYPED)
        run("refused", 2)
        site.write(MOPH_CLAIM_API__PASSWORD=ACCOUNT.password)
        # A person's name in a file's name is not told either; of the two one cannot be read at all.
        book = fill(site.folder / f"{FILE_OF}.xlsx", rows_of(his, [FIRST_DAY + timedelta(days=2)]))
        call("import", "import", book.name)
        broken = site.folder / f"{FILE_OF}-2.xlsx"
        broken.write_bytes(book.read_bytes()[:5000])
        call("unreadable", "import", broken.name)
    claims = [json.loads(_part(token)) for token in tokens]
    assert len(tokens) == 2
    secrets = people_of(his) | {ACCOUNT.password, MISTYPED, ACCOUNT.secret_key}
    secrets |= {password_hash(ACCOUNT.password), password_hash(MISTYPED)}
    secrets |= {part for token in tokens for part in (token, *token.split(".")[1:])}
    secrets |= {str(claim["client"][name]) for claim in claims for name in ("name", "email")}
    kept = {site.config, site.folder / ".env"}
    # The audit and the officer's workbooks hold people; that is what they are for.
    officers = [path for path in files_in(folder) if path.suffix == ".xlsx"]
    files = [path for path in files_in(folder) if path not in {*kept, *officers} and not path.name.startswith("audit.")]
    return Evidence(site, said, files, secrets)


def _part(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_runs_ended_as_they_should(evidence: Evidence) -> None:
    assert {name: said.code for name, said in evidence.said.items()} == {
        "success": 1,
        "mid-chunk": 2,
        "refused": 2,
        "import": 1,
        "unreadable": 2,
    }
    runs = evidence.site.rows("select state, message_en from run order by started_at")
    assert [run["state"] for run in runs] == ["completed", "failed", "failed", "completed"]
    assert "this account may not send claims (403)" in runs[1]["message_en"]
    assert "The log-in to MOPH Claim was refused (401" in runs[2]["message_en"]
    states = evidence.site.states()
    assert states["accepted"] > 20
    assert states["ready"] > 0


def test_runs_spoke_at_debug_level_and_wrote_to_prefects_database(evidence: Evidence) -> None:
    assert all("DEBUG" in said.err for said in evidence.said.values())
    assert "urllib3.connectionpool" in evidence.said["success"].err
    (database,) = (path for path in evidence.files if path.name == "prefect.db")
    assert database.stat().st_size > 100_000


def test_nothing_secret_or_personal_is_left_outside_the_audit(evidence: Evidence) -> None:
    assert len(evidence.secrets) > 150
    assert leaks(evidence.files, evidence.secrets) == {}


def test_the_name_of_an_imported_file_stands_on_its_screen_alone(evidence: Evidence) -> None:
    assert leaks(evidence.files, {FILE_OF}).keys() == {"import.out", "unreadable.err"}
    # Of the two the second is what the command itself says, not the lines that are logged.
    (line,) = (line for line in evidence.said["unreadable"].err.splitlines() if FILE_OF in line)
    assert line.startswith(f"{FILE_OF}-2.xlsx is damaged")


def test_nothing_looks_like_a_token(evidence: Evidence) -> None:
    # The first letters of {"alg": and {"typ":, whoever signed it.
    heads = {"eyJhbGciOi", "eyJ0eXAiOi"}
    assert leaks(evidence.files, heads) == {}


def test_no_traceback_reached_the_screen(evidence: Evidence) -> None:
    assert [name for name, said in evidence.said.items() if "Traceback" in said.out + said.err] == []


def test_files_of_the_program_are_for_their_owner_alone(evidence: Evidence) -> None:
    made = files_in(evidence.site.folder / "var")
    assert made
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_search_finds_people_in_the_audit_where_they_belong(evidence: Evidence) -> None:
    found = leaks(files_in(evidence.site.folder / "var"), evidence.secrets)
    assert {name for name in found if not name.startswith("audit.sqlite")} == set()
    everyone = set().union(*found.values())
    assert len([word for word in everyone if word.isdigit() and len(word) == 13]) > 50
    assert len([word for word in everyone if not word.isascii()]) > 50


@pytest.mark.parametrize(
    "leak",
    [
        lambda word: f"2026-05-14 DEBUG sending {word}".encode(),
        lambda word: json.dumps({"message": word}).encode(),
        lambda word: pickle.dumps({"response": {"request": word}}),
        lambda word: b'{"data": "' + base64.b64encode(pickle.dumps(("padding", word))) + b'"}',
        lambda word: b"x" + base64.urlsafe_b64encode(f"a{word}".encode()),
        lambda word: gzip.compress(word.encode()),
        lambda word: word.encode("utf-16-le"),
    ],
    ids=["log line", "escaped", "pickle", "pickle in base64", "base64 off its place", "gzip", "wide"],
)
def test_search_would_find_a_leak(evidence: Evidence, tmp_path: Path, leak: object) -> None:
    assert callable(leak)
    for word in [*sorted(evidence.secrets, key=len)[-3:], "1990000000017", "สมชาย", ACCOUNT.password]:
        path = tmp_path / "left.bin"
        path.write_bytes(b"\x00" * 64 + leak(word) + b"\x00" * 64)
        assert leaks([path], {word}) == {"left.bin": {word}}

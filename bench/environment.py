"""What a measurement needs: a hospital, a stand-in of MOPH Claim, an audit, and settings."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from core.clock import today
from flows.settings.model import CONFIG_FILE
from sandbox.his import HisSummary, VisitMix, build_hosxp
from sandbox.his.database import create_database, drop_database
from sandbox.process import Sandbox, running_sandbox
from sandbox.world import Account

CONNECTIONS = 16


@dataclass(frozen=True)
class Hospital:
    """A synthetic hospital in a SQLite file; all its days are before today.

    Args:
        url: The database's URL.
        first: Its first day.
        last: Its last day.
        summary: Its contents.
    """

    url: str
    first: date
    last: date
    summary: HisSummary


def build(folder: Path, *, days: int, visits_a_day: int, mix: VisitMix | None = None) -> Hospital:
    """Build a hospital without traps: every claim is accepted."""
    folder.mkdir(parents=True, exist_ok=True)
    first = today() - timedelta(days=days)
    url = f"sqlite:///{folder / 'hosxp.sqlite'}"
    summary = build_hosxp(url, first_day=first, days=days, visits_a_day=visits_a_day, traps=False, mix=mix)
    return Hospital(url, first, today() - timedelta(days=1), summary)


@contextmanager
def moph_claim(latency_ms: float = 0) -> Iterator[Sandbox]:
    """Run a stand-in with a latency while the block lasts."""
    with running_sandbox(latency_ms=latency_ms, refuse_library_user_agents=False) as sandbox:
        yield sandbox


@contextmanager
def database_for_audit() -> Iterator[str]:
    """Create a PostgreSQL database (server: BENCH_POSTGRES_URL) while the block lasts; yields "" if there is no server."""
    server = make_url(os.environ.get("BENCH_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"))
    url = server.set(database=f"bench_{uuid.uuid4().hex[:12]}").render_as_string(hide_password=False)
    try:
        create_database(url)
    except SQLAlchemyError:
        yield ""
        return
    try:
        yield url
    finally:
        drop_database(url)


def empty_audit(url: str) -> None:
    """Drop and recreate the audit database, so that the next measurement finds no claim."""
    drop_database(url)
    create_database(url)


def configure(
    folder: Path, hospital: Hospital, sandbox: Sandbox, audit_url: str = "", *, his_kind: str = "hosxp"
) -> Path:
    """Write the settings of one measurement; returns the settings file."""
    folder.mkdir(parents=True, exist_ok=True)
    account = Account()
    config = folder / CONFIG_FILE
    config.write_text(
        f'language = "en"\n[his]\nurl = "{hospital.url}"\nkind = "{his_kind}"\n[audit]\nurl = "{audit_url}"\n'
        f'[api]\ntoken_url = "{sandbox.token_url}"\napi_url = "{sandbox.api_url}"\n'
        f'username = "{account.username}"\npassword = "{account.password}"\nsecret_key = "{account.secret_key}"\n',
        encoding="utf-8",
    )
    return config


def run_flow(config: Path, hospital: Hospital) -> dict[str, object]:
    """Run the real flow in a process of its own; returns what `bench.child` prints."""
    command = [sys.executable, "-m", "bench.child", str(config), f"{hospital.first}", f"{hospital.last}"]
    done = subprocess.run([*command, str(CONNECTIONS)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    if result["failure"]:
        sys.exit(str(result["failure"]))
    return result

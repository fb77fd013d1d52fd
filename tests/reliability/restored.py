"""An audit that has gone back in time: it sends nothing until a person accepts it, and then nothing twice."""

import subprocess
import time
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from faults import LATENCY_MS, Row, Stage, amiss, settle
from hospital_site import RUN_SECONDS, Site

from sandbox.his import create_database, drop_database

DAYS = 4
# Long enough for a busy machine; nothing is put back as long as the dead run may still write.
LEASE_SECONDS = 5


def put_back(stage: Stage) -> Row:
    """A night, its backup, and a second night in whose midst the machine fails; then the backup is put back."""
    site, copy = stage.site, stage.site.folder / "yesterday"
    problems = amiss(site.run(last=site.hospital.first + timedelta(days=DAYS // 2 - 1)))
    problems += site.command("audit", "backup", str(copy))
    _fail_in_sending(stage)
    if site.backend == "sqlite":
        problems += site.command("audit", "restore", str(copy), "--yes")
    else:
        _make_empty(site)
        _load(sa.make_url(site.audit), copy)
    return _go_on(stage, "yesterday's audit put back", problems)


def emptied(stage: Stage) -> Row:
    """The machine fails in the midst of a night, and the audit is gone."""
    _fail_in_sending(stage)
    _make_empty(stage.site)
    return _go_on(stage, "audit emptied", [])


def _fail_in_sending(stage: Stage) -> None:
    def taken() -> int:
        return int(stage.sandbox.stats()["accepted"])

    wanted = taken() + (stage.site.hospital.claims - taken()) // 2
    stage.sandbox.change(latency_ms=LATENCY_MS)
    stage.site.change({"audit.lease_seconds": LEASE_SECONDS})
    run = stage.site.start()
    stage.await_(run, lambda: taken() >= wanted)
    run.kill()
    run.wait(RUN_SECONDS)
    time.sleep(LEASE_SECONDS)
    stage.mend()


def _make_empty(site: Site) -> None:
    if site.backend == "sqlite":
        audit = Path(site.audit.removeprefix("sqlite:///"))
        for path in audit.parent.glob(f"{audit.name}*"):
            path.unlink()
    else:
        drop_database(site.audit)
        create_database(site.audit)


def _load(url: sa.URL, dump: Path) -> None:
    """As docs/operations.md has it."""
    if url.get_backend_name() == "postgresql":
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run(["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={address}", dump], check=True)
    else:
        words = ["mariadb", f"--host={url.host}", f"--port={url.port or 3306}", f"--user={url.username}"]
        with dump.open("rb") as opened:
            subprocess.run([*words, str(url.database)], stdin=opened, check=True)


def _go_on(stage: Stage, name: str, problems: list[str]) -> Row:
    """A run refuses; a person accepts the audit; at most three runs bring every claim home."""
    site = stage.site
    before = stage.sandbox.stats()["requests"]
    refused = site.run()
    problems += amiss(refused)
    if "accept-restored" not in (refused.failure or "") or stage.sandbox.stats()["requests"] != before:
        problems.append(f"a run went on with that audit, or did not say why not: {refused.failure}")
    problems += site.command("audit", "accept-restored", "--yes")
    left = site.hospital.claims - site.reckon().settled
    runs, after = settle(site)
    problems += site.command("audit", "verify")
    return Row(name, site.backend, site.reckon(), left, runs, refused, problems=(*problems, *after))

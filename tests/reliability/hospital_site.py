"""A hospital, its settings in files, its audit and its stand-in of MOPH Claim; and the reckoning of what became of it."""

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from forked_runs import Ended, RunProcess

from sandbox.his import DENSE, build_hosxp, create_database, drop_database
from sandbox.process import Sandbox

FIRST_DAY = date(2026, 5, 14)
# A hung run is a finding, not a reason to wait: no run of this suite has work for as long.
RUN_SECONDS = 300.0

# Time-outs and pauses small, so that trouble passes quickly; what they are in a hospital is another matter than what
# the program does when they are over.
IN_A_HURRY: dict[str, Any] = {
    "language": "en",
    "api.connect_timeout_seconds": 1.0,
    "api.read_timeout_seconds": 1.0,
    "api.attempts": 3,
    "api.backoff_seconds": 0.02,
    "api.backoff_limit_seconds": 2.0,
    "api.breaker_failures": 20,
    "api.breaker_pause_seconds": 1.0,
    "api.breaker_probes": 3,
    "audit.lease_seconds": 2,
    "audit.lock_wait_seconds": 120,
    "audit.outage_seconds": 20,
    "audit.free_megabytes": 0,  # small disks are filled on purpose
}
CONNECTIONS = 8
SETTLED = ("accepted", "presumed_accepted")

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Hospital:
    """A hospital without traps: each of its claims goes.

    Args:
        url: Its database.
        first: Its first day.
        last: Its last day.
        claims: How many claims it holds.
    """

    url: str
    first: date
    last: date
    claims: int


def build(url: str, *, claims: int, days: int = 1, seed: int = 1) -> Hospital:
    """Build a hospital of about so many claims in an empty database."""
    # Of 100 dense visits come about 125 claims: a dose each is one.
    visits = max(10, round(claims * 0.8 / days))
    summary = build_hosxp(url, first_day=FIRST_DAY, days=days, visits_a_day=visits, traps=False, mix=DENSE, seed=seed)
    return Hospital(url, FIRST_DAY, FIRST_DAY + timedelta(days=days - 1), sum(summary.claims.values()))


@contextmanager
def database(folder: Path, server: str) -> Iterator[str]:
    """A new empty database, on the server of this address or, where it is empty, in a SQLite file."""
    if not server:
        folder.mkdir(parents=True, exist_ok=True)
        yield f"sqlite:///{folder / 'audit.sqlite'}"
        return
    url = sa.make_url(server).set(database=f"moph_{uuid.uuid4().hex[:12]}").render_as_string(hide_password=False)
    create_database(url)
    try:
        yield url
    finally:
        drop_database(url)


@dataclass(frozen=True)
class Reckoning:
    """Both sides' books, laid beside each other.

    Args:
        claims: That the hospital holds.
        taken: Accepted at the sandbox.
        accepted: Accepted in the ledger.
        presumed: Presumed accepted in the ledger.
        taken_twice: Claims the sandbox has accepted more than once.
        missing: Claims of the hospital that the sandbox has not accepted.
        unlike: Claims of which the two books say different things: one has it and the other not, or another number.
        elsewhere: Claims in the ledger by state, those accepted or presumed so apart.
    """

    claims: int
    taken: int
    accepted: int
    presumed: int
    taken_twice: int
    missing: int
    unlike: int
    elsewhere: dict[str, int]

    @property
    def settled(self) -> int:
        """Claims that the ledger knows to be taken."""
        return self.accepted + self.presumed

    @property
    def is_settled(self) -> bool:
        """Whether all claims are in both books."""
        return not self.missing and not self.elsewhere and not self.unlike

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing sent twice."""
        return self.is_settled and not self.taken_twice and self.taken == self.claims == self.settled


class Site:
    """A hospital's folder of settings, its audit, and the sandbox it sends to.

    Args:
        folder: Made here.
        hospital: Whose claims go.
        sandbox: Where they go.
        audit: URL of the audit database, as this process reaches it.
        through: The same as the runs reach it, where a cable lies between.
        his: The hospital's database as the runs reach it, where a cable lies between.
    """

    def __init__(
        self,
        folder: Path,
        hospital: Hospital,
        sandbox: Sandbox,
        audit: str,
        *,
        through: str = "",
        his: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.hospital = hospital
        self.sandbox = sandbox
        self.audit = audit
        account = sandbox.world.accounts[0]
        self._settings: dict[str, Any] = {
            **IN_A_HURRY,
            "his.url": his or hospital.url,
            "audit.url": through or audit,
            "api.token_url": sandbox.token_url,
            "api.api_url": sandbox.api_url,
            "api.username": account.username,
            "api.password": account.password,
            "api.secret_key": account.secret_key,
        }
        self._engine = sa.create_engine(audit, poolclass=sa.NullPool)
        self.change({})

    @property
    def backend(self) -> str:
        """sqlite, mariadb or postgresql: where the audit lies."""
        return {"mysql": "mariadb"}.get(name := self._engine.url.get_backend_name(), name)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in force."""
        return dict(self._settings)

    def change(self, settings: dict[str, Any]) -> None:
        """Change settings ("section.key": value) for the runs to come, and write them all."""
        self.replace(self._settings | settings)

    def replace(self, settings: dict[str, Any]) -> None:
        """Have these settings and no others."""
        self._settings = settings
        sections: dict[str, list[str]] = {"": []}
        for key, value in self._settings.items():
            section, _, name = key.rpartition(".")
            sections.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
        text = "\n".join("\n".join([f"[{name}]" if name else "", *lines]) for name, lines in sections.items())
        (self.folder / "moph-claim.toml").write_text(text + "\n", encoding="utf-8")

    def start(self, concurrency: int = CONNECTIONS, last: date | None = None) -> RunProcess:
        """Start a run of the whole window, or until a day."""
        window = (self.hospital.first, last or self.hospital.last)
        return RunProcess(self.folder / "moph-claim.toml", *window, concurrency=concurrency, chunk_size=100)

    def run(self, last: date | None = None) -> Ended:
        """A run to its end."""
        return self.start(last=last).wait(RUN_SECONDS)

    def command(self, *words: str) -> list[str]:
        """Call `moph-claim` in this folder; what is amiss with how it ended."""
        ended = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *words],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        said = f"{ended.stdout}\n{ended.stderr}"
        fine = ended.returncode == 0 and "Traceback" not in said
        return [] if fine else [f"`{' '.join(words)}` ended with {ended.returncode}: {said.strip()[-1500:]}"]

    def states(self) -> Counter[str]:
        """Claims in the ledger by state; empty while it has no tables yet."""
        return Counter(row.state for row in self._ledger())

    def asked(self, query: str) -> Any:
        """The one value the audit answers to a query."""
        with self._engine.connect() as connection:
            return connection.execute(sa.text(query)).scalar_one()

    def reckon(self) -> Reckoning:
        """Lay the sandbox's book beside the ledger."""
        taken = self._taken()
        ours = {(r.hcode, r.kind, r.vn, r.item): (r.state, r.transaction_uid) for r in self._ledger()}
        sure = {key: uid for key, (state, uid) in ours.items() if state == "accepted"}
        presumed = {key for key, (state, _) in ours.items() if state == "presumed_accepted"}
        other_number = {key for key, uid in sure.items() if uid not in taken.get(key, [])}
        unlike = (taken.keys() ^ (sure.keys() | presumed)) | other_number
        return Reckoning(
            claims=self.hospital.claims,
            taken=len(taken),
            accepted=len(sure),
            presumed=len(presumed),
            taken_twice=sum(len(numbers) > 1 for numbers in taken.values()),
            missing=self.hospital.claims - len(taken),
            unlike=len(unlike),
            elsewhere=Counter(state for state, _ in ours.values() if state not in SETTLED),
        )

    def not_written_down(self) -> set[Key]:
        """The claims that the sandbox has taken and the ledger does not know to be taken."""
        settled = {(r.hcode, r.kind, r.vn, r.item) for r in self._ledger() if r.state in SETTLED}
        return self._taken().keys() - settled

    def close(self) -> None:
        """Give everything back."""
        self._engine.dispose()

    def _taken(self) -> dict[Key, list[str]]:
        """The transaction numbers under which the sandbox has taken each claim."""
        taken: dict[Key, list[str]] = {}
        for row in self.sandbox.accepted():
            taken.setdefault((row["hcode"], row["kind"], row["seq"], row["item"]), []).append(row["transaction_uid"])
        return taken

    def _ledger(self) -> list[Any]:
        columns = "hcode, kind, vn, item, state, transaction_uid"
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("claim"):
                return []
            return list(connection.execute(sa.text(f"select {columns} from claim")))

"""Hashes of the claims and issues of the synthetic hospitals, to show that a change of the code did not change them.

Each hospital is built on SQLite, MariaDB and PostgreSQL and sent by the real flow, its audit on the same kind of server;
`python -m bench --fingerprint` prints a line for each, and two versions are compared with `diff`.
"""

import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.environment import Hospital, configure, moph_claim, run_flow
from sandbox.his import DENSE, HisSummary, build_hosxp, build_jhcis
from sandbox.his.database import create_database, drop_database

FIRST_DAY = date(2026, 5, 14)
SERVERS = {
    "SQLite": "",
    "MariaDB": os.environ.get("BENCH_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306"),
    "PostgreSQL": os.environ.get("BENCH_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}
CLAIMS = "select hcode, kind, vn, item, hn, service_date, baht, payload_hash, state, message from claim"
ISSUES = (
    "select hcode, kind, vn, item, rule, severity, hn, service_date, field, message_th, message_en, record from issue"
)


@dataclass(frozen=True)
class _Case:
    """A synthetic hospital.

    Args:
        name: Its name.
        kind: Its HIS.
        build: Fills a database with it.
        days: How many days it has.
        options: Further arguments of `build`.
    """

    name: str
    kind: str
    build: Callable[..., HisSummary]
    days: int
    options: Mapping[str, Any]


CASES = (
    _Case("HOSxP with every trap", "hosxp", build_hosxp, 3, {"visits_a_day": 60}),
    _Case("JHCIS with every trap", "jhcis", build_jhcis, 3, {"visits_a_day": 60}),
    _Case("the week of the demo", "hosxp", build_hosxp, 7, {"visits_a_day": 120}),
    _Case("the night of the bench", "hosxp", build_hosxp, 1, {"visits_a_day": 4000, "traps": False, "mix": DENSE}),
)


def fingerprint(folder: Path, _quick: bool) -> None:
    """Print hashes of the claims (payloads and states) and of the issues of each hospital on each server."""
    for case in CASES:
        for server, address in SERVERS.items():
            with ExitStack() as stack:
                subfolder = folder / f"{case.name}-{server}"
                subfolder.mkdir()
                his, audit = (stack.enter_context(_database(address, subfolder / name)) for name in ("his", "audit"))
                summary = case.build(his, first_day=FIRST_DAY, days=case.days, **case.options)
                hospital = Hospital(his, FIRST_DAY, FIRST_DAY + timedelta(days=case.days - 1), summary)
                sandbox = stack.enter_context(moph_claim())
                run_flow(configure(subfolder, hospital, sandbox, audit, his_kind=case.kind), hospital)
                claims, issues = _rows(audit, CLAIMS), _rows(audit, ISSUES)
            states = ", ".join(f"{state} {n}" for state, n in sorted(Counter(row[8] for row in claims).items()))
            print(f"{case.name}, {server}: {len(claims)} claims {_hash(claims)} ({states}), ", end="")
            print(f"{len(issues)} issues {_hash(issues)}", flush=True)


@contextmanager
def _database(server: str, file: Path) -> Iterator[str]:
    """Create a database on a server while the block lasts; without a server, a SQLite file. Yields its URL."""
    if not server:
        yield f"sqlite:///{file}.sqlite"
        return
    url = sa.make_url(server).set(database=f"bench_{uuid.uuid4().hex[:12]}").render_as_string(hide_password=False)
    create_database(url)
    try:
        yield url
    finally:
        drop_database(url)


def _rows(url: str, query: str) -> list[Sequence[Any]]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = [[None if cell is None else str(cell) for cell in row] for row in connection.execute(sa.text(query))]
    return sorted(rows, key=lambda row: [cell or "" for cell in row])


def _hash(rows: Sequence[Sequence[Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:16]

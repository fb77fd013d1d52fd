"""Load on the hospital's server: the rows it examines for one night, compared with the rows that belong to its visits;
and for visits of other days that are read again, compared with a night's days.

Each HIS is one row of `SYSTEMS` and one file in `bench/owned`, which counts the rows that belong to visits with plain SQL,
independently of how the program reads them.
"""

import csv
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from pydantic import SecretStr

from bench.rows_examined import RowsExamined
from core.clock import today
from extract.settings import HisSettings
from extract.source import open_source
from sandbox.his import HisSummary, build_hosxp, build_jhcis
from sandbox.his.database import create_database, drop_database
from transform.claim import KINDS
from transform.claims import make_claims, wanted

OWNED = Path(__file__).with_name("owned")
WINDOW, OPEN_VISITS, OPEN_DAYS = 7, 300, 60
"""The service days of a nightly run; and visits whose claims wait, over how many days they are spread."""
NO_HISTORY = pd.DataFrame({name: [] for name in ("kind", "pid", "item", "vn", "service_date", "yields")})
SERVERS = {
    "MariaDB": os.environ.get("BENCH_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306"),
    "PostgreSQL": os.environ.get("BENCH_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
}


@dataclass(frozen=True)
class System:
    """A hospital information system (HIS).

    Args:
        name: Its name.
        kind: Name of its folder of SQL and of its file in `bench/owned`.
        build: Fills a database with a synthetic hospital.
        servers: The database servers it runs on.
    """

    name: str
    kind: str
    build: Callable[..., HisSummary]
    servers: tuple[str, ...]


SYSTEMS = (
    System("HOSxP", "hosxp", build_hosxp, ("MariaDB", "PostgreSQL")),
    System("JHCIS", "jhcis", build_jhcis, ("MariaDB", "PostgreSQL")),
)


@dataclass(frozen=True)
class NightCost:
    """The cost of reading one day from a database of many.

    Args:
        candidates: Visits that become a claim or an issue.
        claims: Claims found.
        examined: Rows examined, by contract table.
        owned: Rows that belong to the candidates ("visits"), rows of code lists that those refer to ("dictionaries"),
            and rows of the day's other visits that must be read to exclude them ("other visits").
    """

    candidates: int
    claims: int
    examined: Counter[str]
    owned: Counter[str]


@dataclass(frozen=True)
class OpenCost:
    """The cost of reading named visits again, beside that of whole days; rows examined.

    Args:
        visits: Visits given: those named, and others of the same persons and days.
        examined: For these visits, by number.
        window: For the service days of a nightly run.
        whole: For all days on which the named visits are, read whole.
    """

    visits: int
    examined: int
    window: int
    whole: int


@contextmanager
def large_hospital(system: System, server: str, *, days: int, visits_a_day: int) -> Iterator[str]:
    """Build a synthetic hospital whose last day was yesterday; yields its URL, "" if the server cannot be reached."""
    url = sa.make_url(SERVERS[server]).set(database=f"bench_{uuid.uuid4().hex[:12]}")
    address = url.render_as_string(hide_password=False)
    try:
        create_database(address)
    except sa.exc.SQLAlchemyError:
        yield ""
        return
    try:
        first = today() - timedelta(days=days)
        system.build(address, first_day=first, days=days, visits_a_day=visits_a_day, traps=False)
        analyze(address)
        yield address
    finally:
        drop_database(address)


def analyze(url: str) -> None:
    """Update the statistics, which a server in daily use does by itself."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        postgres = engine.dialect.name == "postgresql"
        connection.exec_driver_sql("ANALYZE" if postgres else f"ANALYZE TABLE {', '.join(tables)}")


def measure(url: str, kind: str, day: date) -> NightCost:
    """Read one day as the nightly run does, and count the rows.

    Args:
        url: The database, on MariaDB or PostgreSQL.
        kind: The HIS: name of its folder of SQL.
        day: The service day.
    """
    with open_source(HisSettings(url=SecretStr(url), kind=kind)) as source:
        connection = source.reader.connection
        hcode = source.facility().hcode
        rows = RowsExamined(connection)
        tables = source.read_day(day, wanted(KINDS))
        examined = rows.by_table.copy()
        made = make_claims(tables, kinds=KINDS, hcode=hcode, history=NO_HISTORY)
        owned = rows_owned(connection, kind, list(tables.visits["vn"]), hcode, day)
    return NightCost(len(tables.visits), len(made.claims), examined, owned)


def measure_open(url: str, kind: str, last: date) -> OpenCost:
    """Read visits of the last days again, evenly spread over the days and the candidates of each.

    Args:
        url: The database, on MariaDB or PostgreSQL.
        kind: The HIS: name of its folder of SQL.
        last: The last service day.
    """
    named: dict[date, list[str]] = {}
    with open_source(HisSettings(url=SecretStr(url), kind=kind)) as source:
        source.facility()
        rows = RowsExamined(source.reader.connection)
        for n in range(OPEN_DAYS):
            day = last - timedelta(days=n)
            candidates = list(source.read_day(day, wanted(KINDS)).visits["vn"])
            a_day = OPEN_VISITS // OPEN_DAYS
            named[day] = [candidates[part * len(candidates) // a_day] for part in range(a_day)]
            if n + 1 == WINDOW:
                window = rows.by_table.total()
        whole = rows.by_table.total()
        rows.clear()
        visits = sum(len(tables.visits) for tables in source.read_visits(named, wanted(KINDS)))
        return OpenCost(visits, rows.by_table.total(), window, whole)


def rows_owned(connection: sa.Connection, kind: str, visits: list[str], hcode: str, day: date) -> Counter[str]:
    """Count the rows of `bench/owned/<kind>.csv`; a row that belongs to two visits counts twice."""
    owned: Counter[str] = Counter()
    numbers = [int(vn) for vn in visits if vn.isdecimal()]
    parameters: dict[str, object] = {"visits": visits, "visit_numbers": numbers, "hcode": hcode, "day": day}
    quoted = connection.dialect.identifier_preparer.quote_identifier
    with (OWNED / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            count = sa.text(f"SELECT COUNT(*) FROM {line['rows'].format(user=quoted('user'))}")
            bound = {name: parameters[name] for name in count.compile().params}
            lists = (sa.bindparam(name, expanding=True) for name, value in bound.items() if isinstance(value, list))
            owned[line["what"]] += connection.execute(count.bindparams(*lists), bound).scalar_one()
    return owned


def table_row(name: str, cost: NightCost) -> list[str]:
    """One line of the table."""
    examined, theirs = cost.examined.total(), cost.owned["visits"] + cost.owned["dictionaries"]
    least = theirs + cost.owned["other visits"]
    return [
        name,
        f"{cost.candidates:,}",
        f"{cost.claims:,}",
        f"{examined:,}",
        f"{examined / cost.claims:.1f}",
        f"{theirs:,}",
        f"{examined / theirs:.2f}",
        f"{least / theirs:.2f}",
        f"{examined / cost.owned['visits']:.2f}",
    ]


HEADS = (
    "",
    "candidates",
    "claims",
    "rows examined",
    "a claim",
    "rows owned",
    "examined of owned",
    "least possible",
    "of those without code lists",
)

OPEN_HEADS = (
    "",
    "visits given",
    "rows examined",
    "a visit",
    f"rows of {WINDOW} days",
    "both of those",
    f"{OPEN_DAYS} whole days of those",
)


def open_row(name: str, cost: OpenCost) -> list[str]:
    """One line of the table of visits read again."""
    return [
        name,
        f"{cost.visits:,}",
        f"{cost.examined:,}",
        f"{cost.examined / cost.visits:.1f}",
        f"{cost.window:,}",
        f"{(cost.window + cost.examined) / cost.window:.2f}",
        f"{cost.whole / cost.window:.1f}",
    ]

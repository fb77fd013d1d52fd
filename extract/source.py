"""A hospital database, read one service day at a time into the contract tables."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from extract import contract, tidy
from extract.catalogue import Catalogue
from extract.contract import ZERO_DAY, DayTables, TableName, Wanted
from extract.errors import SourceError
from extract.failures import plainly
from extract.lab_map import read_lab_map
from extract.messages import Message
from extract.session import parse_url, read_only_connection, where
from extract.settings import HisSettings
from extract.statements import Statements
from extract.values import as_text, column

BUDDHIST_YEARS = 543
FIRST_BUDDHIST_DAY = date(2400, 1, 1)
"""Stored days from here on are in Buddhist years: 2400 was the year 1857."""
VISITS_A_STATEMENT = 500
"""Visits named in one statement: within every server's limit of parameters, and a short time for the server."""

HELPER_COLUMNS: dict[TableName, dict[str, contract.Kind]] = {
    "visits": {},
    "diagnoses": {},
    "labs": {"lab_order": "text"},
    "vaccinations": {"given_at": "text"},
}
"""What a SQL file gives besides the contract's columns: the order a result belongs to, the moment of a dose."""

MISSING_TABLES = Message(
    th="ฐานข้อมูล {at} ไม่มีตารางหรือคอลัมน์ที่จำเป็น: {names} กรุณาตรวจ his.url ว่าเป็นฐานข้อมูลของระบบ {kind} และบัญชีมีสิทธิ์อ่าน",
    en="The database {at} lacks tables or columns that are needed: {names}. "
    "Check that his.url is a {kind} database and that the account may read it.",
)
NO_FACILITY = Message(
    th="ฐานข้อมูล {at} ไม่ได้บอกรหัสหน่วยบริการ กรุณาตรวจตารางข้อมูลหน่วยบริการของโรงพยาบาล",
    en="The database {at} does not say which facility it belongs to: check its table of the facility.",
)


@dataclass(frozen=True)
class Facility:
    """Whose database it is.

    Args:
        hcode: The facility's code, five digits as a rule.
        name: Its name, "" where the database has none.
    """

    hcode: str
    name: str


@contextmanager
def open_source(settings: HisSettings) -> Iterator["HisSource"]:
    """The configured hospital database, open for reading while the block lasts.

    Args:
        settings: Where it is and how it is read.

    Yields:
        A source that reads one service day at a time.

    Raises:
        ConfigurationError: A setting is missing or impossible.
        SourceError: The database does not answer, or refuses.
    """
    at = where(parse_url(settings))
    with read_only_connection(settings) as connection:
        yield HisSource(connection, settings, at)


class HisSource:
    """An open hospital database. Made by `open_source`.

    Args:
        connection: Read-only.
        settings: As configured.
        at: Where it is, for sentences.
    """

    def __init__(self, connection: sa.Connection, settings: HisSettings, at: str) -> None:
        self._connection = connection
        self._settings = settings
        self._at = at
        self._statements = Statements(settings.kind, settings.sql_folder)
        self._lab_map = read_lab_map(settings.lab_map)
        self._catalogue = Catalogue(connection)
        self._complete = False
        self._next_day_at = 0.0

    def missing_tables(self) -> list[str]:
        """Required tables ("ovst") and columns ("ovst.an") that are not there; empty when all is well."""
        required = self._statements.required()
        with self._snapshot():
            return plainly(self._at, "required.csv", lambda: self._catalogue.missing(required))

    def facility(self) -> Facility:
        """Whose database it is.

        Raises:
            SourceError: It cannot be read, or does not say.
        """
        self._require_tables()
        with self._snapshot():
            names, rows = self._rows("facility.sql", Wanted(), {})
        if missing := {"hcode", "hospital_name"} - set(names):
            raise contract.broken(str(self._statements.path("facility.sql")), missing)
        facility = dict(zip(names, rows[0], strict=True)) if rows else {}
        hcode = as_text(facility.get("hcode"))
        if hcode is None:
            raise SourceError(NO_FACILITY.fill(at=self._at))
        return Facility(hcode, as_text(facility["hospital_name"]) or "")

    def read_day(self, day: date, wanted: Wanted) -> DayTables:
        """The visits of one service day that can become a claim, all read at one instant.

        Args:
            day: The service day, Gregorian; visits stored under the same day in Buddhist years come along.
            wanted: What the wanted kinds of claim need; only visits that have it leave the database.

        Raises:
            SourceError: The database cannot be read, or not in time.
            ConfigurationError: An SQL file cannot be used.
            ContractError: An SQL file gives other columns than agreed.
        """
        self._require_tables()
        time.sleep(max(0.0, self._next_day_at - time.monotonic()))
        values: dict[str, object] = {
            "day": day,
            "buddhist_day": _buddhist(day),
            "zero_day": ZERO_DAY,
            "first_buddhist_day": FIRST_BUDDHIST_DAY,
            "icd10_prefixes": list(wanted.icd10_prefixes),
            "first_time_icd10": list(wanted.first_time_icd10),
            "lab_codes": list(wanted.lab_codes),
            "mapped_labs": [local for local, nhso in self._lab_map.items() if nhso in wanted.lab_codes],
        }
        with self._snapshot():
            labs, vaccinations = contract.empty("labs"), contract.empty("vaccinations")
            if wanted.icd10_prefixes and wanted.lab_codes:
                labs = tidy.labs(self._table("labs", wanted, values), self._lab_map, wanted.lab_codes)
            if wanted.vaccines:
                vaccinations = tidy.vaccinations(self._table("vaccinations", wanted, values))
            numbers = sorted({*labs["vn"], *vaccinations["vn"]})
            visits = tidy.visits(self._table("visits", wanted, values, numbers))
            numbers = list(visits["vn"])
            diagnoses = tidy.diagnoses(self._table("diagnoses", wanted, values, numbers))
        self._next_day_at = time.monotonic() + self._settings.day_pause_seconds
        tables: dict[TableName, pd.DataFrame] = {
            "visits": visits,
            "diagnoses": diagnoses,
            "labs": labs[labs["vn"].isin(numbers)],
            "vaccinations": vaccinations[vaccinations["vn"].isin(numbers)],
        }
        return DayTables(day, **{name: self._checked(name, frame) for name, frame in tables.items()})

    def _checked(self, table: TableName, frame: pd.DataFrame) -> pd.DataFrame:
        tidy = frame[list(contract.TABLES[table])].reset_index(drop=True)
        return contract.check(table, tidy, str(self._statements.path(f"{table}.sql")))

    def _require_tables(self) -> None:
        if self._complete:
            return
        if missing := self.missing_tables():
            names = ", ".join(missing)
            raise SourceError(MISSING_TABLES.fill(at=self._at, names=names, kind=self._settings.kind))
        self._complete = True

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """One transaction, always rolled back: nothing of ours stays open on a production server."""
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # on a lost connection there is nothing to roll back
                self._connection.rollback()

    def _rows(self, file: str, wanted: Wanted, values: dict[str, object]) -> tuple[list[str], list[tuple[object, ...]]]:
        """The column names (lower case) and rows that one SQL file gives."""

        def read() -> tuple[list[str], list[tuple[object, ...]]]:
            statement = self._statements.statement(file, self._catalogue.has, wanted)
            bound = {name: values[name] for name in statement.compile().params}
            result = self._connection.execute(statement, bound)
            names = [name.lower() for name in result.keys()]  # noqa: SIM118 - rows have keys, but are no mapping
            return names, [tuple(row) for row in result]

        return plainly(self._at, file, read)

    def _table(
        self, table: TableName, wanted: Wanted, values: dict[str, object], visits: list[str] | None = None
    ) -> pd.DataFrame:
        """One contract table with its helper columns; a statement per `VISITS_A_STATEMENT` where visits are named."""
        file = f"{table}.sql"
        kinds = contract.TABLES[table] | HELPER_COLUMNS[table]
        rows: list[tuple[object, ...]] = []
        names = list(kinds)
        starts = [0] if visits is None else range(0, len(visits), VISITS_A_STATEMENT)
        for start in starts:
            chunk = {} if visits is None else {"visits": visits[start : start + VISITS_A_STATEMENT]}
            names, found = self._rows(file, wanted, values | chunk)
            rows.extend(found)
        if wrong := set(names) ^ set(kinds):
            raise contract.broken(str(self._statements.path(file)), wrong)
        by_column = list(zip(*rows, strict=True)) or [()] * len(names)
        return pd.DataFrame({name: column(stored, kinds[name]) for name, stored in zip(names, by_column, strict=True)})


def _buddhist(day: date) -> date:
    """The same day in Buddhist years; the day itself where that calendar has no such leap day."""
    try:
        return day.replace(year=day.year + BUDDHIST_YEARS)
    except ValueError:
        return day

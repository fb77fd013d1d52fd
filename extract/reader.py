"""Runs the statements of a HIS's folder on one open connection and returns the rows as the database gives them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from functools import partial
from typing import TypeVar, get_args

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from core.calendar import BUDDHIST_YEARS, FIRST_BUDDHIST_YEAR
from core.errors import ConfigurationError
from core.messages import Message
from extract import contract
from extract.catalogue import Catalogue
from extract.contract import ZERO_DAY, TableName, Wanted
from extract.failures import translate_errors
from extract.his_file import NAME as HIS_FILE
from extract.his_file import Server
from extract.query_plan import explain
from extract.session import MEGABYTE, can_hash_join, display_address, hash_joins, parse_url, read_only_connection
from extract.settings import HisSettings
from extract.site_maps import SiteMaps, read_site_maps
from extract.statements import OF_NAMED_VISITS, OF_ONE_DAY, Statements
from extract.values import column
from extract.watch import CutOff, Watch

Answer = TypeVar("Answer")

VISITS_A_STATEMENT = 500
"""Visits per statement: below every server's limit of parameters, and each statement is short."""

OF_DAY: tuple[TableName, ...] = ("labs", "vaccinations")
OF_VISITS: tuple[TableName, ...] = ("visits", "diagnoses")
"""The statements that select by day, or by visit if they can, and those that select by the visits these find."""
SAME_DAY = "same_day.sql"
"""The file that selects the numbers of a day's visits by the persons of the named ones; a folder need not have it."""
MOST_DIGITS = 18
"""Digits of the longest number that every server's largest integer holds."""

HELPER_COLUMNS: dict[TableName, dict[str, contract.Kind]] = {
    "visits": {"marriage_name": "text", "nation_name": "text", "scheme_name": "text"},
    "diagnoses": {},
    "labs": {"person_vn": "text"},
    "vaccinations": {"given_at": "text"},
}
"""Columns of the SQL files that are not in the contract: names of local codes, a visit of the result's person on that day, the
time of a dose."""

Rows = tuple[list[str], list[tuple[object, ...]]]
"""The column names (lower case) and rows of a statement."""

WRONG_SERVER = Message(
    th="ไฟล์ SQL ของ {his} ไม่ได้เขียนไว้สำหรับฐานข้อมูลชนิด {server} กรุณาตรวจค่า his.url และ his.kind",
    en="The SQL of {his} is not written for a {server} database: check the settings his.url and his.kind.",
)


@contextmanager
def open_reader(settings: HisSettings, maps: SiteMaps | None = None) -> Iterator["Reader"]:
    """The configured hospital database and its HIS's folder, open while the block lasts.

    Args:
        settings: Where it is and how it is read.
        maps: The site's own code maps; None reads those of `settings.maps_folder`.

    Raises:
        ConfigurationError: A setting is missing or impossible, or the HIS's SQL is not for such a server.
        SourceError: The database does not answer, or refuses.
    """
    statements = Statements(settings.kind, settings.sql_folder)
    url, his = parse_url(settings), statements.his
    server = {"mariadb": "mysql"}.get(name := url.get_backend_name(), name)
    if server in get_args(Server) and server not in his.servers:
        raise ConfigurationError(WRONG_SERVER.fill(his=his.name, server=server))
    maps = read_site_maps(settings.maps_folder) if maps is None else maps
    with read_only_connection(settings, his) as (connection, watch):
        yield Reader(connection, watch, statements, maps, display_address(url), settings)


class Reader:
    """An open hospital database. Made by `open_reader`.

    Attributes:
        connection: Read-only.
        statements: The HIS's folder.
        maps: The site's own code maps.
        at: Its address for error messages, without user or password.
        catalogue: Its tables and columns.
    """

    def __init__(
        self,
        connection: sa.Connection,
        watch: Watch,
        statements: Statements,
        maps: SiteMaps,
        at: str,
        settings: HisSettings,
    ) -> None:
        self.connection = connection
        self._watch = watch
        self._most_rows, self._most_bytes = settings.most_rows_a_day, settings.most_megabytes_a_day * MEGABYTE
        self._refused = settings.refused_claim_statuses
        self.statements = statements
        self.maps = maps
        self.at = at
        self.catalogue = Catalogue(connection)
        self._quoted = connection.dialect.identifier_preparer.quote_identifier
        self._reads_whole: dict[tuple[str, bool], bool] = {}
        self._rows: Counter[str] = Counter()
        self._bytes = 0

    def missing_tables(self) -> list[str]:
        """Required tables ("ovst") and columns ("ovst.an") that do not exist; empty if all do."""
        required = self.statements.his.required
        with self.snapshot():
            return self.query(HIS_FILE, lambda: self.catalogue.missing(required))

    def check_statements(self) -> None:
        """Render the four statements for this database, as reading a day does.

        Raises:
            ConfigurationError: An SQL file cannot be used.
            SourceError: A table may not be read, even an optional one.
        """
        with self.snapshot():
            for table in contract.TABLES:
                file = f"{table}.sql"
                self.query(file, partial(self.statement, file, Wanted(), by_visit=table in OF_VISITS))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One transaction within a day's limits, always rolled back, so that none stays open on a production server."""
        self._watch.begin()
        self._rows.clear()
        self._bytes = 0
        try:
            yield
        finally:
            with suppress(SQLAlchemyError, CutOff):  # the connection is lost
                self._watch.run(self.connection.rollback)

    def query(self, doing: str, read: Callable[[], Answer], day: date | None = None) -> Answer:
        """Query the database within the limits.

        Args:
            doing: What is read, such as "labs.sql".
            read: Queries the database.
            day: The service day that is read, if it is one's.

        Raises:
            SourceError: The database cannot be read, not in time, or gives too much.
        """
        return translate_errors(self.at, doing, lambda: self._watch.run(read), day)

    def parameters(self, day: date, wanted: Wanted) -> dict[str, object]:
        """The parameters of a service day's statements, without the visit numbers."""
        his_labs, site_labs = self.statements.his.maps.get("labs", {}), self.maps.get("labs", {})
        return {
            "day": day,
            "buddhist_day": _buddhist(day),
            "zero_day": ZERO_DAY,
            "first_buddhist_day": date(FIRST_BUDDHIST_YEAR, 1, 1),
            "icd10_prefixes": list(wanted.icd10_prefixes),
            "first_time_icd10": list(wanted.first_time_icd10),
            "lab_codes": [*wanted.lab_codes, *(own for own, code in his_labs.items() if code in wanted.lab_codes)],
            "mapped_labs": [local for local, code in site_labs.items() if code in wanted.lab_codes],
            "decided_labs": list(site_labs),
            "refused_statuses": list(self._refused),
        }

    def statement(
        self, file: str, wanted: Wanted, has: Callable[..., bool] | None = None, *, by_visit: bool = False
    ) -> sa.TextClause:
        """One statement of the folder, rendered for this database; `has` replaces its catalogue, if given.

        Raises:
            ConfigurationError: The file cannot be used.
        """
        has = has or self.catalogue.has
        return self.statements.statement(
            file,
            has,
            wanted,
            indexed=self.catalogue.indexed,
            quoted=self._quoted,
            reviewed=frozenset(self.maps),
            by_visit=by_visit,
        )

    def reads_by_visit(self, wanted: Wanted) -> bool:
        """Whether the folder's files can select named visits and those of the same persons and day, not only whole days.

        Raises:
            ConfigurationError: An SQL file cannot be used.
        """

        def names_visits(file: str) -> bool:
            # In full: a file may select nothing where the database lacks its tables.
            statement = self.statement(file, wanted, lambda *_: True, by_visit=True)
            return bool(OF_NAMED_VISITS & set(statement.compile().params))

        return self.statements.path(SAME_DAY).is_file() and all(names_visits(f"{table}.sql") for table in OF_DAY)

    def rows(self, file: str, wanted: Wanted, values: dict[str, object]) -> Rows:
        """The rows of one SQL file; `values` are its parameters, with visit numbers if it is to select by visit.

        Raises:
            ConfigurationError: The file cannot be used.
            SourceError: The database cannot be read, not in time, or gives too much.
        """
        day, by_visit = values.get("day"), not OF_NAMED_VISITS.isdisjoint(values)

        def read() -> Rows:
            statement = self.statement(file, wanted, by_visit=by_visit)
            bound = {name: values[name] for name in statement.compile().params}
            whole = self._must_read_whole((file, by_visit), statement, bound)
            with hash_joins(self.connection) if whole else nullcontext():
                result = self.connection.execute(statement, bound)
                names = [name.lower() for name in result.keys()]  # noqa: SIM118 - a result has keys but is not a mapping
                return names, self._bounded(result, file)

        return self.query(file, read, day if isinstance(day, date) else None)

    def _bounded(self, result: Iterable[Sequence[object]], file: str) -> list[tuple[object, ...]]:
        """The rows, unless those of the file or the texts of the day become too many."""
        rows = []
        for row in result:
            self._rows[file] += 1
            # Counted here too: the watch knows only what comes over a network.
            self._bytes += sum(len(value) for value in row if isinstance(value, str | bytes))
            if self._rows[file] > self._most_rows:
                raise CutOff("rows")
            if self._bytes > self._most_bytes:
                raise CutOff("size")
            rows.append(tuple(row))
        return rows

    def _must_read_whole(self, file: tuple[str, bool], statement: sa.TextClause, values: dict[str, object]) -> bool:
        """Whether the server must read a whole large table, for lack of an index; looked up once per file and use."""
        if file not in self._reads_whole:
            self._reads_whole[file] = can_hash_join(self.connection) and self._plan_reads_whole(statement, values)
        return self._reads_whole[file]

    def _plan_reads_whole(self, statement: sa.TextClause, values: dict[str, object]) -> bool:
        try:
            with self.connection.begin_nested():
                return any(step.too_much for step in explain(self.connection, statement, values))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return False  # a read-only account may not EXPLAIN a view

    def rows_of_visits(self, file: str, wanted: Wanted, values: dict[str, object], visits: list[str]) -> Rows:
        """The rows of one SQL file for visits, `VISITS_A_STATEMENT` per statement; without visits none is run."""
        names: list[str] = []
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(visits), VISITS_A_STATEMENT):
            names, found = self.rows(
                file, wanted, values | visit_parameters(visits[start : start + VISITS_A_STATEMENT])
            )
            rows.extend(found)
        return names, rows

    def rows_of_days(self, file: str, wanted: Wanted, days: Mapping[date, Collection[str] | None]) -> Rows:
        """The rows of one SQL file for service days: of all visits (None) or of those named.

        Visits of several days are named in one statement, unless the file asks for the day.
        """
        if len(days) > 1 and not self._asks_for_day(file, wanted):
            # Any day will do for the parameters that are not asked for.
            days = {min(days): {vn for numbers in days.values() if numbers is not None for vn in numbers}}
        names: list[str] = []
        rows: list[tuple[object, ...]] = []
        for day, numbers in days.items():
            values = self.parameters(day, wanted)
            if numbers is None:
                given, found = self.rows(file, wanted, values)
            else:
                given, found = self.rows_of_visits(file, wanted, values, sorted(numbers))
            names = given or names
            rows.extend(found)
        return names, rows

    def _asks_for_day(self, file: str, wanted: Wanted) -> bool:
        statement = self.query(file, lambda: self.statement(file, wanted, by_visit=True))
        return not OF_ONE_DAY.isdisjoint(statement.compile().params)


def visit_parameters(visits: list[str]) -> dict[str, object]:
    """Visit numbers as the parameters of statements: as text, and as integers for a HIS that stores integers."""
    return {"visits": visits, "visit_numbers": integers(visits)}


def integers(numbers: Iterable[str]) -> list[int]:
    """Those that a HIS can hold as integers; what a person has typed may be longer than any."""
    return [int(number) for number in numbers if number.isdecimal() and len(number) <= MOST_DIGITS]


def typed_frame(table: TableName, names: list[str], rows: list[tuple[object, ...]]) -> pd.DataFrame:
    """Rows as a contract table with its helper columns, other columns left out."""
    kinds = contract.TABLES[table] | HELPER_COLUMNS[table]
    by_column = list(zip(*rows, strict=True)) or [()] * len(names)
    return pd.DataFrame(
        {
            name: column(stored, kinds[name], name)
            for name, stored in zip(names, by_column, strict=True)
            if name in kinds
        }
    )


def _buddhist(day: date) -> date:
    """The day in Buddhist years; the day itself if it is a leap day that the Buddhist year does not have."""
    try:
        return day.replace(year=day.year + BUDDHIST_YEARS)
    except ValueError:
        return day


def gregorian(day: date) -> date | None:
    """The service day of a stored day, which may be in Buddhist years; None if there is no such day."""
    if day.year < FIRST_BUDDHIST_YEAR:
        return day
    with suppress(ValueError):
        return day.replace(year=day.year - BUDDHIST_YEARS)
    return None

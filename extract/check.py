"""Checks a HIS's folder on one day: compares what its statements return with the contract, and shows plans and times.

Unlike reading a day it continues after an error, so that everything to correct is reported at once. Of the rows it
keeps only counts and masked samples.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeVar

import pandas as pd
import sqlalchemy as sa

from core.errors import MophClaimError
from core.masking import masked
from core.messages import Message
from core.mojibake import MOJIBAKE
from extract import contract, normalise
from extract.contract import TableName, Wanted
from extract.meanings import columns as agreed_columns
from extract.query_plan import Step, explain
from extract.reader import OF_DAY, OF_VISITS, VISITS_A_STATEMENT, Reader, Rows, typed_frame, visit_parameters
from extract.values import as_text, column

SAMPLES = 5
DAYS_BACK = 31
"""If the day has no visits, so many days before it are searched for one that has."""

_ALWAYS_NULL = re.compile(r"\bNULL\s+AS\s+(\w+)", re.IGNORECASE)

Fault = Literal["missing", "unknown", "repeated", "empty", "no date", "twice", "not given"]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ColumnCheck:
    """One column of the rows returned.

    Args:
        name: Its name.
        given: Whether the statement returns it.
        filled: In how many rows it has a value.
        lost: How many of these values should be a date or time and are none, such as zero dates.
        spoilt: How many of these values are mojibake.
        samples: Masked values, one per sample row; "" for an empty one.
    """

    name: str
    given: bool
    filled: int = 0
    lost: int = 0
    spoilt: int = 0
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """A breach of the contract.

    Args:
        table: The table.
        column: The column.
        fault: The column is missing, unknown or repeated; it is empty and may not be, or has no date or time in any
            row; a visit number is in several rows ("twice"); or visits with a result or a dose are missing ("not
            given").
        rows: In how many rows; 0 for all.
    """

    table: TableName
    column: str
    fault: Fault
    rows: int = 0


@dataclass(frozen=True, slots=True)
class TableCheck:
    """One statement and its result.

    Args:
        table: Its contract table.
        file: The file used, with its folder.
        fault: Why it could not be run, if so; then nothing else is known.
        rows: How many rows it returned.
        kept: How many are left without repeated and unwanted ones.
        seconds: How long it took, including fetching.
        columns: The contract's and the helper columns in order, then unknown ones.
        violations: Breaches of the contract.
        plan: How the server runs it; None if the server does not explain it.
        absent: Tables and columns that the statement looked for and that do not exist.
        costs: The columns that are empty for that reason.
    """

    table: TableName
    file: str
    fault: Message | None = None
    rows: int = 0
    kept: int = 0
    seconds: float = 0.0
    columns: tuple[ColumnCheck, ...] = ()
    violations: tuple[Violation, ...] = ()
    plan: tuple[Step, ...] | None = None
    absent: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DayCheck:
    """What the four statements return for one day.

    Args:
        day: The day.
        visits: How many visits have a wanted result or a dose.
        other_day: If there are none: the last day before it that has some, if one was found.
        tables: The statements in the order in which they run.
    """

    day: date
    visits: int
    other_day: date | None
    tables: tuple[TableCheck, ...]

    @property
    def unreadable(self) -> bool:
        """Whether a statement could not be run."""
        return any(table.fault for table in self.tables)

    @property
    def needs_attention(self) -> bool:
        """Whether a statement breaks the contract or reads too much."""
        return any(t.violations or any(step.too_much for step in t.plan or ()) for t in self.tables)


def check_day(reader: Reader, day: date, wanted: Wanted) -> DayCheck:
    """Run the four statements for a day; an error in one does not stop the others.

    Args:
        reader: The open database.
        day: The service day, Gregorian.
        wanted: What the wanted kinds of claim need.
    """
    values = reader.parameters(day, wanted)
    runs = [_StatementRun(reader, table, wanted, values) for table in OF_DAY]
    numbers = sorted({vn for run in runs for vn in run.numbers})
    runs += [_StatementRun(reader, table, wanted, values, numbers) for table in OF_VISITS]
    other = None if numbers or any(run.fault for run in runs) else _day_with_visits(reader, day, wanted)
    return DayCheck(day, len(numbers), other, tuple(run.check() for run in runs))


def _day_with_visits(reader: Reader, day: date, wanted: Wanted) -> date | None:
    """The last day before this one that has a visit with a wanted result or a dose."""
    for back in range(1, DAYS_BACK + 1):
        before = day - timedelta(days=back)
        values = reader.parameters(before, wanted)
        if any(_StatementRun(reader, table, wanted, values).numbers for table in OF_DAY):
            return before
    return None


class _StatementRun:
    """One statement and its rows. Missing columns count as empty, so that the other statements can run."""

    def __init__(
        self,
        reader: Reader,
        table: TableName,
        wanted: Wanted,
        values: dict[str, object],
        visits: Sequence[str] | None = None,
    ) -> None:
        self._reader, self._wanted = reader, wanted
        self.table, self._file, self._wanted_visits = table, f"{table}.sql", set(visits or ())
        self._by_visit = visits is not None
        self._values = values | (visit_parameters([*visits][:VISITS_A_STATEMENT]) if visits is not None else {})
        self.fault: Message | None = None
        started = time.monotonic()
        self.names, self.rows = self._tried(lambda: self._run(visits)) or ([], [])
        self.seconds = time.monotonic() - started
        self.frame = _complete(table, typed_frame(table, self.names, self.rows), len(self.rows))
        self.normalised = self._normalised()
        self.numbers = set() if visits is not None else self._visits()

    def _run(self, visits: Sequence[str] | None) -> Rows:
        if visits:
            return self._reader.rows_of_visits(self._file, self._wanted, self._values, [*visits])
        # Also run without visits: that shows which columns it returns.
        return self._reader.rows(self._file, self._wanted, self._values)

    def _tried(self, query: Callable[[], Answer]) -> Answer | None:
        try:
            with self._reader.snapshot():
                return query()
        except MophClaimError as error:
            self.fault = error.message
            return None

    def _visits(self) -> set[str]:
        if self.table == "labs":
            return {vn for vn in normalise.visits_of_labs(self.frame, self.normalised) if isinstance(vn, str)}
        return set(self.normalised["vn"].dropna())

    def _normalised(self) -> pd.DataFrame:
        maps, his_maps = self._reader.maps, self._reader.statements.his.maps
        if self.table == "labs":
            return normalise.labs(self.frame, maps, his_maps, self._wanted.lab_codes)
        if self.table == "vaccinations":
            return normalise.vaccinations(self.frame, maps, his_maps)
        if self.table == "visits":
            return normalise.visits(self.frame, maps, his_maps)
        return normalise.diagnoses(self.frame)

    def check(self) -> TableCheck:
        """The result as a `TableCheck`."""
        file = str(self._reader.statements.path(self._file))
        if self.fault:
            return TableCheck(self.table, file, self.fault)
        with self._reader.snapshot():
            plan = self._plan()
            absent, costs = self._reader.query(self._file, self._absent)
        columns = tuple(self._columns())
        return TableCheck(
            self.table,
            file,
            rows=len(self.rows),
            kept=len(self.normalised),
            seconds=self.seconds,
            columns=columns,
            violations=tuple(self._violations(columns)),
            plan=plan,
            absent=absent,
            costs=costs,
        )

    def _statement(self, has: Callable[..., bool] | None = None) -> sa.TextClause:
        return self._reader.statement(self._file, self._wanted, has, by_visit=self._by_visit)

    def _plan(self) -> tuple[Step, ...] | None:
        reader = self._reader
        try:
            return reader.query(
                self._file,
                lambda: explain(reader.connection, self._statement(), self._values),
            )
        except MophClaimError:  # the statement itself ran; that this account may not EXPLAIN it is no fault
            return None

    def _absent(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The tables and columns it looked for that do not exist, and the columns that are NULL for that reason."""
        reader, looked_up = self._reader, dict[str, None]()

        def has(*names: str) -> bool:
            looked_up.update(dict.fromkeys(names))
            return reader.catalogue.has(*names)

        rendered = self._statement(has).text
        rendered_in_full = self._statement(lambda *_: True).text
        always_null = set(_ALWAYS_NULL.findall(rendered_in_full))
        costs = [name for name in _ALWAYS_NULL.findall(rendered) if name not in always_null]
        return tuple(reader.catalogue.missing(looked_up)), tuple(dict.fromkeys(costs))

    def _columns(self) -> list[ColumnCheck]:
        values_of = dict(zip(self.names, zip(*self.rows, strict=True), strict=True)) if self.rows else {}
        names = [column.name for column in agreed_columns(self.table)]
        samples = _sample_rows(self.normalised if len(self.normalised) else self.frame)
        found = []
        for name in [*names, *(name for name in self.names if name not in names)]:
            texts = [text for value in values_of.get(name, ()) if (text := as_text(value)) is not None]
            # Counted in the raw rows, as unknown columns are not in the frame.
            lost = len(texts) - int(self.frame[name].notna().sum()) if name in self.frame else 0
            spoilt = sum(MOJIBAKE.search(text) is not None for text in texts)
            shown = tuple(_masked_text(name, value) for value in samples[name]) if name in samples else ()
            found.append(ColumnCheck(name, name in self.names, len(texts), max(0, lost), spoilt, shown))
        return found

    def _violations(self, columns: Sequence[ColumnCheck]) -> list[Violation]:
        agreed = [column.name for column in agreed_columns(self.table)]
        table = self.table
        found = [Violation(table, name, "missing") for name in agreed if name not in self.names]
        found += [Violation(table, name, "unknown") for name in self.names if name not in agreed]
        found += [Violation(table, name, "repeated") for name in agreed if self.names.count(name) > 1]
        for name in sorted(contract.REQUIRED[table] & set(self.names)):
            # Rows without a value are often dropped when normalised; if all rows lack it, the statement is wrong.
            of = self.frame if self.frame[name].isna().all() else self.normalised
            if empty := int(of[name].isna().sum()):
                found.append(Violation(table, name, "empty", empty))
        found += [Violation(table, c.name, "no date", c.lost) for c in columns if c.lost == c.filled >= SAMPLES]
        if table == "visits" and (twice := int(self.normalised["vn"].dropna().duplicated(keep=False).sum())):
            found.append(Violation(table, "vn", "twice", twice))
        if table == "visits" and (lacking := len(self._wanted_visits - set(self.normalised["vn"]))):
            found.append(Violation(table, "vn", "not given", lacking))
        return found


def _complete(table: TableName, frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The frame with its missing columns added, empty."""
    missing = {c.name: c.kind for c in agreed_columns(table) if c.name not in frame}
    return frame.assign(**{name: column([None] * rows, kind) for name, kind in missing.items()})


def _sample_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """A few rows spread over the table, as neighbouring rows are often alike."""
    most = min(SAMPLES, len(frame))
    return frame.iloc[[number * (len(frame) - 1) // max(1, most - 1) for number in range(most)]]


def _masked_text(name: str, value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, pd.Timestamp):
        value = f"{value:%Y-%m-%d}"
    elif isinstance(value, bool):
        value = int(value)
    return masked(name, str(value))

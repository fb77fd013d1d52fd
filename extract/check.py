"""A HIS's folder looked at for one day: the contract beside what its statements give, how, and how fast.

It goes on where reading a day would stop, so that everything there is to mend is said at once. What it keeps of the
rows are counts and masked samples.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeVar

import pandas as pd

from core.errors import MophClaimError
from core.masking import masked
from core.messages import Message
from core.mojibake import MOJIBAKE
from extract import contract, normalise
from extract.contract import TableName, Wanted
from extract.failures import plainly
from extract.meanings import columns as agreed_columns
from extract.query_plan import Step, explain
from extract.reader import VISITS_A_STATEMENT, Reader, Rows, named, typed
from extract.values import as_text, column

OF_DAY: tuple[TableName, ...] = ("labs", "vaccinations")
OF_VISITS: tuple[TableName, ...] = ("visits", "diagnoses")
"""The statements of a day, and those of the visits that they find."""
SAMPLES = 5
DAYS_BACK = 31
"""Days before the one asked for that are looked at for one with visits, where it has none."""

_ALWAYS_NULL = re.compile(r"\bNULL\s+AS\s+(\w+)", re.IGNORECASE)

Fault = Literal["missing", "unknown", "repeated", "empty", "no date", "twice", "not given"]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ColumnCheck:
    """One column of what came.

    Args:
        name: Its name.
        given: Whether the statement gives it.
        filled: In how many rows it holds something.
        lost: In how many of these that is no date or time, where it should be one: zero dates and the like.
        spoilt: In how many of these a wrong character set has spoilt it.
        samples: Masked, one a sample row; "" where there is nothing.
    """

    name: str
    given: bool
    filled: int = 0
    lost: int = 0
    spoilt: int = 0
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """Where what came is not as the contract wants it.

    Args:
        table: Whose statement it is.
        column: Which column.
        fault: Not given, given but not agreed, given twice; empty though it may not be, no date or time in any row, one
            number in several rows; or visits that have a result or a dose and are not given.
        rows: How many rows it is so in; 0 where it is so of all.
    """

    table: TableName
    column: str
    fault: Fault
    rows: int = 0


@dataclass(frozen=True, slots=True)
class TableCheck:
    """One statement and what came of it.

    Args:
        table: Its contract table.
        file: The file that counts, with its folder.
        fault: Why it could not be run, if so; then nothing else is known.
        rows: How many rows came.
        kept: How many are left once duplicates and what is not wanted are gone.
        seconds: How long that took, the fetching included.
        columns: The contract's and those that help it, in order, then those that nobody knows.
        violations: Where it is not as agreed.
        plan: How the server runs it; None where it does not say.
        absent: Tables and columns that the statement asked for and that are not there.
        costs: The columns that stay empty for it.
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
    """What the four statements give for one day.

    Args:
        day: The day.
        visits: How many visits have a wanted result or a dose.
        other_day: Where there are none: the last day before it that has some, if one was found.
        tables: The statements in the order they are run.
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
        """Whether something is not as agreed, or reads too much."""
        return any(t.violations or any(step.too_much for step in t.plan or ()) for t in self.tables)


def check_day(reader: Reader, day: date, wanted: Wanted) -> DayCheck:
    """Run the four statements for a day, each for itself.

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
    """One statement, run; what is missing of the contract is taken as empty, so that the others can follow."""

    def __init__(
        self,
        reader: Reader,
        table: TableName,
        wanted: Wanted,
        values: dict[str, object],
        visits: Sequence[str] | None = None,
    ) -> None:
        self._reader, self._wanted = reader, wanted
        self.table, self._file, self._asked = table, f"{table}.sql", set(visits or ())
        self._values = values | named([*(visits or ())][:VISITS_A_STATEMENT])
        self.fault: Message | None = None
        started = time.monotonic()
        self.names, self.rows = self._tried(lambda: self._run(visits)) or ([], [])
        self.seconds = time.monotonic() - started
        self.frame = _complete(table, typed(table, self.names, self.rows), len(self.rows))
        self.normalised = self._normalised()
        self.numbers = set() if visits is not None else set(self.normalised["vn"].dropna())

    def _run(self, visits: Sequence[str] | None) -> Rows:
        if visits:
            return self._reader.rows_of_visits(self._file, self._wanted, self._values, [*visits])
        # Also without a visit: which columns it gives is known then.
        return self._reader.rows(self._file, self._wanted, self._values)

    def _tried(self, query: Callable[[], Answer]) -> Answer | None:
        try:
            with self._reader.snapshot():
                return query()
        except MophClaimError as error:
            self.fault = error.message
            return None

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
        """What is to be said of it."""
        file = str(self._reader.statements.path(self._file))
        if self.fault:
            return TableCheck(self.table, file, self.fault)
        with self._reader.snapshot():
            plan = self._plan()
            absent, costs = self._absent()
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

    def _plan(self) -> tuple[Step, ...] | None:
        reader = self._reader
        try:
            return plainly(
                reader.at,
                self._file,
                lambda: explain(reader.connection, reader.statement(self._file, self._wanted), self._values),
            )
        except MophClaimError:  # it ran: that the server does not explain it (to this account) spoils nothing
            return None

    def _absent(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the statement asked for in vain, and the columns that are NULL for that reason alone."""
        reader, asked = self._reader, dict[str, None]()

        def has(*names: str) -> bool:
            asked.update(dict.fromkeys(names))
            return reader.catalogue.has(*names)

        here = reader.statement(self._file, self._wanted, has).text
        everywhere = reader.statement(self._file, self._wanted, lambda *_: True).text
        always = set(_ALWAYS_NULL.findall(everywhere))
        costs = [name for name in _ALWAYS_NULL.findall(here) if name not in always]
        return tuple(reader.catalogue.missing(asked)), tuple(dict.fromkeys(costs))

    def _columns(self) -> list[ColumnCheck]:
        came = dict(zip(self.names, zip(*self.rows, strict=True), strict=True)) if self.rows else {}
        names = [column.name for column in agreed_columns(self.table)]
        samples = _sample_rows(self.normalised if len(self.normalised) else self.frame)
        found = []
        for name in [*names, *(name for name in self.names if name not in names)]:
            said = [text for value in came.get(name, ()) if (text := as_text(value)) is not None]
            # Duplicates and all: a column nobody knows has no place in the frame.
            lost = len(said) - int(self.frame[name].notna().sum()) if name in self.frame else 0
            spoilt = sum(MOJIBAKE.search(text) is not None for text in said)
            shown = tuple(_masked_text(name, value) for value in samples[name]) if name in samples else ()
            found.append(ColumnCheck(name, name in self.names, len(said), max(0, lost), spoilt, shown))
        return found

    def _violations(self, columns: Sequence[ColumnCheck]) -> list[Violation]:
        agreed = [column.name for column in agreed_columns(self.table)]
        table = self.table
        found = [Violation(table, name, "missing") for name in agreed if name not in self.names]
        found += [Violation(table, name, "unknown") for name in self.names if name not in agreed]
        found += [Violation(table, name, "repeated") for name in agreed if self.names.count(name) > 1]
        for name in sorted(contract.REQUIRED[table] & set(self.names)):
            # A row without is often none that counts, and is gone by then; where all are without, the statement is wrong.
            of = self.frame if self.frame[name].isna().all() else self.normalised
            if empty := int(of[name].isna().sum()):
                found.append(Violation(table, name, "empty", empty))
        found += [Violation(table, c.name, "no date", c.lost) for c in columns if c.lost == c.filled >= SAMPLES]
        if table == "visits" and (twice := int(self.normalised["vn"].dropna().duplicated(keep=False).sum())):
            found.append(Violation(table, "vn", "twice", twice))
        if table == "visits" and (lacking := len(self._asked - set(self.normalised["vn"]))):
            found.append(Violation(table, "vn", "not given", lacking))
        return found


def _complete(table: TableName, frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The frame with the columns it lacks, empty."""
    missing = {c.name: c.kind for c in agreed_columns(table) if c.name not in frame}
    return frame.assign(**{name: column([None] * rows, kind) for name, kind in missing.items()})


def _sample_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """A few rows, from the first to the last: those beside each other are often alike."""
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

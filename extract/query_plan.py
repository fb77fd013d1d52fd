"""How a server will run a statement: which index it uses for each table, and whether it reads a whole table.

Only names and numbers are kept of the server's answer, as its text contains the values that are searched for.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from extract.statements import PARAMETERS

LARGE = 10_000
"""A table of so many rows or more is too large to be read whole for one day's few visits."""

_WORDS = re.compile(
    r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/"  # strings and comments
    r"|(?P<open>\()|(?P<close>\))|(?P<select>\bSELECT\b)"
    r"|\b(?:FROM|JOIN)\s+(?P<table>[`\"\w.]+)"
    r"(?:\s+(?:AS\s+)?(?!(?:ON|WHERE|JOIN|LEFT|INNER|CROSS|GROUP|ORDER|UNION|USING|LIMIT)\b)(?P<alias>\w+))?",
    re.IGNORECASE | re.DOTALL,
)
_SQLITE_STEP = re.compile(
    r"(?P<how>SCAN|SEARCH) (?:TABLE )?(?P<name>\w+)(?: AS (?P<alias>\w+))?(?: USING (?P<index>.*))?"
)
_SQLITE_INDEX = re.compile(r"\b(?:INDEX (?P<name>\w+)|(?P<key>(?:INTEGER )?PRIMARY KEY)|(?P<made>AUTOMATIC \w+))")


@dataclass(frozen=True, slots=True)
class Step:
    """One table of a plan.

    Args:
        table: Its name; several names if the statement uses one alias for all and the server gives only the alias.
        index: The index used, "" for none.
        rows: About how many rows are read each time; None if the server does not say.
        whole: Whether the whole table, or a whole index of it, is read.
        size: If so, about how many rows the table has; None if unknown.
    """

    table: str
    index: str
    rows: int | None
    whole: bool
    size: int | None = None

    @property
    def too_much(self) -> bool:
        """Whether a whole large table is read."""
        return self.whole and (self.size or 0) >= LARGE


def explain(connection: sa.Connection, statement: sa.TextClause, values: Mapping[str, object]) -> tuple[Step, ...]:
    """The plan of a statement, without running it.

    Args:
        connection: Read-only.
        statement: As `Statements.statement` returns it.
        values: The values of its parameters.

    Raises:
        SQLAlchemyError: The server does not explain it.
    """
    server = connection.dialect.name
    command, read = {
        "sqlite": ("EXPLAIN QUERY PLAN", _of_sqlite),
        "postgresql": ("EXPLAIN (VERBOSE, FORMAT JSON)", _of_postgresql),
    }.get(server, ("EXPLAIN", _of_mysql))
    names = set(statement.compile().params)
    explained = sa.text(f"{command} {statement.text}").bindparams(*(PARAMETERS[name] for name in names))
    rows = connection.execute(explained, {name: values[name] for name in names}).mappings().all()
    steps = dict.fromkeys(read([dict(row) for row in rows], _sources(statement.text)))
    return tuple(_sized(connection, step) for step in steps)


Sources = Mapping[tuple[int, str], str]
"""Tables by the number of their SELECT in the statement, from 1, and their alias. Number 0 has all aliases;
" / " separates tables that share an alias."""


def _sources(sql: str) -> Sources:
    found: dict[tuple[int, str], dict[str, None]] = {}
    inside, selects = [0], 0
    for word in _WORDS.finditer(sql):
        if word["open"]:
            inside.append(inside[-1])
        elif word["close"] and len(inside) > 1:
            inside.pop()
        elif word["select"]:
            inside[-1] = selects = selects + 1
        elif table := word["table"]:
            table = table.replace("`", "").replace('"', "")
            for number in (0, inside[-1]):
                found.setdefault((number, (word["alias"] or table).lower()), {})[table] = None
    return {place: " / ".join(tables) for place, tables in found.items()}


def _of_mysql(rows: list[dict[str, Any]], sources: Sources) -> Iterator[Step]:
    for row in rows:
        # Subqueries are named like <derived2>; one merged into another query has the number of that one.
        name = str(row["table"]).lower()
        if table := sources.get((int(row["id"] or 0), name), sources.get((0, name))):
            about = None if row["rows"] is None else int(row["rows"])
            whole = str(row["type"]).lower() in ("all", "index")
            yield Step(table, str(row["key"] or ""), about, whole, about if whole else None)


def _of_postgresql(rows: list[dict[str, Any]], sources: Sources) -> Iterator[Step]:  # noqa: ARG001
    (plan,) = rows[0].values()
    nodes = [(json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]]
    while nodes:
        node = nodes.pop(0)
        nodes = node.get("Plans", []) + nodes
        condition = "Index Cond" in node
        if "Relation Name" in node:
            bitmap = node["Node Type"] == "Bitmap Heap Scan"
            index = node.get("Index Name") or next((inner.get("Index Name", "") for inner in node.get("Plans", [])), "")
            yield Step(node["Relation Name"], index, int(node["Plan Rows"]), not condition and not bitmap)


def _of_sqlite(rows: list[dict[str, Any]], sources: Sources) -> Iterator[Step]:
    for row in rows:
        step = _SQLITE_STEP.match(str(row["detail"]))
        if step and (table := sources.get((0, (step["alias"] or step["name"]).lower()))):
            index = _SQLITE_INDEX.search(step["index"] or "")
            made = index is not None and index["made"] is not None
            name = "" if index is None or made else index["name"] or index["key"]
            # An automatic index is built from the whole table for this one statement.
            yield Step(table, name, None, step["how"] == "SCAN" or made)


def _sized(connection: sa.Connection, step: Step) -> Step:
    if not step.whole or step.size is not None:
        return step
    sizes = [size for table in step.table.split(" / ") if (size := _size(connection, table)) is not None]
    return Step(step.table, step.index, step.rows, True, max(sizes, default=None))


def _size(connection: sa.Connection, table: str) -> int | None:
    """About how many rows a table has, without reading it; MySQL and MariaDB already give it in the plan."""
    quoted = ".".join(connection.dialect.identifier_preparer.quote(part) for part in table.split("."))
    try:
        with connection.begin_nested():
            if connection.dialect.name == "sqlite":
                size = connection.execute(sa.text(f"SELECT MAX(rowid) FROM {quoted}")).scalar()  # noqa: S608
            else:
                (plan,) = connection.execute(sa.text(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {quoted}")).one()  # noqa: S608
                size = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"]
    except SQLAlchemyError:  # a view has no size, and a read-only account may lack the right
        return None
    return int(size) if size is not None else None

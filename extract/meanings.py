"""The meaning of the contract's columns and the statements' parameters, for people who write SQL (`meanings.csv`)."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from core.messages import Message
from extract import contract
from extract.contract import TABLES, Kind, TableName
from extract.reader import HELPER_COLUMNS

Subject = TableName | Literal["parameter", "function"]

KINDS: dict[Kind, Message] = {
    "text": Message("ข้อความ", "text"),
    "date": Message("วันที่", "date"),
    "time": Message("เวลา", "time"),
    "flag": Message("0/1", "0/1"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column that an SQL file returns.

    Args:
        name: Its name.
        kind: Its kind in the contract.
        required: Whether it may not be empty.
        meaning: What it contains, in words.
    """

    name: str
    kind: Kind
    required: bool
    meaning: Message


def columns(table: TableName) -> tuple[Column, ...]:
    """The columns that the SQL file of a table returns: the contract's, then the helper columns."""
    meaning_of = meanings(table)
    return tuple(
        Column(name, kind, name in contract.REQUIRED[table], meaning_of[name])
        for name, kind in (TABLES[table] | HELPER_COLUMNS[table]).items()
    )


def meanings(subject: Subject) -> Mapping[str, Message]:
    """The meaning of each name of a table, or of each parameter or function, in the order of the file."""
    return {name: message for (of, name), message in _read().items() if of == subject}


@cache
def _read() -> dict[tuple[str, str], Message]:
    with files("extract").joinpath("meanings.csv").open(encoding="utf-8") as file:
        return {(row["part"], row["name"]): Message(row["th"], row["en"]) for row in csv.DictReader(file)}

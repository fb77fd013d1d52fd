"""Tables from a short description: one line a table, the columns with their types.

person(pid int pk, idcard varchar(13), born date ix, ix(born,pid), unique(idcard))
"""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

_SIMPLE: dict[str, type[TypeEngine[Any]]] = {
    "int": sa.Integer,
    "double": sa.Double,
    "date": sa.Date,
    "time": sa.Time,
    "datetime": sa.DateTime,
}


def _type(spelling: str) -> TypeEngine[Any]:
    """The SQLAlchemy type of `int`, `date`, `varchar(13)`, …"""
    if sized := re.fullmatch(r"(varchar|char)\((\d+)\)", spelling):
        length = int(sized[2])
        return sa.CHAR(length) if sized[1] == "char" else sa.String(length)
    return _SIMPLE[spelling]()


def _over(kind: str, table: str, columns: list[str]) -> sa.Constraint | sa.Index:
    """A key or an index over several columns."""
    match kind:
        case "pk":
            return sa.PrimaryKeyConstraint(*columns)
        case "unique":
            return sa.UniqueConstraint(*columns)
        case _:
            return sa.Index("_".join(("ix", table, *columns)), *columns)


def _table(metadata: sa.MetaData, line: str) -> sa.Table:
    """One line of the schema as a table; in TIS-620 on MariaDB and MySQL, as in hospitals."""
    name, body = re.fullmatch(r"(\w+)\((.*)\)", line).groups()  # type: ignore[union-attr]
    parts: list[sa.Column[Any] | sa.Constraint | sa.Index] = []
    for part in re.split(r",\s*(?![^(]*\))", body):
        if several := re.fullmatch(r"(pk|unique|ix)\((.+)\)", part):
            parts.append(_over(several[1], name, several[2].split(",")))
            continue
        column, spelling, *marks = part.split()
        key = "pk" in marks
        parts.append(sa.Column(column, _type(spelling), primary_key=key, autoincrement=False, index="ix" in marks))
    return sa.Table(name, metadata, *parts, mysql_charset="tis620", mariadb_charset="tis620")


def tables_of(schema: str) -> sa.MetaData:
    """The tables of a description, in its order."""
    metadata = sa.MetaData()
    for line in schema.strip().splitlines():
        _table(metadata, line)
    return metadata

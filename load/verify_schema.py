"""Verification of the database's own rules: its triggers and constraints are as the migrations make them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, Connection, Table, UniqueConstraint, inspect, text
from sqlalchemy.engine.reflection import Inspector

from load.mismatch import CONSTRAINT, FOREIGN_TRIGGER, SWITCH, TRIGGER, Mismatch
from load.tables import metadata
from load.triggers import Trigger, statements, triggers

# Each gives of every trigger on our tables: name, table, event, body, whether it acts for each row, whether it is on.
_CATALOGUES = {
    "sqlite": "select name, tbl_name, '', sql, 1, 1 from sqlite_master where type = 'trigger'",
    "postgresql": (
        "select t.tgname, c.relname, "
        "concat_ws(' ', case when t.tgtype & 2 > 0 then 'before' when t.tgtype & 64 > 0 then 'instead' else 'after' end, "
        "concat_ws(' or ', case when t.tgtype & 4 > 0 then 'insert' end, case when t.tgtype & 16 > 0 then 'update' end, "
        "case when t.tgtype & 8 > 0 then 'delete' end, case when t.tgtype & 32 > 0 then 'truncate' end)), p.prosrc, "
        "(t.tgtype & 1) > 0, t.tgenabled in ('O', 'A') and t.tgqual is null and t.tgnargs = 0 and t.tgattr = ''::int2vector "
        "and p.proconfig is null "
        "from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid "
        "where not t.tgisinternal and c.relnamespace = current_schema()::regnamespace"
    ),
    "mysql": (
        "select trigger_name, event_object_table, lower(concat(action_timing, ' ', event_manipulation)), action_statement, "
        "1, 1 from information_schema.triggers where trigger_schema = database()"
    ),
}
# What switches these rules off without touching them, where it says anything: PostgreSQL's rules, policies and a setting by
# which triggers do not fire; MariaDB's by which nothing is checked. SQLite has none but of the connection.
_SWITCHES = {
    "postgresql": (
        "select 'rule ' || rulename from pg_rules where schemaname = current_schema() "
        "union all select 'policy ' || policyname from pg_policies where schemaname = current_schema() "
        "union all select 'row level security of ' || relname from pg_class "
        "where relrowsecurity and relnamespace = current_schema()::regnamespace "
        "union all select 'session_replication_role = ' || setting from pg_settings "
        "where name = 'session_replication_role' and setting = 'replica'"
    ),
    "mysql": "show global variables where variable_name in ('foreign_key_checks', 'check_constraint_checks') and value = 'OFF'",
}
# What PostgreSQL writes otherwise than we do; and what says nothing.
_OTHERWISE = (("= any", " in "), ("<> all", " not in "))
_NOISE = re.compile(r"::(character varying|text)(\[\])?|\barray\b|[`()\[\]\s\"]")


@dataclass(frozen=True, slots=True)
class _Found:
    """A trigger as the database has it."""

    table: str
    event: str
    body: str
    each_row: bool
    is_on: bool


def mismatches_of_schema(connection: Connection) -> Iterator[Mismatch]:
    """Compare triggers and constraints with what the migrations make."""
    yield from _of_triggers(connection)
    yield from _of_switches(connection)
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        yield from _of_constraints(inspector, table)


def _of_triggers(connection: Connection) -> Iterator[Mismatch]:
    dialect = connection.dialect.name
    catalogue = _CATALOGUES.get(dialect, _CATALOGUES["mysql"])
    found = {
        name: _Found(table, event, _plain(body), bool(each), bool(on))
        for name, table, event, body, each, on in connection.execute(text(catalogue.replace("::", r"\:\:")))
        if table in metadata.tables
    }
    expected = {trigger.name: _as_found(dialect, trigger) for trigger in triggers(dialect)}
    for name, trigger in expected.items():
        if found.get(name) != trigger:
            yield Mismatch(TRIGGER.fill(name=name))
    for name in sorted(found.keys() - expected.keys()):
        yield Mismatch(FOREIGN_TRIGGER.fill(name=name))


def _of_switches(connection: Connection) -> Iterator[Mismatch]:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return
    switches = _SWITCHES.get(dialect, _SWITCHES["mysql"]).replace("::", r"\:\:")
    for switch in connection.execute(text(switches)):
        yield Mismatch(SWITCH.fill(name=" = ".join(switch)))


def _as_found(dialect: str, trigger: Trigger) -> _Found:
    if dialect == "sqlite":
        (whole,) = statements(dialect, trigger)
        return _Found(trigger.table, "", _plain(whole), True, True)
    return _Found(trigger.table, trigger.event, _plain(trigger.body), trigger.each_row, True)


def _plain(sql: str) -> str:
    # SQLite writes the first words its own way.
    return re.sub(r"^create trigger", "create trigger", " ".join(sql.split()), flags=re.IGNORECASE)


def _of_constraints(inspector: Inspector, table: Table) -> Iterator[Mismatch]:
    checks = {c["name"]: _words(c["sqltext"]) for c in inspector.get_check_constraints(table.name)}
    unique = {u["name"]: u["column_names"] for u in inspector.get_unique_constraints(table.name)}
    there = {(tuple(f["constrained_columns"]), f["referred_table"]) for f in inspector.get_foreign_keys(table.name)}
    for constraint in table.constraints:
        name = str(constraint.name)
        if isinstance(constraint, CheckConstraint) and checks.get(name) != _words(str(constraint.sqltext)):
            yield Mismatch(CONSTRAINT.fill(name=name, table=table.name))
        if isinstance(constraint, UniqueConstraint) and unique.get(name) != [c.name for c in constraint.columns]:
            yield Mismatch(CONSTRAINT.fill(name=name, table=table.name))
    for key in table.foreign_keys:
        if ((key.parent.name,), key.column.table.name) not in there:
            yield Mismatch(CONSTRAINT.fill(name=f"{key.parent.name} → {key.target_fullname}", table=table.name))
    primary = inspector.get_pk_constraint(table.name)["constrained_columns"]
    if primary != [c.name for c in table.primary_key.columns]:
        yield Mismatch(CONSTRAINT.fill(name="primary key", table=table.name))


def _words(sql: str) -> str:
    """A check without what databases write otherwise."""
    plain = sql.lower()
    for theirs, ours in _OTHERWISE:
        plain = plain.replace(theirs, ours)
    return _NOISE.sub("", plain)

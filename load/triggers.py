"""The triggers of the audit database: who made them knows what they should be, so `audit verify` can compare.

A migration that changes a table with triggers, or `load.states`, drops and makes them all (`make_triggers`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from load.states import transitions
from load.tables import metadata

# The columns that erasing empties in each table whose rows never change otherwise (`load.erasure`).
ERASABLE = {
    "submission": ("request", "response", "message"),
    "claim_history": ("message",),
    "workbook_row": ("file_name", "refusal_th", "refusal_en"),
    "former_payload": ("payload",),
}
# The tables whose rows never change, each with the columns, besides its id, that SQLite's "insert or replace" goes by.
APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "submission": ("run_id", "number"),
    "claim_history": (),
    "workbook_row": (),
    "former_payload": ("claim_id", "payload_hash"),
    "seal": ("environment", "hcode", "number"),
    "sealed_row": (),
    "access": ("environment", "number"),
}
_CLAIM_KEY = ("environment", "hcode", "kind", "vn", "item")
_HISTORY = ("claim_id", "at", "before", "after", "cause", "run_id", "payload_hash", "message")
# Of the versions before: dropped where they are still there.
_FORMER = ("claim_keep", "submission_keep", "claim_history_keep", "workbook_row_keep")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger.

    Args:
        name: Its name, alone in the database.
        table: The table it is on.
        event: When it acts, such as "before update".
        body: What it does: SQL of this database, one statement or several; on PostgreSQL in a function of the same name.
        each_row: Whether it acts once for each row; else once for each statement (PostgreSQL).
    """

    name: str
    table: str
    event: str
    body: str
    each_row: bool = True


def triggers(dialect: str, columns: Mapping[str, Sequence[str]] | None = None) -> list[Trigger]:
    """All triggers of the audit, for this kind of database.

    Args:
        dialect: sqlite, postgresql, or another for MariaDB.
        columns: The columns of each append-only table, where a migration knows fewer than the program.
    """
    columns = columns or {name: table.c.keys() for name, table in metadata.tables.items()}
    return [*_kept(dialect, columns), *_of_claims(dialect)]


def statements(dialect: str, trigger: Trigger) -> Iterator[str]:
    """The statements that make a trigger."""
    if dialect == "postgresql":
        function = f"moph_claim_{trigger.name}"
        yield f"create or replace function {function}() returns trigger language plpgsql as $${trigger.body}$$"
        each = "row" if trigger.each_row else "statement"
        yield (
            f"create trigger {trigger.name} {trigger.event} on {trigger.table} "
            f"for each {each} execute function {function}()"
        )
    elif dialect == "sqlite":
        yield f"create trigger {trigger.name} {trigger.event} on {trigger.table} {trigger.body}"
    else:
        yield f"create trigger {trigger.name} {trigger.event} on {trigger.table} for each row {trigger.body}"


def drop_triggers(connection: Connection) -> None:
    """Drop all of them, those of former versions included; for migrations."""
    tables = set(inspect(connection).get_table_names())
    of = {t.name: t.table for t in triggers(connection.dialect.name)} | {
        name: name.removesuffix("_keep") for name in _FORMER
    }
    for name, table in of.items():
        if table in tables:
            on = f" on {table}" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"drop trigger if exists {name}{on}"))


def make_triggers(connection: Connection) -> None:
    """Make all of them anew; for migrations."""
    dialect = connection.dialect.name
    there = inspect(connection)
    tables = set(there.get_table_names())
    columns = {t: [c["name"] for c in there.get_columns(t)] for t in APPEND_ONLY if t in tables}
    drop_triggers(connection)
    for trigger in triggers(dialect, columns):
        for statement in statements(dialect, trigger):
            connection.execute(text(statement.replace(":", r"\:")))


def _kept(dialect: str, columns: Mapping[str, Sequence[str]]) -> Iterator[Trigger]:
    """No row of an append-only table, and no claim, is deleted; no row changes but by being erased."""
    for table, key in (*APPEND_ONLY.items(), ("claim", _CLAIM_KEY)):
        if table not in columns and table != "claim":
            continue
        never = f"a row of {table} is never deleted"
        if dialect == "postgresql":
            body = _refuse(dialect, never)
            yield Trigger(f"{table}_no_delete", table, "before delete or truncate", body, each_row=False)
        else:
            yield Trigger(f"{table}_no_delete", table, "before delete", _refuse(dialect, never))
        if dialect == "sqlite":  # "insert or replace" deletes without a delete trigger
            # No condition without an index in it: with one SQLite reads the whole table for each row that is inserted.
            keys = [*([] if table == "former_payload" else [("id",)]), *([key] if key else [])]
            same = " or ".join("({})".format(" and ".join(f"{c} = new.{c}" for c in names)) for names in keys)
            there = f"exists (select 1 from {table} where {same})"  # noqa: S608 - names of ours
            body = f"when {there} {_refuse(dialect, 'a row is never replaced')}"
            yield Trigger(f"{table}_no_replace", table, "before insert", body)
        if table in APPEND_ONLY:
            refuse = _refuse(
                dialect, f"a row of {table} is never changed", unless=_erases(dialect, table, columns[table])
            )
            yield Trigger(f"{table}_no_update", table, "before update", refuse)


def _erases(dialect: str, table: str, columns: Sequence[str]) -> str:
    """The SQL condition that an update does nothing but erase a row."""
    if table not in ERASABLE:
        return "false"
    same = {"sqlite": "{0} is {1}", "postgresql": "{0} is not distinct from {1}"}.get(dialect, "{0} <=> {1}")
    emptied = ERASABLE[table]
    # A submission's has stood there since it was written.
    changed = (*emptied, "erased_by") if table == "submission" else (*emptied, "erased_by", "text_hash")
    kept = sorted(c for c in columns if c not in changed)
    conditions = ["old.erased_by is null", "new.erased_by is not null"]
    conditions += [f"new.{c} = ''" if c == "file_name" else f"new.{c} is null" for c in emptied]
    conditions += [same.format(f"new.{_quoted(dialect, c)}", f"old.{_quoted(dialect, c)}") for c in kept]
    return " and ".join(conditions)


def _refuse(dialect: str, why: str, *, unless: str = "false") -> str:
    """A body that refuses what was asked for."""
    if dialect == "sqlite":
        when = "" if unless == "false" else f"when not ({unless}) "
        return f"{when}begin select raise(abort, '{why}'); end"
    if dialect == "postgresql":
        raising = f"raise exception '{why}' using errcode = 'integrity_constraint_violation';"
        if unless != "false":
            return f"begin if not ({unless}) then {raising} end if; return new; end"
        return f"begin {raising} end"
    signal = f"signal sqlstate '45000' set message_text = '{why}'"
    return signal if unless == "false" else f"if not ({unless}) then {signal}; end if"


def _of_claims(dialect: str) -> Iterator[Trigger]:
    """Only the changes of state that there are, each with its row of history; and every payload that was sent is kept."""
    pairs = ", ".join(sorted({f"'{before}>{after}'" for before, after, _ in transitions() if before}))
    into = f"insert into claim_history ({', '.join(_quoted(dialect, c) for c in _HISTORY)}) values"
    message = "case when new.cause in ('answered', 'person') then new.message end"
    rest = f"new.state, new.cause, new.changed_by, new.payload_hash, {message})"
    first, later = f"{into} (new.id, new.updated_at, null, {rest}", f"{into} (new.id, new.updated_at, old.state, {rest}"
    moved = "old.state <> new.state"
    illegal = "illegal transition of a claim"
    # Sent, and about to be replaced; erasing does not change the hash.
    replaced = "old.payload_hash <> new.payload_hash and old.payload_hash = old.sent_hash"
    dual = "" if dialect in ("sqlite", "postgresql") else "from dual "
    keep = (
        f"insert into former_payload (claim_id, payload_hash, payload) "  # noqa: S608 - names of ours
        f"select old.id, old.payload_hash, old.payload {dual}where not exists "
        "(select 1 from former_payload where claim_id = old.id and payload_hash = old.payload_hash)"
    )
    if dialect == "sqlite":
        step = f"old.state || '>' || new.state in ({pairs})"
        refuse = _refuse(dialect, illegal, unless=f"not ({moved}) or {step}")
        yield Trigger("claim_transition", "claim", "before update of state", refuse)
        yield Trigger("claim_registered", "claim", "after insert", f"begin {first}; end")
        yield Trigger("claim_moved", "claim", "after update of state", f"when {moved} begin {later}; end")
        yield Trigger("claim_replaced", "claim", "after update of payload_hash", f"when {replaced} begin {keep}; end")
    elif dialect == "postgresql":
        step = f"old.state || '>' || new.state in ({pairs})"
        refuse = _refuse(dialect, illegal, unless=f"not ({moved}) or {step}")
        yield Trigger("claim_transition", "claim", "before update", refuse)
        yield Trigger("claim_registered", "claim", "after insert", f"begin {first}; return null; end")
        change = f"begin if {moved} then {later}; end if; if {replaced} then {keep}; end if; return null; end"
        yield Trigger("claim_moved", "claim", "after update", change)
    else:
        step = f"concat(old.state, '>', new.state) in ({pairs})"
        refuse = _refuse(dialect, illegal, unless=f"not ({moved}) or {step}")
        yield Trigger("claim_transition", "claim", "before update", refuse)
        yield Trigger("claim_registered", "claim", "after insert", first)
        change = f"begin if {moved} then {later}; end if; if {replaced} then {keep}; end if; end"
        yield Trigger("claim_moved", "claim", "after update", change)


def _quoted(dialect: str, column: str) -> str:
    """Names such as `before`, `after` and `call` are reserved words."""
    return f"`{column}`" if dialect in ("mysql", "mariadb") else f'"{column}"'

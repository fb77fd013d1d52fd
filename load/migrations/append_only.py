"""Triggers that keep the rows of a table as they were written. Released migrations use them: do not change their SQL."""

from collections.abc import Iterator


def append_only(dialect: str, table: str, why: str, same: str = "false") -> Iterator[str]:
    """The statements that make a table append-only.

    On PostgreSQL they call a function of migration 0002.

    Args:
        dialect: sqlite, postgresql, or another for MariaDB.
        table: Its name.
        why: The error message for whoever tries to change it.
        same: SQL condition that an existing row conflicts with `new` other than by its id; SQLite's "insert or replace"
            would replace that row.
    """
    if dialect == "sqlite":
        for verb in ("update", "delete"):
            yield f"create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{why}'); end"
        yield never_replaced(table, same)
    elif dialect == "postgresql":
        yield (
            f"create trigger {table}_keep before update or delete or truncate on {table} "
            "for each statement execute function moph_claim_keep()"
        )
    else:
        for verb in ("update", "delete"):
            yield (
                f"create or replace trigger {table}_no_{verb} before {verb} on {table} "
                f"for each row signal sqlstate '45000' set message_text = '{why}'"
            )


def never_replaced(table: str, same: str) -> str:
    """The trigger against SQLite's "insert or replace", which deletes without a delete trigger; arguments as above."""
    there = f"select 1 from {table} where id = new.id or ({same})"  # noqa: S608 - names of ours
    refuse = "begin select raise(abort, 'a row is never replaced'); end"
    return f"create trigger {table}_no_replace before insert on {table} when exists ({there}) {refuse}"

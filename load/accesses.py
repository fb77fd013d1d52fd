"""The record of accesses: each look at a body and each export is written down before it happens: who, when, what.

One append-only chain an environment (the table `access`); each run's seal covers its end.
"""

import getpass
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.exc import IntegrityError

from core.clock import now
from load.seals import last_access
from load.tables import access
from load.transactions import within

_NAMES = ("environment", "number", "previous_hash", "at", "hcode", "who", "action", "subject", "run_id")
_TRIES = 20


def record_access(
    engine: Engine, environment: str, action: str, subject: str, *, hcode: str = "", run_id: str | None = None
) -> None:
    """Write down a look or an export; call it before the person gets to see anything.

    Args:
        engine: The audit database.
        environment: sandbox, uat or prd.
        action: What is done, as the command is called.
        subject: The visit, the days, or the file's name; cut off at 255 characters.
        hcode: The facility, or empty.
        run_id: The run that does it, if one does.

    Raises:
        AuditError: The audit cannot be written.
    """
    said = {"environment": environment, "action": action, "subject": subject[:255], "hcode": hcode, "run_id": run_id}
    within(engine, lambda connection: _append(connection, said | {"at": now(), "who": account()}))


def _append(connection: Connection, said: dict[str, Any]) -> None:
    for attempt in range(1, _TRIES + 1):
        end = last_access(connection, said["environment"])
        row = said | {"number": end.number + 1, "previous_hash": end.hash}
        try:
            with connection.begin_nested():
                connection.execute(access.insert(), row | {"hash": access_hash(row)})
            return
        except IntegrityError:  # another process was faster
            if attempt == _TRIES:
                raise


def access_hash(row: Mapping[str, Any]) -> str:
    """The hash of a row of `access`: SHA-256 over all its columns but the id and the hash itself."""
    values = [
        v.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(v, datetime) else v
        for v in map(row.get, _NAMES)
    ]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def accesses(engine: Engine, environment: str, limit: int) -> Sequence[Row[Any]]:
    """The last accesses, the latest first.

    Raises:
        AuditError: The audit cannot be read.
    """
    query = select(access).where(access.c.environment == environment).order_by(access.c.number.desc()).limit(limit)
    return within(engine, lambda connection: connection.execute(query).all(), reading=True)


def account() -> str:
    """The account of this machine that the program runs as; with it the one that became it by sudo, if one did."""
    try:
        import pwd

        name = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # a container's account without a name
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"uid {os.getuid()}"
    through = os.environ.get("SUDO_USER", "")
    return (f"{name} ({through})" if through and through != name else name)[:80]

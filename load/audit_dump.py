"""Dumps of an audit on PostgreSQL or MariaDB, made with the server's own program: consistent while a service writes."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from core.messages import Message
from core.text import one_line
from load.errors import AuditError

_MARIADB_TLS = ("ssl_ca", "ssl_cert", "ssl_key")


def dump_audit(url: str, file: Path) -> None:
    """Write a dump, for its owner alone: tables, triggers and routines as they are at one moment.

    Args:
        url: SQLAlchemy URL of the audit.
        file: The file to make; there must be none. For `pg_restore`, or `mariadb`.

    Raises:
        AuditError: There is no such program here, it failed, or the file cannot be written.
    """
    parsed = make_url(url)
    postgresql = parsed.get_backend_name() == "postgresql"
    program = _find("pg_dump") if postgresql else _find("mariadb-dump", "mysqldump")
    words = _pg_dump(parsed) if postgresql else _mariadb_dump(parsed)
    # Not among the words: everybody on the machine may read those.
    secret = {"PGPASSWORD" if postgresql else "MYSQL_PWD": parsed.password} if parsed.password else {}
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise AuditError(_NOT_WRITTEN.fill(path=file, why=error.strerror or "?")) from None
    try:
        with os.fdopen(opened, "wb") as out:
            _run([program, *words], out.fileno(), os.environ | secret)
            os.fsync(out.fileno())
        if postgresql:  # reads the file's table of contents, which a dump cut short does not have
            _run([_find("pg_restore"), "--list", str(file)], subprocess.DEVNULL, os.environ)
        elif b"-- Dump completed" not in _tail(file):
            raise AuditError(_FAILED.fill(program=program, why="not completed"))
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _pg_dump(url: URL) -> list[str]:
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return ["--format=custom", "--no-password", "--dbname", address]


def _mariadb_dump(url: URL) -> list[str]:
    """In one transaction: what a run writes meanwhile is in it whole, or not at all."""
    where = {"host": url.host, "port": url.port, "user": url.username, "socket": url.query.get("unix_socket")}
    where |= {name.replace("_", "-"): url.query.get(name) for name in _MARIADB_TLS}
    options = [f"--{name}={value}" for name, value in where.items() if value]
    whole = ["--single-transaction", "--triggers", "--routines", "--default-character-set=utf8mb4"]
    return [*options, *whole, "--", str(url.database)]


def _find(*names: str) -> str:
    for name in names:
        if program := which(name):
            return program
    raise AuditError(_NO_PROGRAM.fill(program=" / ".join(names)))


def _run(words: Sequence[str], out: int, environment: Mapping[str, str]) -> None:
    try:
        ended = subprocess.run(  # noqa: S603 - no shell; the words are ours and the settings'
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=environment
        )
    except OSError as error:
        raise AuditError(_FAILED.fill(program=words[0], why=error.strerror or "?")) from None
    if ended.returncode:
        why = one_line(ended.stderr.decode(errors="replace"))[:300] or str(ended.returncode)
        raise AuditError(_FAILED.fill(program=words[0], why=why))


def _tail(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 200))
        return opened.read()


_NO_PROGRAM = Message(
    "ไม่พบโปรแกรม {program} บนเครื่องนี้ กรุณาติดตั้ง หรือให้ผู้ดูแลฐานข้อมูลสำรองข้อมูลตาม docs/operations.md",
    "The program {program} is not on this machine: install it, or have the database's administrator back it up as "
    "docs/operations.md says.",
)
_FAILED = Message("สำรองฐานข้อมูลตรวจสอบไม่สำเร็จ: {program}: {why}", "The audit could not be backed up: {program}: {why}")
_NOT_WRITTEN = Message(
    "เขียน {path} ไม่ได้ ({why}) ไฟล์ที่มีอยู่แล้วจะไม่ถูกเขียนทับ กรุณาตรวจสอบชื่อ สิทธิ์ และพื้นที่ดิสก์",
    "{path} cannot be written ({why}), and what is there is never written over: check its name, its rights and the disk.",
)

"""Calls of `moph-claim`, each in a process of its own, forked from one that has imported the libraries already.

Importing them takes three seconds of a processor for each call and is not what the tests are about. Of this program
itself nothing is imported before the fork, and nothing of Prefect, which reads the environment when it is imported.

As a program it reads a call a line from its input (JSON: words, folder, environment, out, err), and writes its exit
code a line to its output.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from lifeline import ending_with_parent

LIBRARIES = (
    "alembic.command",
    "alembic.config",
    "jinja2.sandbox",
    "openpyxl",
    "pandas",
    "pandera.backends.pandas.register",
    "pandera.pandas",
    "pydantic_settings",
    "pymysql",
    "python_calamine",
    "requests",
    "rich.markdown",
    "rich.table",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "tenacity",
    "typer",
)
AT_MOST_SECONDS = 600
_one_at_a_time = Lock()


def call(words: list[str], folder: Path, environment: dict[str, str], out: Path, err: Path) -> int:
    """Call the command and wait for its end.

    Args:
        words: What follows `moph-claim`.
        folder: Where it is called.
        environment: All of its environment.
        out: File its output goes to.
        err: File its errors go to.

    Returns:
        Its exit code, negative for a signal.
    """
    wish = {"words": words, "folder": str(folder), "environment": environment, "out": str(out), "err": str(err)}
    with _one_at_a_time:
        parent = _parent()
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(json.dumps(wish) + "\n")
        parent.stdin.flush()
        return int(parent.stdout.readline())


@cache
def _parent() -> subprocess.Popen[str]:
    """The process the calls are forked from; it ends with this one, whose end of its input closes."""
    command = [sys.executable, "-P", __file__]
    search = os.pathsep.join(path for path in (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")) if path)
    parent = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": search},
        preexec_fn=ending_with_parent(),
    )
    atexit.register(parent.communicate)
    return parent


def _serve() -> None:
    for library in LIBRARIES:
        import_module(library)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _become(wish: dict[str, Any]) -> None:
    """In the fork: the command itself, its streams, folder and environment those of the call."""
    for number, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *((wish[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("out", "err"))]
    ):
        os.dup2(os.open(path, flags, 0o600), number)
    os.chdir(wish["folder"])
    ending_with_parent()()
    os.environ.clear()
    os.environ.update(wish["environment"])
    sys.argv = ["moph-claim", *wish["words"]]
    signal.alarm(AT_MOST_SECONDS)
    from flows.cli.main import main

    main()


if __name__ == "__main__":
    _serve()

"""How Prefect runs here: in the data folder, offline, without telemetry.

Prefect reads its settings from the environment when it is imported: this module, which alone writes them there, must be
called before. A variable that is set already wins, except those that `configure_service` has to set.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

import requests

from core.errors import ConfigurationError
from core.messages import Message
from flows.service.password import CLIENT_VARIABLE, SERVER_VARIABLE, ensure_password, keep_password
from flows.settings.keys import FOLDER_VARIABLE

HEARTBEAT_SECONDS = 30
"""How often a run says that it is alive; Prefect allows no less."""


def configure_prefect(data_folder: Path) -> None:
    """Keep Prefect's files in the data folder, Prefect quiet, and its server behind the password.

    The password is for the passing server of a run by hand too: it works with the same database as the service's.

    Args:
        data_folder: The folder of the audit and the reports; Prefect's own files go to `prefect/` in it.

    Raises:
        ConfigurationError: The folder cannot be made, or the password's file cannot be used.
    """
    home = data_folder / "prefect"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            Message(
                f"สร้างโฟลเดอร์ {home} ไม่ได้ ({error.strerror}) กรุณาแก้สิทธิ์หรือตั้ง data_folder ใหม่",
                f"The folder {home} cannot be made ({error.strerror}): mend its rights or set data_folder.",
            )
        ) from None
    defaults = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # The newer UI makes the browser fetch from other hosts.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_CLI_PROMPT": "false",
        # The first start creates Prefect's database, which takes long on a slow disk.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    }
    password = ensure_password(data_folder, os.environ)
    os.environ[SERVER_VARIABLE] = password
    if "PREFECT_API_URL" not in os.environ:  # another server, which a person has named, is not told our password
        defaults[CLIENT_VARIABLE] = password
    _set_defaults(defaults)


def configure_service(url: str, data_folder: Path) -> None:
    """Configure the server, the worker and the runs of `moph-claim up`.

    They inherit this process's environment, and this process itself talks to the server.

    Args:
        url: The server's address.
        data_folder: As in `configure_prefect`, which was called before.
    """
    keep_password(data_folder, os.environ[SERVER_VARIABLE])
    # The worker's default is /tmp/runner_storage, which another user may own.
    temporary = data_folder / "prefect" / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "PREFECT_API_URL": f"{url}/api",
            CLIENT_VARIABLE: os.environ[SERVER_VARIABLE],
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
            # A module in the hospital's folder must not shadow one of ours.
            "PYTHONSAFEPATH": "1",
            FOLDER_VARIABLE: str(Path.cwd()),
            "TMPDIR": str(temporary),
        }
    )
    defaults = {
        # Prefect writes its pages at each start; the default folder, beside its code, may be read-only.
        "PREFECT_UI_STATIC_DIRECTORY": str(data_folder / "prefect" / "pages"),
        # Relative, so that the pages work behind a proxy. No origin is let in by CORS: our guard stands before it.
        "PREFECT_UI_API_URL": "/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        # Task runs are written in batches: while others write, SQLite refuses the form's "Run".
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        # Default in-memory leases vanish on restart; the slot is never freed.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    _set_defaults(defaults)


def _set_defaults(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        os.environ.setdefault(name, value)


@contextmanager
def announced(data_folder: Path, url: str) -> Iterator[None]:
    """Keep the server's address in a file while the block lasts, so that runs started by hand report to it.

    The file is locked for as long: an address that a power cut left behind is nobody's, and whoever listens there now
    must not be told the password.

    Raises:
        ConfigurationError: Another `moph-claim up` is at work over this folder.
    """
    with _address_file(data_folder).open("a+", encoding="utf-8") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _works_already(file.read()) from None
        file.truncate(0)
        file.write(url)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def running_server(data_folder: Path) -> str | None:
    """The address of the Prefect server that runs over this folder; None where there is none."""
    try:
        with _address_file(data_folder).open(encoding="utf-8") as file:
            flock(file, LOCK_SH | LOCK_NB)
    except BlockingIOError:  # its `moph-claim up` is alive
        url = _address_file(data_folder).read_text(encoding="utf-8")
        return url if url and is_healthy(url) else None
    except OSError:
        return None
    return None


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers at this address."""
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False  # no proxy: the server is on this machine
        return session.get(f"{url}/api/health", timeout=5).ok
    return False


def _address_file(data_folder: Path) -> Path:
    return data_folder / "prefect" / "server-address"


def _works_already(url: str) -> ConfigurationError:
    return ConfigurationError(
        Message(
            f"ระบบทำงานกับโฟลเดอร์นี้อยู่แล้วที่ {url} หยุดก่อน หรือตั้ง data_folder อื่น",
            f"The service already works over this folder, at {url}: stop it first, or set another data_folder.",
        )
    )

"""How Prefect runs here: in the data folder, offline, without telemetry.

Prefect reads its settings from the environment when it is imported: this module, which alone writes them there, must be
called before. A variable that is set already wins, except those that `configure_service` has to set.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from core.errors import ConfigurationError
from core.messages import Message
from flows.service.address import PASSWORD_VARIABLE
from flows.settings.keys import FOLDER_VARIABLE

HEARTBEAT_SECONDS = 30
"""How often a run says that it is alive; Prefect allows no less."""


def configure_prefect(data_folder: Path) -> None:
    """Keep Prefect's files in the data folder, and Prefect quiet.

    Args:
        data_folder: The folder of the audit and the reports; Prefect's own files go to `prefect/` in it.

    Raises:
        ConfigurationError: The folder cannot be made.
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
    _set_defaults(defaults)


def configure_service(url: str, data_folder: Path) -> None:
    """Configure the server, the worker and the runs of `moph-claim up`.

    They inherit this process's environment, and this process itself talks to the server.

    Args:
        url: The server's address.
        data_folder: As in `configure_prefect`.
    """
    # The worker's default is /tmp/runner_storage, which another user may own.
    temporary = data_folder / "prefect" / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "PREFECT_API_URL": f"{url}/api",
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
        # Relative, so that the pages work behind a proxy; pages of other origins may not call the API.
        "PREFECT_UI_API_URL": "/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        # Task runs are written in batches: while others write, SQLite refuses the form's "Run".
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        # Default in-memory leases vanish on restart; the slot is never freed.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    if password := os.environ.get(PASSWORD_VARIABLE):
        defaults["PREFECT_API_AUTH_STRING"] = password
    _set_defaults(defaults)


def _set_defaults(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        os.environ.setdefault(name, value)


@contextmanager
def announced(data_folder: Path, url: str) -> Iterator[None]:
    """Keep the server's address in a file while the block lasts, so that runs started by hand report to it."""
    file = _address_file(data_folder)
    file.write_text(url, encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_server(data_folder: Path) -> str | None:
    """The address of the Prefect server that runs over this folder; None where there is none."""
    try:
        url = _address_file(data_folder).read_text(encoding="utf-8")
    except OSError:
        return None
    return url if is_healthy(url) else None


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers at this address."""
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False  # no proxy: the server is on this machine
        return session.get(f"{url}/api/health", timeout=5).ok
    return False


def _address_file(data_folder: Path) -> Path:
    return data_folder / "prefect" / "server-address"

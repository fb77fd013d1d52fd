"""How Prefect runs here: in the data folder, offline, without telemetry. To be called before Prefect is imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from core.errors import ConfigurationError
from core.messages import Message


def configure_prefect(data_folder: Path) -> None:
    """Point Prefect at our folder and keep it quiet; what the environment says already stands.

    Prefect reads its settings from the environment when it is imported, so this is the one place that writes there.

    Args:
        data_folder: The folder of the audit and the reports; Prefect's own files go to `prefect/` in it.
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
        # The newer interface calls out from the browser.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_CLI_PROMPT": "false",
        # The first start makes Prefect's database, which takes its time on a slow disk.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


@contextmanager
def announced(data_folder: Path, url: str) -> Iterator[None]:
    """Let runs started by hand find the server while it runs."""
    note = _announcement(data_folder)
    note.write_text(url, encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def running_server(data_folder: Path) -> str | None:
    """The address of the Prefect server that runs over this folder; None where there is none."""
    try:
        url = _announcement(data_folder).read_text(encoding="utf-8")
    except OSError:
        return None
    return url if is_healthy(url) else None


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers there."""
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False  # a proxy for the outside world is none for this machine
        return session.get(f"{url}/api/health", timeout=5).ok
    return False


def _announcement(data_folder: Path) -> Path:
    return data_folder / "prefect" / "server-address"

"""What the tests of the fault suite share: the runs' service, a stand-in that can be killed, and hospitals."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faults import Stage, Stages, sandbox_with_journal, stage_on
from forked_runs import run_service
from hospital_site import Hospital, build

from sandbox.process import Sandbox

CLAIMS = 80
AWAY_SECONDS = 2.0


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with run_service(tmp_path_factory.mktemp("prefect")):
        yield


@pytest.fixture(scope="session")
def moph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_with_journal(tmp_path_factory.mktemp("moph")) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    return build(f"sqlite:///{tmp_path_factory.mktemp('his') / 'hosxp.sqlite'}", claims=CLAIMS)


@pytest.fixture
def stage(
    service: None, moph: Sandbox, hospital: Hospital, database_on: Callable[[str], str], tmp_path: Path
) -> Stages:
    """Gives the site of a hospital, its audit on "sqlite", "mariadb" or "postgresql", or where it is told."""

    @contextmanager
    def of(audit: str, hospital: Hospital = hospital, **further: Any) -> Iterator[Stage]:
        url = audit if ":" in audit else database_on(audit)
        with stage_on(tmp_path / "site", hospital, moph, url, **{"away_seconds": AWAY_SECONDS} | further) as made:
            yield made

    return of


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a server of another user can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)

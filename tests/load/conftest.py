import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from load_night import settings_for
from sqlalchemy import Engine
from whole_audit import fill

from load.database import open_audit
from load.settings import ApiSettings
from sandbox.process import Sandbox, running_sandbox

_facilities = count(20_000)


@pytest.fixture(scope="session")
def load_server() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(load_server: Sandbox) -> Sandbox:
    """MOPH Claim, fresh."""
    load_server.reset()
    return load_server


@pytest.fixture
def api(sandbox: Sandbox) -> ApiSettings:
    return settings_for(sandbox)


@pytest.fixture(scope="session")
def empty_audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit's file with its tables, to be copied: making them takes longer than most tests."""
    file = tmp_path_factory.mktemp("audit") / "audit.sqlite"
    open_audit(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture(scope="session")
def whole_file(tmp_path_factory: pytest.TempPathFactory, empty_audit: Path, load_server: Sandbox) -> Path:
    """An audit's file with rows in every table, to be copied."""
    file = Path(shutil.copy(empty_audit, tmp_path_factory.mktemp("whole")))
    load_server.reset()
    engine = open_audit(f"sqlite:///{file}")
    fill(engine, load_server)
    engine.dispose()
    return file


@pytest.fixture
def audit(tmp_path: Path, empty_audit: Path) -> Iterator[Engine]:
    """An audit of its own, in a file."""
    engine = open_audit(f"sqlite:///{shutil.copy(empty_audit, tmp_path)}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared_audits(database_on: Callable[[str], str]) -> Iterator[Callable[[str], Engine]]:
    engines: dict[str, Engine] = {}

    def shared(backend: str) -> Engine:
        if backend not in engines:
            engines[backend] = open_audit(database_on(backend))
        return engines[backend]

    yield shared
    for engine in engines.values():
        engine.dispose()


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def each_audit(request: pytest.FixtureRequest, shared_audits: Callable[[str], Engine]) -> Engine:
    """The test runs on each of the three databases; they are shared, so it takes a facility of its own."""
    return shared_audits(request.param)


@pytest.fixture
def hcode() -> str:
    """A facility no other test knows."""
    return str(next(_facilities))

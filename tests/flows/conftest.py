"""What the tests of the flow and the command share: a Prefect server, a hospital, a stand-in, and settings in files."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import prefect_service
import pytest
from night_shift import Night, Site, Trial, spend_night, week_of
from prefect_service import locked

from sandbox.his import HisSummary
from sandbox.process import Sandbox, running_sandbox


@pytest.fixture(scope="session", autouse=True)
def no_hidden_server() -> Iterator[None]:
    """A flow that is run without the fixture below fails at once, instead of starting a server nobody sees."""
    with prefect_reads({"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}):
        yield


@pytest.fixture(scope="session")
def prefect_server(no_hidden_server: None, session_folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server for all tests of the session that run a flow; gives the environment by which it is found."""
    with (
        prefect_service.shared_prefect_server(session_folder / "prefect") as server,
        prefect_reads(server),
    ):
        yield server


@contextmanager
def prefect_reads(environment: dict[str, str]) -> Iterator[None]:
    """Prefect in this process reads these variables, and the old ones again in the end."""
    from prefect.context import refresh_global_settings_context

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        refresh_global_settings_context()
        yield
    refresh_global_settings_context()


@pytest.fixture(scope="session")
def moph() -> Iterator[Sandbox]:
    """A stand-in of the Account Center and MOPH Claim; `sandbox` gives it fresh."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(moph: Sandbox) -> Sandbox:
    moph.reset()
    return moph


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, HisSummary]:
    """A hospital with every trap on SQLite: its address, and what it holds."""
    url = f"sqlite:///{tmp_path_factory.mktemp('his') / 'hosxp.sqlite'}"
    return url, week_of(url)


@pytest.fixture
def site(tmp_path: Path, sandbox: Sandbox, hospital: tuple[str, HisSummary]) -> Site:
    """A hospital's settings in `moph-claim.toml` and `.env`; nothing has run yet."""
    return Site(tmp_path / "site", his=hospital[0], sandbox=sandbox)


@pytest.fixture
def trial(site: Site, prefect_server: dict[str, str]) -> Trial:
    """The site, its flow run in this process against the test's Prefect server."""
    return Trial(site)


@pytest.fixture(scope="session")
def night_on(
    prefect_server: dict[str, str],
    moph: Sandbox,
    database_on: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
    session_folder: Path,
) -> Callable[[str], Night]:
    """One night over the hospital on "sqlite", "mariadb" (tis620) or "postgresql".

    Each is run once; the one on SQLite serves all processes of the session.
    """
    nights: dict[str, Night] = {}
    # A file outlives the process that has made it; a server's database is dropped with it.
    kept = session_folder / "night-sqlite.pickle"

    def spent_before(backend: str) -> Night | None:
        return pickle.loads(kept.read_bytes()) if backend == "sqlite" and kept.exists() else None

    def spend(backend: str) -> Night:
        url = database_on(backend)
        summary = week_of(url)
        night = spend_night(Site(tmp_path_factory.mktemp(backend), his=url, sandbox=moph), summary)
        if backend == "sqlite":
            kept.write_bytes(pickle.dumps(night))
        return night

    def night(backend: str) -> Night:
        if backend not in nights:
            with locked(session_folder / f"night-{backend}.lock"):
                nights[backend] = spent_before(backend) or spend(backend)
        return nights[backend]

    return night

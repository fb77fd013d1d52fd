"""What all tests share: new databases on the three kinds of server, and how many examples a property is tried with."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from databases import BACKENDS, Databases

# Who is started in the background is deaf to Ctrl-C, and so were everything that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the libraries hold is looked through for garbage far too often: a tenth of the tests' time.
gc.set_threshold(50_000, 20, 100)

# `make test` tries a few examples of each property, `make test-slow` the same tests again with many.
hypothesis.settings.register_profile("quick", max_examples=20, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=300, deadline=None)
hypothesis.settings.load_profile("quick")


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def database_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Gives the URL of a new empty database on "sqlite", "mariadb" or "postgresql"; all are dropped in the end.

    The test skips where there is no such server, but fails in CI.
    """
    databases = Databases(tmp_path_factory.mktemp("databases"))
    yield databases
    databases.close()


@pytest.fixture(params=BACKENDS)
def new_database(request: pytest.FixtureRequest, database_on: Callable[[str], str]) -> Callable[[], str]:
    """The test runs on each of the three databases; gives the URL of a new one as often as it is called."""
    return lambda: database_on(request.param)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that is skipped is a test that fails: everything that tests need is there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

from collections.abc import Iterator

import pytest
from server_caller import Caller

from sandbox.process import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def server() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset()
    return server


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    """A hospital that has logged in to a fresh sandbox."""
    caller = Caller(sandbox)
    assert caller.log_in().status_code == 200
    yield caller
    caller.session.close()

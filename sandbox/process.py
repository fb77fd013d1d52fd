"""The stand-in in a process of its own: for tests, the demo and the benches.

The child reads its world from standard input and ends when that is closed, so that it never outlives its parent, even
if that is killed.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from sandbox.server import TOKEN_ACTION, create_app, listen, run
from sandbox.world import Fault, World


class Sandbox:
    """A running stand-in and its controls.

    Attributes:
        url: Its root, also the base address of the API (`api_url`).
        token_url: The log-in, with its Action.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        # The child's folder is that of the packages, so that it can import them even if they are not installed.
        journal = str(Path(world.journal).absolute()) if world.journal else ""
        self.world = world.model_copy(update={"journal": journal})
        self._control = requests.Session()
        self._control.trust_env = False  # no proxy: the server is on this machine
        self._start(port)

    def _start(self, port: int) -> None:
        command = [sys.executable, "-m", "sandbox.process"]
        # In a session of its own Ctrl-C does not reach it: it ends with its parent.
        self._process = subprocess.Popen(  # noqa: S603 (this interpreter, no shell)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"port": port, "world": self.world.model_dump(mode="json")}) + "\n")
        self._process.stdin.flush()
        self.port = int(self._process.stdout.readline() or 0)
        if not self.port:
            raise RuntimeError("the sandbox did not start; its own message stands above")
        self.url = self.api_url = f"http://127.0.0.1:{self.port}"
        self.token_url = f"{self.url}/token?Action={TOKEN_ACTION}"

    def stats(self) -> dict[str, Any]:
        """Counts since the start or the last reset."""
        return dict(self._ask("GET", "stats"))

    def accepted(self) -> list[dict[str, str]]:
        """Every accepted claim: hcode, kind, seq, item, transaction_uid, sha256 (of the body), taken_at."""
        return list(self._ask("GET", "accepted"))

    def received(self) -> dict[tuple[str, str, str, str], int]:
        """How often each claim (hcode, kind, seq, item) was received in valid form, accepted or not."""
        return {(row[0], row[1], row[2], row[3]): row[4] for row in self._ask("GET", "received")}

    def tokens(self) -> list[str]:
        """Every token issued, also expired ones: for tests that search files for them."""
        return list(self._ask("GET", "tokens"))

    def change(self, **changes: Any) -> None:
        """Change settings of the world while it runs."""
        dumped = World.model_validate(changes).model_dump(mode="json", include=set(changes))
        self._ask("POST", "world", dumped)

    def misbehave(self, *faults: Fault) -> None:
        """Put these faults in force instead of the former ones, their counts at zero; without any, there are no faults."""
        self.change(faults=faults)

    def expire_tokens(self) -> None:
        """Expire every token issued so far."""
        self._ask("POST", "expire-tokens")

    def reset(self) -> None:
        """Forget all claims, tokens, counts and changes."""
        self._ask("POST", "reset")

    def kill(self) -> None:
        """Kill the process (SIGKILL); only a journal survives."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again at the same address, in the world of its first start."""
        self.kill()
        self._close_pipes()
        self._start(self.port)

    def close(self) -> None:
        """End it and close all pipes and connections."""
        self.kill()
        self._close_pipes()
        self._control.close()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._control.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=300)
        reply.raise_for_status()
        return reply.json()


@contextmanager
def running_sandbox(world: World | None = None, *, port: int = 0, **settings: Any) -> Iterator[Sandbox]:
    """Run a stand-in while the block lasts.

    Args:
        world: Its settings; by default nothing fails.
        port: Port to listen on; 0: a free one.
        settings: Single settings of `World`, instead of a whole world.
    """
    sandbox = Sandbox(world or World(**settings), port)
    try:
        yield sandbox
    finally:
        sandbox.close()


def main() -> None:
    """Run a stand-in as a line of JSON on standard input describes it; write its port to standard output."""
    asked = json.loads(sys.stdin.readline())
    app = create_app(World.model_validate(asked["world"]))
    sock = listen("127.0.0.1", asked["port"])
    sys.stdout.write(f"{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(sock, app)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()

"""A connection to a database server that stalls or drips, though it is alive and what is sent over it is acknowledged."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import sqlalchemy as sa

Trouble = Literal["stall", "drip"]
PATIENCE_SECONDS = 90
"""When the valve gives up and closes, so that a reader without a limit of its own does not wait for ever."""
DRIP_SECONDS = 0.2


class Valve:
    """Passes on what a client and a server say until the client says a word; then the answer stalls or drips.

    Args:
        server: Host and port.
        trouble: What the answer does.
        word: What the client says then.
    """

    def __init__(self, server: tuple[str, int], trouble: Trouble, word: bytes) -> None:
        self._server, self._trouble, self._word = server, trouble, word
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.turned = threading.Event()
        self.closed = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def interrupt_when_turned(self, number: signal.Signals) -> None:
        """Send a signal to this process once the answer stalls."""

        def wait() -> None:
            if self.turned.wait(PATIENCE_SECONDS):
                os.kill(os.getpid(), number)

        threading.Thread(target=wait, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while said := client.recv(65_536):
                if self._word in said:
                    self.turned.set()
                server.sendall(said)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(65_536):
                if not self.turned.is_set():
                    client.sendall(said)
                elif self._trouble == "drip":
                    for number in range(len(said)):
                        client.sendall(said[number : number + 1])
                        if self.closed.wait(DRIP_SECONDS):
                            return
                else:
                    self.closed.wait(PATIENCE_SECONDS)
                    self.close()


@contextmanager
def valve_before(url: str, trouble: Trouble, word: str) -> Iterator[tuple[Valve, str]]:
    """A valve before a database's server, and the URL that leads through it."""
    address = sa.make_url(url)
    valve = Valve((str(address.host), int(address.port or 0)), trouble, word.encode())
    try:
        yield valve, address.set(port=valve.port).render_as_string(hide_password=False)
    finally:
        valve.close()


@contextmanager
def speechless_server(greeting: bytes) -> Iterator[int]:
    """The port of a server that accepts connections and says a greeting letter by letter, then nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threading.Thread(target=greet, args=(client,), daemon=True).start()

    def greet(client: socket.socket) -> None:
        with suppress(OSError):
            for number in range(len(greeting)):
                client.sendall(greeting[number : number + 1])
                time.sleep(DRIP_SECONDS)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for each in (listener, *clients):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

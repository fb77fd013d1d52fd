"""A network cable between a run and a database server: it can be cut, pulled out and mended."""

import socket
import threading
from contextlib import suppress
from typing import Self

import sqlalchemy as sa

_CHUNK = 65536


class Cable:
    """Passes on whatever comes to a port of this machine. Use it as a context.

    Args:
        url: URL of the database at the far end.

    Attributes:
        url: The same database at this end of the cable.
    """

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        self._far = (
            parsed.host or "127.0.0.1",
            parsed.port or {"postgresql": 5432}.get(parsed.get_backend_name(), 3306),
        )
        self._plugged_in = threading.Event()
        self._plugged_in.set()
        self._passing = 0
        self._guard = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._listener = self._listen(0)
        self.port = self._listener.getsockname()[1]
        self.url = parsed.set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._plugged_in.set()

    def cut(self) -> None:
        """As if the server had ended: every connection is closed, new ones are refused."""
        with self._guard:
            _close(self._listener)
            ends, self._ends = self._ends, set()
        for end in ends:
            _close(end)

    def pull(self, after: int = 0) -> None:
        """As if the cable had been pulled out with requests on their way: no answer passes, and neither end is told.

        So a transaction that was begun stays open at the server, whatever this end does.

        Args:
            after: Bytes of answers that still pass.
        """
        self._passing = after
        self._plugged_in.clear()

    def mend(self) -> None:
        """All is well again; what was under way when the cable was pulled arrives late."""
        self._plugged_in.set()
        if self._listener.fileno() == -1:
            self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))  # reuses the address
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # cut
                return
            try:
                far = socket.create_connection(self._far)
            except OSError:  # the server is away: this end learns it from the end of its connection
                near.close()
                continue
            with self._guard:
                cut_meanwhile = listener.fileno() == -1
                self._ends |= {near, far}
            if cut_meanwhile:
                self.cut()
                return
            for source, sink, answers in ((near, far, False), (far, near, True)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(source, sink, answers), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if answers and not self._plugged_in.is_set():
                    # Counted without a lock: several connections may pass a little more between them.
                    passing = data[: self._passing]
                    self._passing -= len(passing)
                    sink.sendall(passing)
                    data = data[len(passing) :]
                    self._plugged_in.wait()
                sink.sendall(data)
        self._plugged_in.wait()
        with self._guard:
            self._ends -= {source, sink}
        _close(source)
        _close(sink)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it in another thread
    end.close()

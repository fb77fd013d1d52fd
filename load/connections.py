"""HTTP connections whose sockets can be shut down from another thread, and whose answers are bounded on the wire."""

import io
import socket
import threading
from http.client import HTTPException, HTTPResponse, parse_headers
from queue import Empty, SimpleQueue
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from load.watchdog import TICK_SECONDS, Guard, current_guard

# Of an answer's body, after decompression.
ANSWER_LIMIT = 1024 * 1024
# Of one answer as it comes: interim answers, head, chunk sizes and body.
WIRE_LIMIT = ANSWER_LIMIT + 64 * 1024
INTERIM_LIMIT = 100
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = (204, 304)
_Address = tuple[Any, ...]


class AnswerTooLarge(HTTPException):
    """More bytes than any answer of MOPH Claim has."""


def too_large() -> AnswerTooLarge:
    """The error, noted in the exchange's guard: the HTTP library wraps it in others."""
    current_guard().too_large = True
    return AnswerTooLarge()


class _CountedReader(io.RawIOBase):
    """What comes from a socket, up to the limit: the HTTP library itself would read some answers without end."""

    def __init__(self, inner: io.RawIOBase) -> None:
        self._inner = inner
        self._left = WIRE_LIMIT
        self.in_head = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._inner.fileno()

    def readinto(self, buffer: Any) -> int | None:
        count: int | None = self._inner.readinto(buffer)
        if count == 0 and self.in_head:  # which the library would take for the head's end
            raise HTTPException("the connection was closed within the head")
        self._left -= count or 0
        if self._left < 0:
            raise too_large()
        return count

    def close(self) -> None:
        self._inner.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """An answer that is bounded, has a whole head, and does not end with an interim one."""

    fp: Any

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._reader = _CountedReader(self.fp.detach())
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """As the library's own."""
        self._reader.in_head = True
        super().begin()
        self._reader.in_head = False
        # A server that sends a body all the same would give the next request an answer that is not its own.
        self.will_close = self.will_close or self.status in _WITHOUT_BODY

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(INTERIM_LIMIT):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            if status == _SWITCHING_PROTOCOLS:
                raise HTTPException("a change of protocol that nobody asked for")
            # The library skips 100 only: the answer that follows any other would be taken for that to the next request.
            parse_headers(self.fp)
        raise too_large()

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:  # which the library would take for all that comes
            raise ValueError("a chunk of less than nothing")
        return size


class _Watched:
    """A connection that the exchange's guard can shut down."""

    sock: socket.socket | None
    host: str
    port: int
    timeout: float
    socket_options: Any
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        """As urllib3's own, but that looking up the name has an end, and the socket is watched before it connects."""
        guard = current_guard()
        try:
            addresses = _look_up(self._dns_host, self.port, guard)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        problem: OSError = TimeoutError()
        for address in addresses:
            if guard.cut_off:
                break
            try:
                return self._connect(address, guard)
            except OSError as error:
                problem = error
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, "not connected in time") from problem
        raise NewConnectionError(self, "not connected") from problem  # type: ignore[arg-type]

    def _connect(self, address: _Address, guard: Guard) -> socket.socket:
        family, kind, protocol, _, where = address
        connection = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                connection.setsockopt(*option)
            connection.settimeout(self.timeout)
            guard.watch(connection)
            connection.connect(where)
        except BaseException:
            connection.close()
            raise
        return connection

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        else:
            current_guard().watch(self.sock)
        current_guard().sent = True
        super().request(*args, **options)  # type: ignore[misc]


def _look_up(host: str, port: int, guard: Guard) -> list[_Address]:
    """The addresses of a host; none if the exchange is cut off meanwhile.

    Nothing can interrupt the system's look-up, so it has a thread, which is left behind.
    """
    found: SimpleQueue[list[_Address] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(list(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)))
        except OSError as error:
            found.put(error)
        except UnicodeError:  # a label that is empty or too long
            found.put(socket.gaierror(socket.EAI_NONAME, "no name of a host"))

    threading.Thread(target=look_up, name="look up", daemon=True).start()
    while not guard.cut_off:
        try:
            answer = found.get(timeout=TICK_SECONDS)
        except Empty:
            continue
        if isinstance(answer, OSError):
            raise answer
        return answer
    return []


class _Plain(_Watched, HTTPConnection):  # type: ignore[misc]
    response_class = _BoundedResponse


class _Secure(_Watched, HTTPSConnection):  # type: ignore[misc]
    response_class = _BoundedResponse


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain  # type: ignore[assignment]


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure  # type: ignore[assignment]


_POOLS = {"http": _PlainPool, "https": _SecurePool}


class WatchedAdapter(HTTPAdapter):
    """Kept-alive connections, to a server or by way of a proxy, that are watched and bounded."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As of the library."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """As of the library."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

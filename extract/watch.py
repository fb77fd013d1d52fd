"""Limits of our own on what a hospital's server does: how long it takes and how much it sends, whatever it promised.

The server's own time-out does not help against one that stalls, and a time-out of the network not against one that
drips. So queries run in a thread of their own; the caller's waits, and cuts the connection off.
"""

import os
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

Answer = TypeVar("Answer")
Reason = Literal["connecting", "statement", "day", "size", "rows", "interrupted"]

NOTICE_SECONDS = 10
"""How much longer than the server's own time-out a statement may take, so that normally the server ends it."""
_LOOK_SECONDS = 0.05
_END_SECONDS = 5
"""How long a query of a connection that was cut off may take to end."""
# The place of tcpi_bytes_received in Linux's struct tcp_info (linux/tcp.h, since 4.1).
_TCP_INFO_LENGTH, _BYTES_RECEIVED = 256, 128


class CutOff(Exception):
    """The connection was cut off.

    Args:
        reason: Which limit was passed.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Watch:
    """Watches over the queries of one connection.

    Args:
        statement_seconds: How long one statement may take, its rows included.
        day_seconds: How long all statements since `begin` may take.
        most_bytes: How much the server may send since `begin`; known of TCP on Linux only.
    """

    def __init__(self, statement_seconds: float, day_seconds: float, most_bytes: int) -> None:
        self._statement_seconds, self._day_seconds, self._most_bytes = statement_seconds, day_seconds, most_bytes
        self._statement_ends = self._day_ends = float("inf")
        self._late: Reason = "connecting"
        self._interrupt: Callable[[], object] | None = None
        self._socket: socket.socket | None = None
        self._bytes_before = 0
        self._cut: Reason | None = None
        self._hangs = False

    def adopt(self, connection: Any) -> None:
        """Watch over this connection of a database driver."""
        if isinstance(connection, sqlite3.Connection):
            self._interrupt = connection.interrupt
            return
        descriptor = connection.fileno() if hasattr(connection, "fileno") else connection._sock.fileno()
        # A duplicate: it can be shut down at any time, also while the driver closes its own.
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._interrupt = self._shut_down
        if self._cut:  # it came too late
            self._shut_down()

    def begin(self) -> None:
        """A service day begins: its time and what is received count from now on."""
        self._day_ends = time.monotonic() + self._day_seconds
        self._bytes_before = self._bytes_received()

    def begin_statement(self, seconds: float | None = None) -> None:
        """A statement begins: its time counts from now on."""
        self._statement_ends = time.monotonic() + (seconds or self._statement_seconds)

    def run(self, query: Callable[[], Answer], seconds: float | None = None, late: Reason = "statement") -> Answer:
        """Run queries, each within the limits; `begin_statement` is called where another begins.

        Args:
            query: Queries the database.
            seconds: How long the first may take, if not as long as a statement.
            late: What it is called if one takes longer.

        Raises:
            CutOff: A limit was passed, now or earlier; the connection is of no use any more.
        """
        if self._cut:
            raise CutOff(self._cut)
        self._late = late
        self.begin_statement(seconds)
        outcome: Future[Answer] = Future()
        # A daemon: one that cannot be ended, such as one that waits for a name server, must not keep the program alive.
        threading.Thread(target=_settle, args=(outcome, query), name="hospital database", daemon=True).start()
        try:
            while not _is_done(outcome, _LOOK_SECONDS):
                self._check()
            if isinstance(error := outcome.exception(), CutOff):
                raise error
            self._check_size()
        except CutOff as passed:
            self._cut_off(passed.reason, outcome)
            raise
        except BaseException:
            self._cut_off("interrupted", outcome)
            raise
        return outcome.result()

    def close(self, connection: sa.Connection) -> None:
        """Close the connection; a server that does not answer is not waited for."""
        if not self._cut:
            with suppress(CutOff):
                self.run(connection.close, NOTICE_SECONDS)
        if self._cut and not self._hangs:
            connection.invalidate()  # no rollback, for which PyMySQL would read the rest
            connection.close()
        if self._socket:
            self._socket.close()

    def _check(self) -> None:
        now = time.monotonic()
        if now >= self._statement_ends:
            raise CutOff(self._late)
        if now >= self._day_ends:
            raise CutOff("day")
        self._check_size()

    def _check_size(self) -> None:
        if self._bytes_received() - self._bytes_before > self._most_bytes:
            raise CutOff("size")

    def _bytes_received(self) -> int:
        if self._socket is None or not hasattr(socket, "TCP_INFO"):
            return 0
        try:
            information = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_LENGTH)
        except OSError:  # no TCP, but a socket of this machine
            return 0
        (received,) = struct.unpack_from("Q", information.ljust(_TCP_INFO_LENGTH, b"\0"), _BYTES_RECEIVED)
        return int(received)

    def _cut_off(self, reason: Reason, outcome: "Future[Any]") -> None:
        self._cut = reason
        if self._interrupt:
            self._interrupt()
        # While connecting there is nothing to interrupt: the driver ends by its own time-outs, and nobody waits for it.
        self._hangs = not _is_done(outcome, _END_SECONDS if self._interrupt else 0)

    def _shut_down(self) -> None:
        if self._socket:
            with suppress(OSError):  # the server has closed it
                self._socket.shutdown(socket.SHUT_RDWR)


def _settle(outcome: "Future[Answer]", query: Callable[[], Answer]) -> None:
    try:
        answer = query()
    except BaseException as error:
        outcome.set_exception(error)
    else:
        outcome.set_result(answer)


def _is_done(outcome: "Future[Any]", seconds: float) -> bool:
    try:
        outcome.exception(seconds)
    except TimeoutError:
        return False
    return True

"""Ends exchanges from outside the thread that is blocked in them: each at its deadline, or all at once.

The time-outs of sockets begin anew with every byte, so a server that drips would be listened to for ever. Shutting a
socket down wakes whatever thread is blocked in it, be it connecting, in a TLS handshake, sending or receiving.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from load.errors import StopRun, sending_stopped

TICK_SECONDS = 0.2
_thread = threading.local()


class Guard:
    """One exchange under way: its deadline and its sockets. Its own thread and those that cut it off may call it.

    Attributes:
        sent: The request's first byte has gone out, or may have.
        cut_off: Why the exchange was cut off; None if it was not.
        too_large: The answer was over the limit.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline  # monotonic seconds
        self.sent = False
        self.cut_off: str | None = None
        self.too_large = False
        # Reentrant: a signal handler may cut off an exchange of the very thread that it interrupts.
        self._lock = threading.RLock()
        self._handles: list[socket.socket] = []
        self._over = False

    def watch(self, connection: socket.socket) -> None:
        """Let this socket be shut down when the exchange is cut off."""
        # A handle of its own: the connection may be wrapped in TLS or closed meanwhile, and its number given to another.
        handle = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with self._lock:
            self._handles.append(handle)
            if self.cut_off:
                self._shut_down()

    def cut(self, why: str) -> None:
        """End the exchange, unless it is over."""
        with self._lock:
            if not self._over:
                self.cut_off = self.cut_off or why
                self._shut_down()

    def _shut_down(self) -> None:
        for handle in self._handles:
            with suppress(OSError):  # not connected any more
                handle.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """The exchange is over; its connection may be used for another."""
        with self._lock:
            self._over = True
            for handle in self._handles:
                handle.close()


class Watchdog:
    """Cuts off every exchange at its deadline, and on `abort` all of them.

    Args:
        seconds: How long an exchange may take in all.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way: set[Guard] = set()
        self._aborted = False
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    @contextmanager
    def guarding(self) -> Iterator[Guard]:
        """Guard the exchange that this thread makes.

        Raises:
            StopRun: `abort` was called.
        """
        guard = Guard(time.monotonic() + self._seconds)
        self._under_way.add(guard)
        try:
            # Looked at after adding: an abort at any instant either meets the guard or is seen here.
            if self._aborted:
                raise StopRun(sending_stopped())
            _thread.guard = guard
            yield guard
        finally:
            _thread.guard = None
            self._under_way.discard(guard)
            guard.end()

    def abort(self) -> None:
        """Cut off all exchanges under way and let none begin; callable from any thread and from a signal handler."""
        self._aborted = True
        for guard in list(self._under_way):
            guard.cut("Aborted")

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until `abort` is called."""
        until = time.monotonic() + seconds
        # No event, which a signal handler could not set while this thread holds its lock.
        while not self._aborted and (left := until - time.monotonic()) > 0:
            time.sleep(min(TICK_SECONDS, left))

    def close(self) -> None:
        """End the watching thread."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            for guard in list(self._under_way):
                if guard.deadline <= time.monotonic():
                    guard.cut("DeadlineExceeded")


def current_guard() -> Guard:
    """The guard of the exchange that this thread makes."""
    guard: Guard = _thread.guard
    return guard

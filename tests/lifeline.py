"""Processes that end with the one that has started them, however that ends, `kill -9` included."""

import ctypes
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def ending_with_parent(how: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """For `preexec_fn` of `subprocess.Popen`: the kernel sends the child this signal once the parent is gone.

    To be exact, once the thread that starts the child is gone: start what shall last from the main thread.
    """

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, how)

    return ask

"""The address that `moph-claim up` or the sandbox listens on, and the names it is called by."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from core.errors import ConfigurationError
from core.messages import Message

BACKLOG = 128
_EVERY_ADDRESS = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104 - compared
_ONLY_HERE = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the Prefect server listens.

    Args:
        host: A name or an IP address of this machine; 0.0.0.0 for all of its addresses.
        port: From 1 to 65535.
    """

    host: str
    port: int

    @property
    def url(self) -> str:
        """How programs on this machine reach it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared
        return f"http://{_bracketed(host)}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether no other machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def names(self, further: Iterable[str]) -> list[str]:
        """The names and addresses that a request may call it by.

        Args:
            further: Names it has elsewhere: in the DNS, at a proxy.
        """
        own = _addresses(_EVERY_ADDRESS[self.host]) if self.host in _EVERY_ADDRESS else [_bracketed(self.host)]
        return sorted({name.lower() for name in (*_ONLY_HERE, *own, *further)})


def listen(address: Address) -> socket.socket:
    """A socket that listens at the address.

    Raises:
        ConfigurationError: It is in use or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    opened = socket.socket(family)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an address closed a moment ago is free
        opened.bind((address.host, address.port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise cannot_listen(address.host, address.port, error) from None
    return opened


def cannot_listen(host: str, port: int, error: OSError) -> ConfigurationError:
    """The error for an address that is in use or is not this machine's."""
    return ConfigurationError(
        Message(
            f"เปิดที่ {host}:{port} ไม่ได้ ({error.strerror}) ลอง --port อื่น",
            f"{host}:{port} cannot be opened ({error.strerror}): try another --port.",
        )
    )


def _addresses(family: int) -> list[str]:
    found = [each.address for of_one in psutil.net_if_addrs().values() for each in of_one if each.family == family]
    return [_bracketed(address.partition("%")[0]) for address in found]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""The address that `moph-claim up` or the sandbox listens on."""

import os
import socket
from dataclasses import dataclass

from core.errors import ConfigurationError
from core.messages import Message

PASSWORD_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"  # noqa: S105 - the variable's name


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
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104 - compared, not listened on
        return f"http://{host}:{self.port}"


def check_address(address: Address) -> None:
    """Check that Prefect can listen here, and that a password is set where other machines reach it.

    Whoever reaches Prefect can start programs on this machine.

    Raises:
        ConfigurationError: The address is in use or is not this machine's, or the password is missing.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an address closed a moment ago is free
            probe.bind((address.host, address.port))
            is_local = str(probe.getsockname()[0]).startswith("127.")
    except OSError as error:
        raise cannot_listen(address.host, address.port, error) from None
    if not is_local and not os.environ.get(PASSWORD_VARIABLE):
        raise ConfigurationError(
            Message(
                f"ก่อนเปิดให้เครื่องอื่นเข้าที่ {address.host} ต้องตั้งรหัสผ่านใน {PASSWORD_VARIABLE} ดู docs/operations.md",
                f"Before other machines may reach {address.host}, set a password in {PASSWORD_VARIABLE}: see docs/operations.md.",
            )
        )


def cannot_listen(host: str, port: int, error: OSError) -> ConfigurationError:
    """The error for an address that is in use or is not this machine's."""
    return ConfigurationError(
        Message(
            f"เปิดที่ {host}:{port} ไม่ได้ ({error.strerror}) ลอง --port อื่น",
            f"{host}:{port} cannot be opened ({error.strerror}): try another --port.",
        )
    )

"""The address that a server of ours listens on: whether it can be used, and whether it is safe to."""

import os
import socket

from core.errors import ConfigurationError
from core.messages import Message

PASSWORD_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"  # noqa: S105 - the variable's name


def check_address(host: str, port: int) -> None:
    """Check that Prefect can listen here, and that it asks for a password where other machines reach it.

    Whoever reaches Prefect can start programs on this machine.

    Raises:
        ConfigurationError: The address is in use or is not this machine's, or the password is missing.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an address closed a moment ago is free
            probe.bind((host, port))
            is_local = str(probe.getsockname()[0]).startswith("127.")
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    if not is_local and not os.environ.get(PASSWORD_VARIABLE):
        raise ConfigurationError(
            Message(
                f"ก่อนเปิดให้เครื่องอื่นเข้าที่ {host} ต้องตั้งรหัสผ่านใน {PASSWORD_VARIABLE} ดู docs/operations.md",
                f"Before other machines may reach {host}, set a password in {PASSWORD_VARIABLE}: see docs/operations.md.",
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

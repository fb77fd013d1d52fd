"""The server process of `moph-claim up`: Prefect's own application behind our guard.

It is handed the socket it serves, which `moph-claim up` listens on from before the first to after the last moment: in a
gap, another user of this machine could listen in its place and be told the password.
"""

import argparse
import socket

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings

from flows.service.guard import Guard


def main() -> None:
    """Serve until SIGTERM."""
    arguments = argparse.ArgumentParser(description="Prefect's server for moph-claim up.")
    arguments.add_argument("--socket", type=int, required=True, help="File descriptor of the listening socket.")
    arguments.add_argument("--name", action="append", required=True, help="Host name or address it is called by.")
    given = arguments.parse_args()
    api = get_current_settings().server.api
    config = uvicorn.Config(
        Guard(create_app(final=True), given.name),
        timeout_keep_alive=api.keepalive_timeout,
        ws_ping_interval=api.websocket_ping_interval,
        ws_ping_timeout=api.websocket_ping_timeout,
        log_level=get_current_settings().server.logging_level.lower(),
        # Who asks is never taken from a header, and the answer does not say what serves it.
        proxy_headers=False,
        server_header=False,
    )
    with socket.socket(fileno=given.socket) as listening:
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
    if not server.started:
        raise SystemExit(3)


if __name__ == "__main__":
    main()

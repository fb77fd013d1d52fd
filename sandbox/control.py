"""The control endpoints under /_sandbox, with which tests and demos read and change the stand-in; without log-in."""

import json
from collections.abc import Callable

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.site import Site

PUBLIC = ("hcode", "kind", "seq", "item", "transaction_uid", "sha256", "taken_at")
"""The fields of an accepted claim that /_sandbox/accepted shows."""


def control_routes(site: Site) -> list[Route]:
    """The control endpoints of a site."""

    async def world(request: Request) -> Response:
        if request.method == "POST":
            try:
                site.change(await request.json())
            except (ValidationError, json.JSONDecodeError, TypeError) as error:
                return JSONResponse({"message": str(error)}, 422)
        return JSONResponse(site.world.model_dump(mode="json"))

    return [
        _read("stats", lambda: statistics(site)),
        _read("accepted", lambda: [{name: getattr(claim, name) for name in PUBLIC} for claim in site.ledger.accepted]),
        _read("received", lambda: [[*key, times] for key, times in site.ledger.received.items()]),
        _read("tokens", lambda: list(site.logins.sessions)),
        Route("/_sandbox/world", world, methods=["GET", "POST"]),
        _act("expire-tokens", lambda: site.logins.expire_all()),
        _act("reset", site.reset),
    ]


def _read(name: str, content: Callable[[], object]) -> Route:
    async def answer(_request: Request) -> Response:
        return JSONResponse(content())

    return Route(f"/_sandbox/{name}", answer, methods=["GET"])


def _act(name: str, action: Callable[[], None]) -> Route:
    async def answer(_request: Request) -> Response:
        action()
        return JSONResponse({})

    return Route(f"/_sandbox/{name}", answer, methods=["POST"])


def statistics(site: Site) -> dict[str, object]:
    """Counts since the start or the last reset; `requests` by endpoint and by HTTP status and message."""
    counts = site.statistics
    return {
        "logins": site.logins.given,
        "logins_refused": site.logins.refused,
        "requests": {name: dict(answers) for name, answers in counts.answers.items()},
        "faults": dict(counts.faults),
        "accepted": len(site.ledger.accepted),
        "accepted_keys": len({claim.key for claim in site.ledger.accepted}),
        "received": site.ledger.received.total(),
        "connections": len(counts.clients),
        "most_in_flight": counts.most_in_flight,
    }

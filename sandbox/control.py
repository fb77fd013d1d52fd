"""The control endpoints under /_sandbox, with which tests and demos read and change the stand-in; without log-in."""

import json

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.site import Site


def control_routes(site: Site) -> list[Route]:
    """The control endpoints of a site."""

    async def stats(_request: Request) -> Response:
        return JSONResponse(statistics(site))

    async def accepted(_request: Request) -> Response:
        return JSONResponse(
            [
                {
                    "hcode": claim.hcode,
                    "kind": claim.kind,
                    "seq": claim.seq,
                    "item": claim.item,
                    "transaction_uid": claim.transaction_uid,
                    "sha256": claim.sha256,
                    "taken_at": claim.taken_at,
                }
                for claim in site.ledger.accepted
            ]
        )

    async def received(_request: Request) -> Response:
        return JSONResponse([[*key, times] for key, times in site.ledger.received.items()])

    async def tokens(_request: Request) -> Response:
        return JSONResponse(list(site.logins.sessions))

    async def world(request: Request) -> Response:
        if request.method == "POST":
            try:
                site.change(await request.json())
            except (ValidationError, json.JSONDecodeError, TypeError) as error:
                return JSONResponse({"message": str(error)}, 422)
        return JSONResponse(site.world.model_dump(mode="json"))

    async def expire_tokens(_request: Request) -> Response:
        site.logins.expire_all()
        return JSONResponse({})

    async def reset(_request: Request) -> Response:
        site.reset()
        return JSONResponse({})

    return [
        Route("/_sandbox/stats", stats, methods=["GET"]),
        Route("/_sandbox/accepted", accepted, methods=["GET"]),
        Route("/_sandbox/received", received, methods=["GET"]),
        Route("/_sandbox/tokens", tokens, methods=["GET"]),
        Route("/_sandbox/world", world, methods=["GET", "POST"]),
        Route("/_sandbox/expire-tokens", expire_tokens, methods=["POST"]),
        Route("/_sandbox/reset", reset, methods=["POST"]),
    ]


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

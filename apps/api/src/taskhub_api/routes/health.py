"""Probes. None asks a dependency: a shared one that is away must not take every pod with it (rules 6 and 11)."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse

router = APIRouter(tags=["health"])

_OK = "ok\n"


@router.get("/livez", response_class=PlainTextResponse, summary="Is the process alive?")
async def livez() -> str:
    """Answered by the event loop itself: a loop that is stuck does not answer."""
    return _OK


@router.get("/readyz", response_class=PlainTextResponse, summary="Should it get requests?")
async def readyz(request: Request) -> PlainTextResponse:
    """No while it starts or drains; yes otherwise, whatever the dependencies do."""
    if request.app.state.draining:
        return PlainTextResponse("draining\n", 503)
    return PlainTextResponse(_OK)


@router.get("/startupz", response_class=PlainTextResponse, summary="Has it started?")
async def startupz() -> str:
    """Answered once the application has started."""
    return _OK

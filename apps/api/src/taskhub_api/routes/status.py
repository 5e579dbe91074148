"""/v1/status: what is up, what is not, and what that means at the moment."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from taskhub_api.answers import to_json
from taskhub_api.dependencies import CurrentCaller
from taskhub_api.dependency_probes.state import WITHOUT, Dependency, State
from taskhub_api.dependency_probes.watch import DependencyWatch
from taskhub_api.routes.documented import problems
from taskhub_core.accounts.models import Role
from taskhub_core.search.service import SearchService

router = APIRouter(prefix="/v1/status", tags=["status"])


class DependencyOut(BaseModel):
    """A dependency, as the last probe found it."""

    name: Dependency
    state: State
    since: datetime = Field(description="When it was first found so.")
    effect: str | None = Field(description="What does not work as usual now, if anything.")
    last_error: str | None = Field(None, description="Operators only: the class of the last failure, over or not.")
    last_error_at: datetime | None = Field(None, description="Operators only.")
    probed_at: datetime | None = Field(None, description="Operators only.")


class StatusOut(BaseModel):
    """The state of the platform, as this server sees it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "degraded",
                    "dependencies": [
                        {"name": "postgresql", "state": "up", "since": "2026-01-05T09:30:00Z", "effect": None},
                        {
                            "name": "redis",
                            "state": "down",
                            "since": "2026-01-05T11:02:10Z",
                            "effect": WITHOUT[Dependency.REDIS],
                        },
                    ],
                }
            ]
        }
    )

    status: str = Field(description="ok, degraded, or unknown for the first moments of this server.")
    dependencies: list[DependencyOut]
    search_breaker: str | None = Field(None, description="Operators only: closed, half-open or open.")


async def _watch(request: Request) -> DependencyWatch:
    watch: DependencyWatch = request.app.state.dependency_watch
    return watch


Watch = Annotated[DependencyWatch, Depends(_watch)]


@router.get("", response_model=StatusOut, responses=problems(401), summary="What is up and what is not")
async def get_status(caller: CurrentCaller, watch: Watch, request: Request) -> Response:
    """Each dependency's state and since when, as probes in the background found it: this asks nobody itself."""
    is_operator = caller.role is Role.OPERATOR
    content: dict[str, Any] = {
        "status": _overall(watch),
        "dependencies": [_document(watch, dependency, detailed=is_operator) for dependency in Dependency],
    }
    if is_operator:
        search: SearchService = request.app.state.search
        content["search_breaker"] = search.breaker_state.name.lower().replace("_", "-")
    return Response(to_json(content), media_type="application/json", headers={"Cache-Control": "no-store"})


def _overall(watch: DependencyWatch) -> str:
    states = {watch.known(dependency).state for dependency in Dependency}
    if State.DOWN in states:
        return "degraded"
    return "unknown" if State.UNKNOWN in states else "ok"


def _document(watch: DependencyWatch, dependency: Dependency, *, detailed: bool) -> dict[str, Any]:
    known = watch.known(dependency)
    effect = WITHOUT[dependency] if known.state is State.DOWN else None
    document = {"name": dependency.value, "state": known.state.value, "since": known.since, "effect": effect}
    if detailed:
        document |= {"last_error": known.error, "last_error_at": known.error_at, "probed_at": known.probed_at}
    return document

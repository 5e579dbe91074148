"""What each type of problem means, at the URI that `type` names."""

from fastapi import APIRouter

from taskhub_api.problems import TYPES, Problem
from taskhub_api.routes.documented import problems

router = APIRouter(tags=["problems"])


@router.get("/problems/{slug}", responses=problems(404), summary="What a problem type means")
async def problem_type(slug: str) -> dict[str, str | int]:
    """Title, status and meaning of a problem type."""
    kind = TYPES.get(slug)
    if kind is None:
        raise Problem("not-found", f"There is no problem type {slug}. Known: {', '.join(TYPES)}.")
    return {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "meaning": kind.meaning}

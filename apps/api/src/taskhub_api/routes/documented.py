"""The problems that routes can answer with, for OpenAPI."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from taskhub_api.problems import CONTENT_TYPE, TYPES


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no task 0190c5a8-6d1e-7000-8000-000000000000."])
    request_id: str | None = Field(examples=["5f0c6bd3a94a4e0f8a3c3d1f6f0f3b11"])


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made once.

    FastAPI describes each item of an event stream with `itemSchema`, which OpenAPI 3.1 does not have.
    """
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            license_info=app.license_info,
            routes=app.routes,
        )
        for item in made["paths"].values():
            for operation in item.values():
                for parameter in operation.get("parameters", []):
                    # Not required by FastAPI's own check, so that its absence is 428 and not 422.
                    parameter["required"] |= parameter["name"] == "if-match"
                for response in operation["responses"].values():
                    for media in response.get("content", {}).values():
                        media.pop("itemSchema", None)
        app.openapi_schema = made
    return app.openapi_schema


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these statuses, beside those that any route can."""
    return {
        status: {
            "description": " / ".join(kind.title for kind in TYPES.values() if kind.status == status),
            "content": {CONTENT_TYPE: {"schema": ProblemDetails.model_json_schema()}},
        }
        for status in sorted({*statuses, 400, 422, 503})
    }

"""Every route, tried without a token, with the wrong role, and on another account's objects.

A route that is added without a word here fails these tests.
"""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from taskhub_api.commands import unserved_app

NO_TOKEN_NEEDED = {
    "/livez", "/readyz", "/startupz", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc", "/problems/{slug}",
    "/v1/accounts", "/v1/token", "/v1/token/refresh", "/v1/token/revoke",
}  # fmt: skip
OPERATORS_ONLY = "/v1/operator/"
IF_MATCH = {"If-Match": "*"}


def _routes() -> list[tuple[str, str]]:
    routes = iter_route_contexts(unserved_app().routes)
    return sorted(
        (method, route.path_format or "") for route in routes for method in (route.methods or set()) - {"HEAD"}
    )


ROUTES = _routes()


def _a_task(owner: httpx.Client) -> str:
    return str(owner.post("/v1/tasks", json={"title": "private"}).json()["id"])


def _a_job(owner: httpx.Client) -> str:
    body = {"kind": "tasks.export", "args": {"format": "csv"}, "run_at": "2099-01-01T00:00:00Z"}
    return str(owner.post("/v1/jobs", json=body).json()["id"])


def _a_file(owner: httpx.Client) -> str:
    return str(owner.post("/v1/files", content=b"private", headers={"Content-Type": "text/plain"}).json()["id"])


def _a_webhook(owner: httpx.Client) -> str:
    return str(owner.post("/v1/webhooks", json={"url": "https://93.184.215.14/hook"}).json()["id"])


# What to make, and how to ask for it. Each is asked for by its owner too, to show that the request itself is good.
OBJECTS: dict[tuple[str, str], tuple[Callable[[httpx.Client], str], dict[str, Any], int]] = {
    ("GET", "/v1/tasks/{task_id}"): (_a_task, {}, 200),
    ("PATCH", "/v1/tasks/{task_id}"): (_a_task, {"json": {"title": "stolen"}, "headers": IF_MATCH}, 200),
    ("DELETE", "/v1/tasks/{task_id}"): (_a_task, {"headers": IF_MATCH}, 204),
    ("GET", "/v1/jobs/{job_id}"): (_a_job, {}, 200),
    ("GET", "/v1/jobs/{job_id}/attempts"): (_a_job, {}, 200),
    ("POST", "/v1/jobs/{job_id}/cancel"): (_a_job, {}, 202),
    ("POST", "/v1/jobs/{job_id}/retry"): (_a_job, {}, 409),
    ("GET", "/v1/files/{file_id}"): (_a_file, {}, 200),
    ("GET", "/v1/files/{file_id}/info"): (_a_file, {}, 200),
    ("GET", "/v1/webhooks/{webhook_id}"): (_a_webhook, {}, 200),
    ("DELETE", "/v1/webhooks/{webhook_id}"): (_a_webhook, {}, 204),
    ("POST", "/v1/webhooks/{webhook_id}/enable"): (_a_webhook, {}, 200),
}
STREAMS = {("GET", "/v1/jobs/{job_id}/progress")}


def test_every_route_that_names_an_object_is_tried_here() -> None:
    named = {
        (method, path)
        for method, path in ROUTES
        if "{" in path and path not in NO_TOKEN_NEEDED and not path.startswith(OPERATORS_ONLY)
    }
    assert named == OBJECTS.keys() | STREAMS


@pytest.mark.parametrize(("method", "path"), OBJECTS)
def test_an_object_of_another_account_does_not_exist(client_of: Any, method: str, path: str) -> None:
    owner, stranger = client_of(), client_of()
    make, request, status = OBJECTS[(method, path)]
    object_id = make(owner)
    url = f"{path.partition('{')[0]}{object_id}{path.partition('}')[2]}"
    nowhere = url.replace(object_id, str(uuid.UUID(int=1)))
    refused, missing = stranger.request(method, url, **request), stranger.request(method, nowhere, **request)
    assert (refused.status_code, refused.json()["type"]) == (404, "/problems/not-found")
    # Nothing but the id that was asked for tells the two apart.
    assert refused.json()["detail"].replace(object_id, "") == missing.json()["detail"].replace(
        str(uuid.UUID(int=1)), ""
    )
    assert owner.request(method, url, **request).status_code == status


def test_the_progress_of_another_accounts_job_does_not_exist(client_of: Any) -> None:
    owner, stranger = client_of(), client_of()
    url = f"/v1/jobs/{_a_job(owner)}/progress"
    assert stranger.get(url).status_code == 404
    with owner.stream("GET", url) as stream:
        assert stream.status_code == 200


def test_lists_hold_nothing_of_another_account(client_of: Any) -> None:
    owner, stranger = client_of(), client_of()
    for make in (_a_task, _a_job, _a_file, _a_webhook):
        make(owner)
    for url in ("/v1/tasks", "/v1/jobs", "/v1/webhooks", "/v1/events", "/v1/search?q=private"):
        answer = stranger.get(url)
        assert (answer.status_code, answer.json()["items"]) == (200, []), url


def test_a_job_cannot_be_submitted_under_another_accounts_job_id(client_of: Any) -> None:
    owner, stranger = client_of(), client_of()
    body = {"kind": "tasks.export", "args": {"format": "csv"}, "job_id": _a_job(owner)}
    assert stranger.post("/v1/jobs", json=body).status_code == 409
    assert stranger.get("/v1/jobs").json()["items"] == []


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] not in NO_TOKEN_NEEDED])
def test_every_other_route_needs_a_token(api: Any, method: str, path: str) -> None:
    url = path.replace("{", "").replace("}", "")
    for part in path.split("/"):
        if part.startswith("{"):
            url = url.replace(part[1:-1], str(uuid.UUID(int=1)))
    answer = httpx.request(method, f"{api.url}{url}", headers=IF_MATCH, timeout=20)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1].startswith(OPERATORS_ONLY)])
def test_operators_routes_refuse_a_user(client_of: Any, method: str, path: str) -> None:
    url = path.replace("{job_id}", str(uuid.UUID(int=1)))
    assert "{" not in url
    answer = client_of().request(method, url)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


def test_an_operator_sees_no_more_of_others_tasks_than_anybody(client_of: Any, operator: httpx.Client) -> None:
    assert operator.get(f"/v1/tasks/{_a_task(client_of())}").status_code == 404
    assert operator.get("/v1/tasks").json()["items"] == []

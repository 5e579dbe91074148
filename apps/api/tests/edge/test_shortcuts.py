"""Shortcuts: the operations that do not pass through the router answer as it would."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import BaseModel, ValidationError

import taskhub_api.app
from taskhub_api.routes import SHORTCUTS
from taskhub_api.routes.job_models import JobIn
from taskhub_api.routes.tasks import TaskIn
from taskhub_local.testing import wait_for

ID = "01900000-0000-7000-8000-000000000000"
TASK: dict[str, Any] = {
    "title": " one\ttwo ",
    "tags": ["a", "b", "a"],
    "priority": 3,
    "due_at": "2030-01-01T00:00:00+02:00",
}
JOB: dict[str, Any] = {"kind": "tasks.export", "args": {"format": "csv"}, "priority": 2}
REQUESTS: dict[str, tuple[str, str, dict[str, str], Any]] = {
    "a task": ("POST", "/v1/tasks", {}, TASK),
    "a task under a key": ("POST", "/v1/tasks", {"Idempotency-Key": "key"}, TASK),
    "a task with a reminder": ("POST", "/v1/tasks", {}, {**TASK, "remind": True}),
    "a query that means nothing": ("POST", "/v1/tasks?x=1", {}, TASK),
    "a title that is normalised away": ("POST", "/v1/tasks", {}, {"title": " "}),
    "an unknown field": ("POST", "/v1/tasks", {}, {**TASK, "colour": "red"}),
    "a wrong type": ("POST", "/v1/tasks", {}, {"title": 5}),
    "a list": ("POST", "/v1/tasks", {}, [TASK]),
    "no JSON": ("POST", "/v1/tasks", {"Content-Type": "application/json"}, b"{"),
    "no body": ("POST", "/v1/tasks", {"Content-Type": "application/json"}, b""),
    "another media type": ("POST", "/v1/tasks", {"Content-Type": "text/plain"}, b"{}"),
    "a JSON type of another kind": (
        "POST",
        "/v1/tasks",
        {"Content-Type": "application/merge-patch+json"},
        b'{"title":"a"}',
    ),
    "a key with a blank": ("POST", "/v1/tasks", {"Idempotency-Key": "a b"}, TASK),
    "a key that is too long": ("POST", "/v1/tasks", {"Idempotency-Key": "k" * 256}, TASK),
    "no token": ("POST", "/v1/tasks", {"Authorization": ""}, TASK),
    "another scheme": ("POST", "/v1/tasks", {"Authorization": "Basic YTpi"}, TASK),
    "a scheme in small letters": ("GET", f"/v1/tasks/{ID}", {"Authorization": "bearer x"}, None),
    "a token that is not valid": ("POST", "/v1/tasks", {"Authorization": "Bearer x"}, TASK),
    "neither token nor body are valid": ("POST", "/v1/tasks", {"Authorization": "Bearer x"}, {"title": 5}),
    "a job": ("POST", "/v1/jobs", {}, JOB),
    "a job at a time": ("POST", "/v1/jobs", {}, {**JOB, "run_at": "2030-01-01T00:00:00Z"}),
    "a job of an unknown kind": ("POST", "/v1/jobs", {}, {**JOB, "kind": "no.such"}),
    "a job with wrong arguments": ("POST", "/v1/jobs", {}, {**JOB, "args": {"format": 5}}),
    "a job of operators": ("POST", "/v1/jobs", {}, {"kind": "search.reindex"}),
    "a task that is not there": ("GET", f"/v1/tasks/{ID}", {}, None),
    "an id in capitals": ("GET", f"/v1/tasks/{ID.upper()}", {}, None),
    "an id without dashes": ("GET", f"/v1/tasks/{ID.replace('-', '')}", {}, None),
    "no id": ("GET", "/v1/tasks/no-id-at-all-but-of-the-same-length-x", {}, None),
    "a job that is not there": ("GET", f"/v1/jobs/{ID}", {}, None),
    "HEAD": ("HEAD", f"/v1/tasks/{ID}", {}, None),
    "GET without a token": ("GET", f"/v1/jobs/{ID}", {"Authorization": ""}, None),
    "a method that is not allowed": ("PUT", "/v1/tasks", {}, TASK),
}
_OF_EACH_REQUEST = {"id", "created_at", "updated_at", "run_at", "request_id"}


@pytest.fixture
def by_router(serve_api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same API without shortcuts."""
    monkeypatch.setattr(taskhub_api.app, "SHORTCUTS", ())
    return serve_api()


def _seen(answer: httpx.Response) -> Any:
    headers = {
        name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id", "location"}
    }
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        headers["content-length"] = str(sorted(body))
        body = {name: "some" if name in _OF_EACH_REQUEST else value for name, value in body.items()}
        body["due_at"] = (body.get("due_at") or "").replace("+00:00", "Z")
    return answer.status_code, sorted(headers.items()), body


def test_a_shortcut_answers_as_the_router_does(client_of: Any, by_router: Any) -> None:
    short, long = client_of(), client_of(api=by_router)
    for name, (method, url, headers, body) in REQUESTS.items():
        given_body = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        answers = [client.request(method, url, headers=headers, **given_body) for client in (short, long)]
        assert _seen(answers[0]) == _seen(answers[1]), name


def test_what_was_written_by_a_shortcut_is_read_by_the_router(client_of: Any, new_account: Any, by_router: Any) -> None:
    account_id = new_account()
    short, long = client_of(account_id), client_of(account_id, api=by_router)
    for url, body in (("/v1/tasks", TASK), ("/v1/jobs", JOB)):
        made = short.post(url, json=body).json()
        path = f"{url}/{made['id']}"
        assert short.get(path).json() == long.get(path).json() == made


def test_a_request_by_a_shortcut_is_counted_under_its_route(client_of: Any) -> None:
    def count() -> float:
        labels = {"method": "GET", "route": "/v1/tasks/{task_id}", "status": "404"}
        return REGISTRY.get_sample_value("taskhub_http_requests_total", labels) or 0.0

    before = count()
    client_of().get(f"/v1/tasks/{ID}")
    wait_for(lambda: count() == before + 1, message="the request was not counted")


def test_there_are_shortcuts() -> None:
    assert len(SHORTCUTS) == 4


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_LIKELY = st.sampled_from(["5", "", "open", "2030-01-01T00:00:00Z", ID, 0, 4, 5, 9, 10, True, 1.0, "true", ["a"], {}])


def _validated(validate: Any) -> Any:
    try:
        return validate().model_dump()
    except ValidationError:
        return "invalid"


@pytest.mark.parametrize("model", [TaskIn, JobIn])
@given(data=st.data())
def test_a_body_means_the_same_on_both_ways(model: type[BaseModel], data: st.DataObject) -> None:
    """The router validates what Python's parser made of it; a shortcut lets the model read the bytes."""
    fields = data.draw(st.lists(st.sampled_from(sorted(model.model_fields)), unique=True))
    body = {name: data.draw(_LIKELY | _JSON) for name in fields}
    body |= data.draw(st.sampled_from([{}, {"title": "t"} if model is TaskIn else {"kind": "tasks.export"}]))
    sent = json.dumps(body).encode()
    assert _validated(lambda: model.model_validate_json(sent)) == _validated(
        lambda: model.model_validate(json.loads(sent))
    )

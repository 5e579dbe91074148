"""compose.yaml really runs TaskHub: a task reaches the index, and its change the subscriber; a mail arrives."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from taskhub_local.demo.client import Api
from taskhub_local.ports import HOST, any_free
from taskhub_local.testing import wait_for
from tests.images import compose

pytestmark = [pytest.mark.images, pytest.mark.timeout(600, func_only=True)]

_SETTLE_SECONDS = 120
_PASSWORD = "a long password for a short life"


@pytest.fixture(scope="module")
def sink_url() -> Iterator[str]:
    """The containers run, under a name and at ports of their own: those of a person who uses `make compose-up` stay."""
    with pytest.MonkeyPatch.context() as patch:
        api_port, sink_port = any_free(), any_free()
        patch.setenv("COMPOSE_PROJECT_NAME", "taskhub-test")
        patch.setenv("TASKHUB_COMPOSE_API_PORT", str(api_port))
        patch.setenv("TASKHUB_COMPOSE_SINK_PORT", str(sink_port))
        try:
            compose.up()
            yield f"http://{HOST}:{sink_port}"
        finally:
            compose.compose("down", "--volumes", "--timeout", "40")


@pytest.fixture
def api(sink_url: str) -> Iterator[Api]:
    """The API, as an account of its own sees it."""
    api = Api(f"http://{compose.compose('port', 'api', '8000').strip()}")
    try:
        yield api
    finally:
        api.close()


def test_the_main_road_leads_through_the_containers(api: Api, sink_url: str) -> None:
    email, title = f"{uuid.uuid4()}@example.com", f"Compose {uuid.uuid4()}"
    api.register(email, _PASSWORD)
    api.log_in(email, _PASSWORD)
    subscription = {"url": "http://sink:8025/hooks/compose", "event_types": ["task.created"]}
    api.call("POST", "/v1/webhooks", 201, json=subscription)
    api.call("POST", "/v1/tasks", 201, json={"title": title})

    def found_in_the_index() -> bool:
        answer = api.get("/v1/search", q=title)
        hits = any(hit["task"]["title"] == title for hit in answer["items"])
        return hits and answer["source"] == "elasticsearch"

    def delivered() -> bool:
        deliveries = httpx.get(f"{sink_url}/hooks/compose").raise_for_status().json()["deliveries"]
        return any(title in delivery["body"] for delivery in deliveries)

    def mailed() -> bool:
        found = httpx.get(f"{sink_url}/mails", params={"recipient": email}).raise_for_status().json()
        return len(found["mails"]) == 1

    wait_for(found_in_the_index, deadline_seconds=_SETTLE_SECONDS, message="the task is in the index")
    wait_for(delivered, deadline_seconds=_SETTLE_SECONDS, message="the webhook was delivered")
    wait_for(mailed, deadline_seconds=_SETTLE_SECONDS, message="the welcome mail has arrived")


def test_only_loopback_is_published(sink_url: str) -> None:
    published = compose.compose("ps", "--format", "{{.Ports}}")
    assert "127.0.0.1:" in published
    assert "0.0.0.0:" not in published
    assert "[::]:" not in published

"""The chain of times (design, rule 10) on the rendered manifests: each wait outlasts what it waits for."""

import json

import pytest
from pydantic_settings import BaseSettings

from taskhub_api.serving import KEEP_ALIVE_SECONDS
from taskhub_api.settings import ApiSettings
from taskhub_sqs_consumer.settings import ConsumerSettings
from taskhub_worker.dispatcher.settings import DispatcherSettings
from taskhub_worker.worker.settings import WorkerSettings
from tests.charts.rendering import Manifest, Rendering, manifests, of_kind, render, renderings
from tests.e2e.cluster.paths import HERE

_SECRETS = {
    "TASKHUB_DATABASE_URL": "postgresql://taskhub:secret@postgres:5432/taskhub",
    "TASKHUB_REDIS_URL": "redis://redis:6379/0",
    "TASKHUB_CACHE_URL": "redis://redis:6379/1",
    "TASKHUB_JWT_KEYS": json.dumps({"one": "x" * 32}),
    "TASKHUB_JWT_ACTIVE_KID": "one",
}
_OF_PROCESS: dict[str, type[BaseSettings]] = {
    "api": ApiSettings,
    "worker": WorkerSettings,
    "dispatcher": DispatcherSettings,
    "sqs-consumer": ConsumerSettings,
    "reconciler": ConsumerSettings,
}
_ALB_IDLE_SECONDS = 60.0
"""AWS' default (`idle_timeout.timeout_seconds`), which no environment changes."""
_LAST_TURN_SECONDS = 20.0
"""How long the dispatcher's turn under way may take."""
_OURS = [rendering for rendering in renderings() if rendering.chart in ("api", "worker", "sqs-consumer")]


def _drain(settings: BaseSettings) -> float:
    """How long this process takes from SIGTERM to its end, at most."""
    match settings:
        case ApiSettings():
            return settings.drain_seconds
        case WorkerSettings():
            return settings.soft_shutdown_seconds
        case ConsumerSettings():
            return settings.consumer_wait_seconds + settings.consumer_stop_seconds
        case _:
            return _LAST_TURN_SECONDS


def _workloads(rendering: Rendering) -> list[tuple[str, Manifest, dict[str, str]]]:
    objects = manifests(render(rendering))
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    found = []
    for each in of_kind(objects, "Deployment"):
        spec = each["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        environment: dict[str, str] = {}
        for source in container["envFrom"]:
            environment |= maps[source["configMapRef"]["name"]]
        for variable in container["env"]:
            name = variable["name"]
            environment[name] = variable["value"] if "value" in variable else _SECRETS.get(name, "a secret")
        found.append((container["name"], spec, environment))
    return found


def _settings(component: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> BaseSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return _OF_PROCESS[component]()


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_every_process_accepts_the_settings_that_its_chart_gives(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    for component, _, environment in _workloads(rendering):
        with monkeypatch.context() as patch:
            settings = _settings(component, environment, patch)
        known = {f"TASKHUB_{name.upper()}" for name in type(settings).model_fields}
        everybody = set().union(
            *({f"TASKHUB_{each.upper()}" for each in one.model_fields} for one in _OF_PROCESS.values())
        )
        given = {name for name in environment if name.startswith("TASKHUB_")}
        assert given <= everybody, f"{component} is given what nobody knows"
        assert known & given


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_a_pod_is_killed_only_after_its_drain(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    for component, spec, environment in _workloads(rendering):
        with monkeypatch.context() as patch:
            drain = _drain(_settings(component, environment, patch))
        (container,) = spec["containers"]
        before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert before + drain < spec["terminationGracePeriodSeconds"], component


@pytest.mark.parametrize("rendering", _OURS, ids=str)
def test_requests_end_within_the_drain_and_jobs_within_the_broker_visibility(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    for component, _, environment in _workloads(rendering):
        with monkeypatch.context() as patch:
            settings = _settings(component, environment, patch)
        if isinstance(settings, ApiSettings):
            assert settings.request_deadline_seconds < settings.drain_seconds
        if isinstance(settings, WorkerSettings):
            assert settings.lease_renew_seconds + settings.lease_margin_seconds < settings.lease_seconds
            assert settings.shutdown_grace_seconds < settings.soft_shutdown_seconds
            assert settings.soft_shutdown_seconds < settings.broker_visibility_timeout_seconds
        if isinstance(settings, ConsumerSettings):
            assert settings.consumer_wait_seconds < settings.consumer_visibility_seconds


@pytest.mark.parametrize("rendering", [each for each in _OURS if each.chart == "api"], ids=str)
def test_an_api_pod_serves_on_until_everybody_has_heard_that_it_leaves(rendering: Rendering) -> None:
    for _, spec, _ in _workloads(rendering):
        (container,) = spec["containers"]
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5


def test_the_api_keeps_an_idle_connection_for_longer_than_the_proxies_before_it() -> None:
    assert max(_forwarding("idleconntimeout"), _ALB_IDLE_SECONDS) < KEEP_ALIVE_SECONDS


def test_the_ingress_does_not_give_up_for_one_lost_packet() -> None:
    """TCP sends the first packet of a connection again after a second (RFC 6298, section 2)."""
    assert 1.0 < _forwarding("dialtimeout") < 2.0


def _forwarding(name: str) -> float:
    """Return a time of Traefik's connections to pods, in seconds."""
    (traefik,) = of_kind(manifests((HERE / "manifests" / "traefik.yaml").read_text()), "Deployment")
    (container,) = traefik["spec"]["template"]["spec"]["containers"]
    start = f"--serverstransport.forwardingtimeouts.{name}="
    (value,) = [each.removeprefix(start) for each in container["args"] if each.startswith(start)]
    return float(value.removesuffix("ms")) / 1_000 if value.endswith("ms") else float(value.removesuffix("s"))

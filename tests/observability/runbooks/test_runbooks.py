"""Each alert has a page that can be followed at night: complete, its links right, its commands real."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from tools.matrix.world import alerting_rules

from taskhub_api.commands import unserved_app
from tests.observability.runbooks.reading import FIRST, FOLDER, ROOT, Runbook, runbooks, without_placeholders

PAGES = {page.name: page for page in runbooks()}
RULES = {rule["alert"]: rule for rule in alerting_rules(ROOT / "observability" / "rules")}
EVERY = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
OF_ALERTS = pytest.mark.parametrize(
    "page", [page for page in PAGES.values() if page.name != FIRST], ids=lambda p: p.name
)

SEVERITIES = {"page": "Pages.", "ticket": "Makes a ticket.", "none": "Wakes nobody."}
KUBECTL = {
    "api-resources", "apply", "create", "debug", "delete", "describe", "drain", "exec", "get", "logs", "patch",
    "rollout", "scale", "set", "taint", "top", "uncordon",
}  # fmt: skip
PROGRAMS = {"kubectl", "helm", "sql", "operator", "redis", "search", "curl", "openssl", "getent"}
"""`sql`, `redis`, `search` and `operator` are the shell functions of the first ten minutes."""
DEPLOYMENTS = {
    "api", "worker", "worker-dispatcher", "sqs-consumer", "sqs-consumer-reconciler", "traefik", "coredns",
    "postgres-exporter",
}  # fmt: skip
STATEFUL_SETS = {"postgres", "redis", "elasticmq", "elasticsearch"}
RELEASES = {"api", "worker", "sqs-consumer", "observability"}
POLICIES = {"api-to-broker", "api-to-search", "sqs-consumer-to-search"}
OUR_CHARTS = {"api": "api", "worker": "worker", "worker-dispatcher": "worker", "sqs-consumer": "sqs-consumer"}


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert set(PAGES) - {FIRST} == set(RULES)


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_links_its_page(alert: str) -> None:
    path = RULES[alert]["annotations"]["runbook_url"].partition("/runbooks/")[2]
    assert (FOLDER / path).is_file()


@OF_ALERTS
def test_a_page_says_what_it_means_and_what_to_do(page: Runbook) -> None:
    assert page.text.startswith(f"# {page.name}\n")
    assert list(page.sections) == ["Meaning", "Impact", "Diagnosis", "Mitigation", "Afterwards"]
    assert all(page.sections.values())
    assert "```sh" in page.sections["Diagnosis"], "there is something to look at"


@OF_ALERTS
def test_a_page_says_whether_it_wakes_somebody(page: Runbook) -> None:
    severity = RULES[page.name]["labels"].get("severity", "none")
    assert SEVERITIES[severity] in page.text.splitlines()[2]


@EVERY
def test_links_lead_somewhere(page: Runbook) -> None:
    assert page.links
    for link in page.links:
        path, _, anchor = link.partition("#")
        target = (FOLDER / path).resolve()
        assert target.is_file(), link
        if anchor:
            assert anchor in set(_anchors(target.read_text())), link


def _anchors(text: str) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@EVERY
def test_commands_can_be_pasted(page: Runbook) -> None:
    for block in page.blocks:
        result = subprocess.run(
            ["bash", "-n"], input=without_placeholders(block), capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{block}\n{result.stderr}"


@OF_ALERTS
def test_commands_call_programs_that_the_first_ten_minutes_set_up(page: Runbook) -> None:
    for command in page.commands:
        assert shlex.split(without_placeholders(command))[0] in PROGRAMS, command


@EVERY
def test_kubectl_is_asked_for_what_there_is(page: Runbook) -> None:
    for command in page.commands:
        for call in re.findall(r"kubectl [^|;&)]+", command):
            words = [word for word in without_placeholders(call).split()[1:] if word != "-A"]
            while words and words[0] == "-n":
                words = words[2:]
            assert words[0] in KUBECTL, command
        for kind, name in re.findall(r"\b(deployment|statefulset)[/ ]([a-z][a-z-]*)", without_placeholders(command)):
            known = DEPLOYMENTS if kind == "deployment" else STATEFUL_SETS
            assert name in known | {"something"}, command
        for name in re.findall(r"networkpolicy ([a-z-]+)", command):
            assert name in POLICIES, command


@EVERY
def test_helm_goes_back_to_a_release_that_there_is(page: Runbook) -> None:
    for command in page.commands:
        for verb, release in re.findall(r"helm -n \w+ (\w+) ([a-z-]+)", command):
            assert verb in {"history", "rollback"}
            assert release in RELEASES


@pytest.mark.parametrize("name", sorted(OUR_CHARTS))
def test_the_deployments_that_pages_name_are_in_the_charts(name: str) -> None:
    chart = ROOT / "charts" / OUR_CHARTS[name]
    assert chart.is_dir()
    if name == "worker-dispatcher":
        assert "dispatcher" in (chart / "templates" / "dispatcher.yaml").read_text()


@pytest.fixture(scope="module")
def routes() -> dict[str, set[str]]:
    """The API's paths, each with its methods."""
    paths = unserved_app().openapi()["paths"]
    return {path: {method.upper() for method in methods} for path, methods in paths.items()}


@EVERY
def test_urls_are_routes_of_the_api(page: Runbook, routes: dict[str, set[str]]) -> None:
    patterns = {re.compile(re.sub(r"\{\w+\}", r"<[a-z_]+>", path)): methods for path, methods in routes.items()}
    for command in page.commands:
        for path in re.findall(r"\$api(/[^\s\"?]*)", command):
            method = "POST" if re.search(r"-X POST| -d ", command) else "GET"
            assert any(pattern.fullmatch(path) and method in methods for pattern, methods in patterns.items()), command
        for body in re.findall(r"-d '(\{.*\})'", command):
            assert isinstance(json.loads(body), dict)


STATEMENTS = [
    pytest.param(match.group(1), id=f"{page.name}-{number}")
    for page in PAGES.values()
    for number, match in enumerate(re.finditer(r'^sql "(.+)"$', page.text, flags=re.MULTILINE))
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_sql_runs_on_the_migrated_database(statement: str, database_url: str) -> None:
    """As written, columns and all; only the name of the database differs here."""
    with psycopg.connect(database_url, autocommit=True) as session:
        name = session.info.dbname
        session.execute(statement.replace("DATABASE taskhub", f"DATABASE {name}").encode())


def test_commands_of_ours_in_pages_are_subcommands() -> None:
    called = set()
    for page in PAGES.values():
        called |= set(re.findall(r"-- (taskhub-[a-z-]+) ([a-z-]+)\b", "\n".join(page.blocks)))
    assert called == {("taskhub-sqs-consumer", "reconcile"), ("taskhub-api", "create-operator")}


def test_elasticsearch_knows_what_pages_ask_it(elasticsearch_url: str) -> None:
    paths = {path for page in PAGES.values() for path in re.findall(r'^search "(/.+)"$', page.text, flags=re.MULTILINE)}
    assert paths
    with httpx.Client(base_url=elasticsearch_url, timeout=30, trust_env=False) as client:
        for path in paths:
            answer = client.get(path)
            # Asked about a shard without a node where there is none, or about an alias that is missing, it says so.
            assert answer.is_success or path in {"/_cluster/allocation/explain", "/_alias/taskhub-tasks"}, answer.text
            assert "no handler found" not in answer.text, path

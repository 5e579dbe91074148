"""The dashboards are drawn from a real Prometheus, which here watches nobody but itself."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from observability.dashboards.reading import Page, committed_pages
from observability.local import configuration
from observability.render.asking import Prometheus, Span
from observability.render.units import said

from taskhub_local.ports import any_free
from taskhub_local.testing.waiting import wait_for

PAGES = {page.name: page for page in committed_pages()}


@pytest.fixture(scope="module")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus with our rules, that scrapes itself every second."""
    program = shutil.which("prometheus")
    if program is None:
        reason = "prometheus is not installed (Debian: apt-get install --no-install-recommends prometheus)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder, port = tmp_path_factory.mktemp("prometheus"), any_free()
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration({}, 1, port)))
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, trust_env=False) as client:
                wait_for(lambda: _has(client, "rate(prometheus_http_requests_total[10s])"), deadline_seconds=60)
                wait_for(lambda: _has(client, 'ALERTS{alertname="ApiDown"}'), deadline_seconds=60)
            yield url
        finally:
            process.terminate()


def _has(client: httpx.Client, query: str) -> bool:
    try:
        answer = client.get("/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return False
    return answer.is_success and bool(answer.json()["data"]["result"])


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_live_prometheus_answers_every_panel(page: Page, prometheus_url: str) -> None:
    end = time.time()
    with httpx.Client(base_url=prometheus_url, timeout=30, trust_env=False) as client:
        prometheus = Prometheus(client, scrape_seconds=1)
        data = {panel.title: prometheus.ask(panel.raw, Span(end - 60, end)) for panel in page.panels}
    assert prometheus.failures == []
    if page is PAGES["observability"]:
        assert {line.name for line in data["Targets up, by job"]} == {"prometheus"}


def test_a_dashboard_becomes_a_page_and_a_picture_that_need_nothing_beside_them(
    prometheus_url: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need requirements/e2e.txt, which make dashboards installs")
    command = [
        *(sys.executable, "-m", "observability.render", "observability", "--minutes", "1"),
        *("--prometheus", prometheus_url, "--to", str(tmp_path), "--scrape-seconds", "1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "observability.html").read_text()
    for panel in PAGES["observability"].panels:
        assert f"<dt>{panel.title}" in page
    assert "src=" not in page
    assert "stylesheet" not in page
    assert (tmp_path / "observability.png").read_bytes().startswith(b"\x89PNG")


def test_a_prometheus_that_is_away_is_said(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need requirements/e2e.txt, which make dashboards installs")
    away = f"http://127.0.0.1:{any_free()}"
    command = [sys.executable, "-m", "observability.render", "--prometheus", away, "--to", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert f"{away} cannot be asked" in done.stderr


def test_make_up_s_programs_are_scraped_under_the_names_that_rules_use() -> None:
    made = configuration(
        {"api": "http://127.0.0.1:9101/metrics", "sqs-consumer": "http://127.0.0.1:9104/metrics"}, 5, 9
    )
    jobs = {one["job_name"]: one["static_configs"][0]["targets"] for one in made["scrape_configs"]}
    assert jobs == {"api": ["127.0.0.1:9101"], "sqs-consumer": ["127.0.0.1:9104"], "prometheus": ["127.0.0.1:9"]}
    for pattern in made["rule_files"]:
        assert list(Path(pattern).parent.glob(Path(pattern).name)), pattern


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (0.9995, "percentunit", "100.0 %"),
        (0.0, "s", "0 s"),
        (0.0012, "s", "1.2 ms"),
        (95.0, "s", "95 s"),
        (600.0, "s", "10 min"),
        (1_209_600.0, "s", "14 d"),
        (1536.0, "bytes", "1.5 KiB"),
        (12_300.0, "reqps", "12.3 k/s"),
        (7.0, "short", "7"),
        (float("nan"), "short", "no value"),
    ],
)
def test_values_are_said_in_their_unit(value: float, unit: str, text: str) -> None:
    assert said(value, unit) == text

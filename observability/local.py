"""`python -m observability.local` runs Prometheus beside `make up`: it scrapes the programs and judges the rules."""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from taskhub_local.errors import NotRunningError
from taskhub_local.platform.runfile import read_run

RULES = Path(__file__).parent / "rules"
HERE = ("api", "jobs", "postgres", "redis", "search", "sqs", "slo-*")
"""The rules that are about what runs on one machine: there is no ingress, no Kubernetes and no Alertmanager."""


def main() -> None:
    """Writes its configuration, then becomes Prometheus. Exits, saying what to do, where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m observability.local", description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=Path(".taskhub"), help="that of make up (%(default)s)")
    parser.add_argument("--port", type=int, default=9090, help="on 127.0.0.1 (%(default)s)")
    parser.add_argument("--scrape-seconds", type=int, default=5, help="interval of scrapes and rules (%(default)s)")
    options = parser.parse_args()
    program = shutil.which("prometheus")
    if program is None:
        sys.exit("prometheus is not installed (Debian: apt-get install --no-install-recommends prometheus)")
    try:
        metrics = read_run(options.state_dir).metrics_urls
    except NotRunningError as error:
        sys.exit(str(error))
    folder = (options.state_dir / "prometheus").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(metrics, options.scrape_seconds, options.port), sort_keys=False))
    sys.stdout.write(f"Prometheus listens on http://127.0.0.1:{options.port}; Ctrl-C stops it\n")
    sys.stdout.flush()
    # In the place of this process, so that signals reach it.
    os.execv(  # noqa: S606 - a program of the system, with arguments of our own
        program,
        [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{options.port}",
            "--storage.tsdb.retention.time=1d",
            "--log.level=warn",
        ],
    )


def configuration(metrics: Mapping[str, str], seconds: int, port: int) -> dict[str, Any]:
    """Prometheus's configuration: a job each program, named as in a cluster, and the rules as they are."""
    return {
        "global": {"scrape_interval": f"{seconds}s", "evaluation_interval": f"{seconds}s"},
        "rule_files": [str(RULES / f"{name}.yaml") for name in HERE],
        "scrape_configs": [
            *_jobs(metrics),
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
        ],
    }


def _jobs(metrics: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for part, url in metrics.items():
        yield {"job_name": part, "static_configs": [{"targets": [urlsplit(url).netloc]}]}


if __name__ == "__main__":
    main()

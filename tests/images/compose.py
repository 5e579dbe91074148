"""The command behind `make compose-up` and `make compose-down`: `python -m tests.images.compose up|down`."""

import argparse
import json
import secrets
import sys
from pathlib import Path

from tests.e2e.cluster import golang
from tests.e2e.cluster.paths import ROOT
from tests.e2e.cluster.progress import say
from tests.e2e.cluster.shell import ClusterError, run, succeeds
from tests.images.needed import ensure_app_images, ensure_backing_images

_ENVIRONMENT = ROOT / ".taskhub" / "compose.env"
_READY_SECONDS = 300
# Also where there is a Docker without its plugin. The newest that speaks with Docker Engine 20.10.
_VERSION = "v2.40.3"
_MODULE = "github.com/docker/compose/v2"
COMPOSE = golang.GoProgram(
    "docker-compose", _VERSION, _MODULE, "cmd", golang.Way.WRAPPED,
    ldflags=f"-X {_MODULE}/internal.Version={_VERSION}", seconds=180,
)  # fmt: skip


def main() -> int:
    """Do what the arguments say; a failure is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.images.compose", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything, and wait until it is healthy")
    down = commands.add_parser("down", help="stop and remove everything but the data")
    down.add_argument("--volumes", action="store_true", help="remove the data, too")
    arguments = parser.parse_args()
    try:
        if arguments.command == "up":
            up()
        else:
            compose("down", *(["--volumes"] if arguments.volumes else []))
    except ClusterError as error:
        say(f"failed: {error}")
        return 1
    return 0


def up() -> None:
    """Start everything; returns once it is healthy. Raises ClusterError."""
    ensure_backing_images()
    _write_environment(ensure_app_images())
    say("starting the containers")
    # Not `--wait`: a one-shot service that has ended well counts as a failure there.
    compose("up", "--detach", "--remove-orphans")
    services = [name for name in compose("config", "--services").split() if name != "migrate"]
    compose("up", "--detach", "--no-recreate", "--wait", "--wait-timeout", str(_READY_SECONDS), "--no-deps", *services)
    say(f"API: http://{compose('port', 'api', '8000').strip()}/docs")
    say(f"mail and webhooks: http://{compose('port', 'sink', '8025').strip()}")


def compose(*arguments: str) -> str:
    """Run docker compose on the file of this repository, and return what it says. Raises ClusterError."""
    if not _ENVIRONMENT.exists():
        raise ClusterError("nothing was started here: `make compose-up` does that")
    project = ["--project-directory", str(ROOT), "--file", str(ROOT / "compose.yaml"), "--env-file", str(_ENVIRONMENT)]
    return run([*_program(), *project, *arguments], timeout_seconds=_READY_SECONDS + 120)


def _program() -> list[str | Path]:
    if succeeds(["docker", "compose", "version"]):
        return ["docker", "compose"]
    return [golang.build(COMPOSE)]


def _write_environment(tags: dict[str, str]) -> None:
    """The secrets, made once, and the images' tags as they are now."""
    kept = dict(line.split("=", 1) for line in _ENVIRONMENT.read_text().splitlines()) if _ENVIRONMENT.exists() else {}
    values = {
        "TASKHUB_COMPOSE_PASSWORD": secrets.token_urlsafe(18),
        "TASKHUB_COMPOSE_JWT_KEYS": f"'{json.dumps({'compose': secrets.token_urlsafe(48)})}'",
        **kept,
        **{f"{name.upper().replace('-', '_')}_IMAGE": tag for name, tag in tags.items()},
    }
    _ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
    _ENVIRONMENT.touch(mode=0o600)
    _ENVIRONMENT.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


if __name__ == "__main__":
    sys.exit(main())

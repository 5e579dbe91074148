"""The command: `python -m tests.e2e.cluster up|down|status|images`."""

import argparse
import os
import sys
from pathlib import Path

from taskhub_local.errors import LocalError
from tests.e2e.cluster import commands
from tests.e2e.cluster.progress import say
from tests.e2e.cluster.shell import ClusterError


def main() -> int:
    """Do what the arguments say; a failure is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="command", required=True)
    up = verbs.add_parser("up", help="make the cluster if need be, and install everything into it")
    up.add_argument("--kubeconfig", type=Path, help="install into this existing cluster instead")
    up.add_argument("--repository", default="", help="where that cluster pulls the images from")
    up.add_argument("--only-platform", action="store_true", help="the cluster alone: no backing services, no charts")
    up.add_argument("--monitoring", action="store_true", help="with Prometheus, Alertmanager and exporters")
    up.add_argument("--traces", action="store_true", help="with all that, and the apps send their spans")
    up.add_argument("--gitops", action="store_true", help="with Argo CD, and a Git server for it to read")
    down = verbs.add_parser("down", help="remove the cluster; the cache stays")
    down.add_argument("--engine", action="store_true", help="and end the Docker engine that was started for it")
    verbs.add_parser("status", help="show the nodes and pods")
    images = verbs.add_parser("images", help="get or build every image and tool")
    for verb in (up, images):
        verb.add_argument("--from-packages", action="store_true", help="pull nothing, even where registries answer")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except (ClusterError, LocalError) as error:
        say(f"failed: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; what is complete is kept, the next run goes on from there")
        # Threads may wait for programs that are still ending.
        os._exit(130)
    return 0


def _run(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "up" if arguments.kubeconfig:
            commands.up_elsewhere(arguments.kubeconfig, arguments.repository)
        case "up":
            commands.up(
                only_platform=arguments.only_platform,
                from_packages=arguments.from_packages,
                watched=arguments.monitoring,
                traced=arguments.traces,
                synced=arguments.gitops,
            )
        case "down":
            commands.down(with_engine=arguments.engine)
        case "status":
            commands.status()
        case "images":
            commands.build_images(from_packages=arguments.from_packages)


if __name__ == "__main__":
    sys.exit(main())

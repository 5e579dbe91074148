"""The `taskhub` command: the whole platform on one machine."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

from taskhub_local.errors import LocalError
from taskhub_local.platform.plan import WORKER_PROCESSES, Ports
from taskhub_local.settings import LocalSettings


def main() -> int:
    """Run one command; an error that a person can act on is one line on standard error."""
    arguments = _parser().parse_args()
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except LocalError as error:
        sys.stderr.write(f"taskhub: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskhub", description=__doc__)
    default = LocalSettings().state_dir
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=default,
        help="folder of data, logs and secrets (TASKHUB_STATE_DIR; %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start the platform; Ctrl-C stops it")
    up.add_argument(
        "--worker-processes", type=int, default=WORKER_PROCESSES, help="jobs that run at once (%(default)s)"
    )
    up.add_argument("--no-elasticsearch", action="store_true", help="let PostgreSQL answer searches")
    for field in fields(Ports):
        option = f"--{field.name.replace('_', '-')}-port"
        up.add_argument(option, type=int, default=field.default, metavar="PORT", help="wanted port (%(default)s)")
    up.set_defaults(command=_up)

    commands.add_parser("status", help="show the parts and pages of the running platform").set_defaults(command=_status)
    commands.add_parser("down", help="stop the running platform").set_defaults(command=_down)

    logs = commands.add_parser("logs", help="show the ends of the logs")
    logs.add_argument("names", nargs="*", help="parts (default: all)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
    logs.add_argument("-n", "--lines", type=int, default=20, help="lines of each (%(default)s)")
    logs.set_defaults(command=_logs)

    commands.add_parser("demo", help="drive the main job end to end on sample files").set_defaults(command=_demo)
    commands.add_parser("reindex", help="build the search index anew").set_defaults(command=_reindex)
    restored = commands.add_parser(
        "after-restore",
        help="once PostgreSQL was restored to an earlier time: clear the queues, then build the index anew; the "
        "operator's password is read from standard input",
    )
    restored.add_argument("--to", type=_time, required=True, help="the time restored to, with its zone (ISO 8601)")
    restored.add_argument("--api", required=True, metavar="URL", help="where clients find the API")
    restored.add_argument("--operator", required=True, metavar="EMAIL", help="an operator's account")
    restored.add_argument(
        "--patience", type=float, default=1_800, metavar="SECONDS", help="wait so long for the API (%(default)g)"
    )
    restored.set_defaults(command=_after_restore)
    chaos = commands.add_parser("chaos", help="break something of the running platform, and watch it recover")
    chaos.add_argument("case", nargs="?", help="which fault (default: list them)")
    chaos.add_argument("--seed", type=int, default=None, help="deal the same load again")
    chaos.set_defaults(command=_chaos)

    commands.add_parser("fetch", help="get Elasticsearch ahead of time").set_defaults(command=_fetch)
    commands.add_parser("settings", help="list every setting as Markdown").set_defaults(command=_settings)
    return parser


# Each command imports its own module: `taskhub status` should not wait for what `taskhub up` needs.


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{value} has no zone: write {value}Z for UTC")
    return time


def _state(arguments: argparse.Namespace) -> Path:
    state: Path = arguments.state_dir
    return state.resolve()


def _up(arguments: argparse.Namespace) -> int:
    from taskhub_local.commands.up import up

    ports = replace(Ports(), **{field.name: getattr(arguments, f"{field.name}_port") for field in fields(Ports)})
    return up(
        _state(arguments),
        ports=ports,
        worker_processes=arguments.worker_processes,
        elasticsearch=not arguments.no_elasticsearch,
    )


def _status(arguments: argparse.Namespace) -> int:
    from taskhub_local.commands.inspect import status

    return status(_state(arguments))


def _down(arguments: argparse.Namespace) -> int:
    from taskhub_local.commands.inspect import down

    return down(_state(arguments))


def _logs(arguments: argparse.Namespace) -> int:
    from taskhub_local.commands.inspect import logs

    return logs(_state(arguments), arguments.names, follow=arguments.follow, lines=arguments.lines)


def _demo(arguments: argparse.Namespace) -> int:
    from taskhub_local.demo.run import demo

    return demo(_state(arguments))


def _reindex(arguments: argparse.Namespace) -> int:
    from taskhub_local.commands.reindex import reindex

    return reindex(_state(arguments))


def _after_restore(arguments: argparse.Namespace) -> int:
    from taskhub_local.commands.after_restore import after_restore
    from taskhub_local.platform.runfile import AccountInfo

    operator = AccountInfo(email=arguments.operator, password=sys.stdin.readline().rstrip("\n"))
    return after_restore(arguments.to, arguments.api.rstrip("/"), operator, patience_seconds=arguments.patience)


def _chaos(arguments: argparse.Namespace) -> int:
    from taskhub_local.faults.command import chaos

    return chaos(_state(arguments), arguments.case, seed=arguments.seed)


def _fetch(_: argparse.Namespace) -> int:
    from taskhub_local.commands.fetch import fetch

    return fetch()


def _settings(_: argparse.Namespace) -> int:
    from taskhub_local.commands.listing import settings_markdown

    sys.stdout.write(settings_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())

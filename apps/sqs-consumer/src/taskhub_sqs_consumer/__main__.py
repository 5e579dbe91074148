"""The command line of the consumer: run, reconcile, settings."""

import argparse
import signal
import sys
import threading
from importlib.metadata import version

import structlog

from taskhub_core.settings_listing import listing
from taskhub_core.telemetry import logs, tracing
from taskhub_sqs_consumer.consumer import Consumer
from taskhub_sqs_consumer.reconciler import reconcile_once, reconcile_until_stopped
from taskhub_sqs_consumer.settings import ConsumerSettings

_PROGRAM = "taskhub-sqs-consumer"
_log = structlog.get_logger(__name__)


def main() -> None:
    """Runs the command that was asked for, and exits."""
    arguments = _parser().parse_args()
    if arguments.command == "settings":
        sys.stdout.write(listing(ConsumerSettings) + "\n")
        return
    settings = ConsumerSettings()
    logs.configure(settings, service=_PROGRAM)
    traces = tracing.configure(settings, service=_PROGRAM, version=version(_PROGRAM))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        if arguments.command == "reconcile":
            sys.exit(_reconcile(settings, arguments, stopping))
        sys.exit(_run(settings, stopping))
    finally:
        if traces is not None:
            traces.shutdown()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM, description="Turns events from SQS into the search index, the activity feed and webhooks."
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {version(_PROGRAM)}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="consume events until SIGTERM (the default)")
    reconcile = commands.add_parser("reconcile", help="compare the search index with PostgreSQL")
    reconcile.add_argument(
        "--repair", action=argparse.BooleanOptionalAction, default=True, help="write what differs again (default)"
    )
    reconcile.add_argument("--watch", type=float, metavar="SECONDS", help="do it again and again, and serve /metrics")
    commands.add_parser("settings", help="list every setting with its type, default and meaning")
    return parser


def _run(settings: ConsumerSettings, stopping: threading.Event) -> int:
    consumer = Consumer(settings)
    consumer.start()
    _log.info("started", version=version(_PROGRAM), receivers=settings.consumer_receivers)
    stopping.wait()
    in_time = consumer.stop()
    # What was cut off comes back by its visibility timeout: nothing is lost either way.
    _log.info("stopped", in_time=in_time)
    return 0


def _reconcile(settings: ConsumerSettings, arguments: argparse.Namespace, stopping: threading.Event) -> int:
    if settings.elasticsearch_url is None:
        sys.stderr.write("There is no index to compare: TASKHUB_ELASTICSEARCH_URL is not set.\n")
        return 2
    if arguments.watch is not None:
        reconcile_until_stopped(settings, repair=arguments.repair, every_seconds=arguments.watch, stopping=stopping)
        return 0
    return reconcile_once(settings, repair=arguments.repair, out=sys.stdout)


if __name__ == "__main__":
    main()

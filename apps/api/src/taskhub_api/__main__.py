"""taskhub-api: serve, migrate, create-operator, settings, openapi."""

import argparse

import uvicorn

from taskhub_api import __version__
from taskhub_api.app import create_app
from taskhub_api.settings import ApiSettings
from taskhub_core.database.engine import sqlalchemy_url
from taskhub_core.database.migrate import upgrade
from taskhub_core.settings import DatabaseSettings
from taskhub_core.telemetry import logs, tracing
from taskhub_core.telemetry.health import HealthServer


def serve() -> None:
    """Serves the API until SIGTERM, then lets requests in progress end."""
    settings = ApiSettings()
    logs.configure(settings, service="taskhub-api")
    tracing.configure(settings, service="taskhub-api", version=__version__)
    app = create_app(settings)
    metrics_server = HealthServer(settings.metrics_host, settings.metrics_port)
    metrics_server.start()
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=int(settings.drain_seconds),
        timeout_keep_alive=75,
        server_header=False,
        loop="uvloop",
        http="httptools",
    )
    metrics_server.stop()


def migrate() -> None:
    """Brings the database to the newest schema."""
    upgrade(sqlalchemy_url(DatabaseSettings(), direct=True))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="taskhub-api", description=__doc__)
    parser.add_argument("--version", action="version", version=f"taskhub-api {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve the API")
    commands.add_parser("migrate", help="bring the database to the newest schema")
    arguments = parser.parse_args()
    {"serve": serve, "migrate": migrate}[arguments.command]()


if __name__ == "__main__":
    main()

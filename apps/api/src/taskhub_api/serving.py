"""Serving the application: uvicorn, the port of metrics and probes beside it, and an orderly end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from taskhub_api import __version__
from taskhub_api.app import create_app
from taskhub_api.settings import ApiSettings
from taskhub_core.telemetry import logs, metrics, tracing
from taskhub_core.telemetry.health import HealthServer, ProgressStamp

KEEP_ALIVE_SECONDS = 120
"""For which an idle connection stays open. Longer than any proxy keeps it (ALB: 60 s, Traefik: 90 s): whichever side
closes first may do so while the other sends, and a request that is not idempotent then fails with 502."""
_PULSE_SECONDS = 0.5
_STUCK_SECONDS = 30.0


def serve() -> None:
    """Serves the API until SIGTERM or SIGINT, then lets requests in progress end."""
    settings = ApiSettings()
    logs.configure(settings, service="taskhub-api")
    provider = tracing.configure(settings, service="taskhub-api", version=__version__)
    app = create_app(settings)
    stamp = ProgressStamp("event", max_age_seconds=_STUCK_SECONDS)
    # Answered by a thread: an event loop that is merely late does not look dead, one that is stuck does (rule 11).
    health = HealthServer(
        settings.metrics_host, settings.metrics_port, live=stamp.check, ready=lambda: _why_not_ready(app)
    )
    health.start()
    try:
        DrainingServer(app, stamp, _config(app, settings)).run()
    finally:
        health.stop()
        if provider is not None:
            provider.shutdown()


def _config(app: FastAPI, settings: ApiSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=int(settings.drain_seconds),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        loop="uvloop",
        http="httptools",
        ws="none",
    )


def _why_not_ready(app: FastAPI) -> str | None:
    if app.state.draining:
        return "draining"
    return None if app.state.started else "starting"


class DrainingServer(uvicorn.Server):
    """A server that says so when it begins to end: readiness turns to no, and streams are closed."""

    def __init__(self, app: FastAPI, stamp: ProgressStamp, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app
        self._stamp = stamp

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Begins to end; a second Ctrl-C ends at once.

        uvicorn's own would raise the signal again at the end: the process would die by it, before anything is flushed.
        """
        self._app.state.draining = True
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def main_loop(self) -> None:
        """Serves, with a pulse beside it."""
        async with _pulse(self._stamp):
            await super().main_loop()


@asynccontextmanager
async def _pulse(stamp: ProgressStamp) -> AsyncIterator[None]:
    """Touches the stamp as long as the event loop comes round, and measures how late it does."""

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _PULSE_SECONDS
            await asyncio.sleep(_PULSE_SECONDS)
            metrics.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due))
            stamp.touch()

    beating = asyncio.create_task(beat(), name="pulse")
    try:
        yield
    finally:
        beating.cancel()

"""The application: settings in, ASGI app out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from taskhub_api import __version__, problems
from taskhub_api.database import Database
from taskhub_api.dead_letters import DeadLetters
from taskhub_api.dependency_probes.watch import DependencyWatch
from taskhub_api.job_watch import JobWatch
from taskhub_api.middleware.body_limit import BodyLimitMiddleware
from taskhub_api.middleware.deadline import DeadlineMiddleware
from taskhub_api.middleware.media_type import MediaTypeMiddleware
from taskhub_api.middleware.methods import MethodsMiddleware
from taskhub_api.middleware.shedding import SheddingMiddleware
from taskhub_api.middleware.story import StoryMiddleware
from taskhub_api.middleware.text_guard import TextGuardMiddleware
from taskhub_api.routes import ROUTERS, SHORTCUTS
from taskhub_api.routes.documented import document
from taskhub_api.security.access_tokens import AccessTokens
from taskhub_api.security.keyring import Keyring
from taskhub_api.security.passwords import Passwords
from taskhub_api.security.rate_limits import RateLimits
from taskhub_api.security.refresh_tokens import RefreshTokens
from taskhub_api.settings import ApiSettings
from taskhub_api.shortcuts import ShortcutMiddleware
from taskhub_core.files import service as files
from taskhub_core.jobs.registry import registry
from taskhub_core.search.service import SearchService

FILE_PATHS = frozenset({"/v1/files"})

_OPEN_AHEAD_SECONDS = 2.0

DESCRIPTION = """
Keep tasks, search them, and run background jobs that take effect once, whatever fails meanwhile.

* Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems; `type` is stable and can be opened.
* Send an `Idempotency-Key` with every POST, and repeating it is always safe.
* Tasks carry their version as `ETag`; writes to them need `If-Match`.
* Lists have opaque cursors: pass `next_cursor` back as `cursor`.
"""


def create_app(settings: ApiSettings) -> FastAPI:
    """The API with everything installed. Nothing is connected before it starts."""
    registry.load(settings.job_kind_modules)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = Database(settings, deadline_seconds=settings.unit_deadline_seconds)
        app.state.job_watch = JobWatch(app.state.database, max_watchers=settings.max_streams)
        app.state.dead_letters = DeadLetters(settings)
        try:
            await app.state.database.open_ahead(seconds=_OPEN_AHEAD_SECONDS)
            async with (
                SearchService(settings, app.state.database.read) as app.state.search,
                DependencyWatch(settings, app.state.database.engine) as app.state.dependency_watch,
            ):
                app.state.started = True
                yield
        finally:
            app.state.dead_letters.close()
            await app.state.job_watch.close()
            await app.state.database.close()
            app.state.passwords.close()
            await app.state.rate_limits.close()

    app = FastAPI(
        title="TaskHub",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would name whatever host the client claims to have asked
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        telemetry={"tracing": False, "metrics": False, "logs": False},  # middleware/story.py has the request's span
    )
    app.state.settings = settings
    app.state.started = app.state.draining = False
    app.state.keyring = Keyring(settings)
    app.state.access_tokens = AccessTokens(settings)
    app.state.refresh_tokens = RefreshTokens(app.state.keyring)
    app.state.passwords = Passwords(settings)
    app.state.rate_limits = RateLimits(settings, app.state.keyring)
    app.openapi = partial(document, app)  # type: ignore[method-assign]  # as FastAPI documents it
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    # The last one added is the outermost (middleware/__init__.py has the order).
    app.add_middleware(
        ShortcutMiddleware,
        application=app,
        routes=[route for router in ROUTERS for route in router.routes],
        shortcuts=SHORTCUTS,
    )
    app.add_middleware(MethodsMiddleware, application=app)
    app.add_middleware(TextGuardMiddleware, file_paths=FILE_PATHS)
    app.add_middleware(
        BodyLimitMiddleware,
        limit_bytes=settings.request_body_limit_bytes,
        file_limit_bytes=files.MAX_BYTES,
        file_paths=FILE_PATHS,
    )
    app.add_middleware(MediaTypeMiddleware, file_paths=FILE_PATHS)
    app.add_middleware(DeadlineMiddleware, seconds=settings.request_deadline_seconds)
    app.add_middleware(SheddingMiddleware, limit=settings.max_requests_in_progress)
    app.add_middleware(StoryMiddleware, tracing=settings.otel_endpoint is not None)
    return app

"""The platform that the fault driver starts for itself: proxies where cases need them, and a guardian against orphans.

It is built from the same parts and kept by the same keepers as `taskhub up`; only the process that holds them differs.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from taskhub_local.commands.accounts import ensure_accounts
from taskhub_local.errors import PartFailedError
from taskhub_local.faults.kinds import CREATE_EFFECTS, MODULE
from taskhub_local.faults.proxy import Proxy
from taskhub_local.faults.target import Target
from taskhub_local.parts.app import App, AppPart
from taskhub_local.platform.keeper import Keeper
from taskhub_local.platform.plan import Ports
from taskhub_local.platform.platform import Platform, PlatformOptions
from taskhub_local.platform.runfile import PartState
from taskhub_local.ports import HOST, any_free
from taskhub_local.process.child import spawn

CONSUMER_VISIBILITY_SECONDS = 15
"""Shorter than the default of a minute, so that what a killed consumer held comes back while the case still runs."""

_OWN_SETTINGS: Mapping[str, str] = {
    "TASKHUB_JOB_KIND_MODULES": json.dumps([MODULE]),
    # One account a case, one login a case, all from one address.
    "TASKHUB_REGISTER_LIMIT_PER_HOUR": "100000",
    "TASKHUB_LOGIN_LIMIT_PER_MINUTE": "100000",
    "TASKHUB_CONSUMER_VISIBILITY_SECONDS": str(CONSUMER_VISIBILITY_SECONDS),
}


def free_ports() -> Ports:
    """Return ports that nobody else gets."""
    return Ports(**{name: any_free() for name in asdict(Ports())})


class Host:
    """Starts the platform when entered, and stops it when left. Its methods are for the cases."""

    def __init__(
        self,
        state: Path,
        *,
        ports: Ports | None = None,
        elasticsearch: bool = True,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`environment` has further variables for the apps."""
        ports = ports or free_ports()
        self.sqs = Proxy(ports.sqs)
        self.postgres = Proxy(ports.postgres)
        self.balancer = Proxy(ports.api)
        """Where clients find the API: what an ingress is to several pods."""
        variables = {**_OWN_SETTINGS, "TASKHUB_SQS_ENDPOINT_URL": self.sqs.url, **(environment or {})}
        options = PlatformOptions(state, ports, elasticsearch=elasticsearch, environment=variables)
        self.platform = Platform(options, say=say)
        self.target = Target(self.platform.run_info)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.sqs)
            stack.enter_context(self.postgres)
            stack.enter_context(self.balancer)
            stack.callback(_end, self._start_guardian())
            stack.callback(self._stop)
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @asynccontextmanager
    async def environment(self, app: App, **changes: str) -> AsyncIterator[None]:
        """Run one app with other settings inside the block: restart it gracefully, and back again at the end."""
        part = self.platform.part(app.value)
        before = dict(part.environment)
        part.environment |= changes
        try:
            await asyncio.to_thread(self._replace, app)
            yield
        finally:
            part.environment.clear()
            part.environment |= before
            await asyncio.to_thread(self._replace, app)

    @asynccontextmanager
    async def another(self, app: App, changes: Mapping[str, str] | None = None) -> AsyncIterator[Keeper]:
        """Run one more process of an app inside the block, kept like the first, named such as `worker-2`.

        `changes` are settings of it alone. A second API takes its share of new connections at the load balancer.
        """
        port, api_port = any_free(), any_free()
        environment = {
            **self.platform.own_environment(),
            "TASKHUB_METRICS_PORT": str(port),
            "TASKHUB_API_PORT": str(api_port),
            # One worker a folder.
            "TASKHUB_STAMP_DIR": str(self.platform.options.state / "stamps-2"),
            **(changes or {}),
        }
        url = f"http://{HOST}:{port}"
        part = AppPart(app, self.platform.folders, url=url, ready_path="/livez", environment=environment)
        part.name = f"{app.value}-2"
        keeper = Keeper(part, lambda _: None)
        self.platform.keepers[part.name] = keeper
        keeper.start()
        try:
            while not await asyncio.to_thread(keeper.wait_settled, 0.1):
                pass
            if keeper.state is not PartState.READY:
                raise PartFailedError(f"{part.name} {keeper.detail}")
            if app is App.API:
                self.balancer.targets = (self.platform.options.ports.api, api_port)
            yield keeper
        finally:
            if app is App.API:
                self.balancer.targets = (self.platform.options.ports.api,)
            del self.platform.keepers[part.name]
            await asyncio.to_thread(keeper.stop)

    def through_proxy(self, url: str) -> str:
        """Return PostgreSQL's URL with the proxy's port in place of its own."""
        return url.replace(f":{self.platform.options.ports.postgres}/", f":{self.postgres.port}/")

    def _replace(self, app: App) -> None:
        keeper = self.platform.keepers[app.value]
        former = keeper.part.pid
        keeper.part.kill(keeper.part.stop_signals[0][0])
        deadline = time.monotonic() + 90
        while keeper.state is not PartState.READY or keeper.part.pid in {former, None}:
            if time.monotonic() > deadline:
                raise PartFailedError(f"{app.value} {keeper.detail}")
            time.sleep(0.05)

    def _start(self) -> None:
        platform = self.platform
        platform.start_backing()
        platform.wait_required(lambda: False)
        platform.migrate()
        with psycopg.connect(platform.postgres.url) as session:
            session.execute(CREATE_EFFECTS)
        platform.start_apps()
        platform.wait_apps(lambda: False)
        ensure_accounts(platform)
        if platform.elasticsearch is not None:
            search = platform.keepers[platform.elasticsearch.name]
            while not search.wait_settled(0.1):
                pass

    def _stop(self) -> None:
        for _ in self.platform.stop():
            pass

    def _start_guardian(self) -> subprocess.Popen[bytes]:
        """Stops everything, and deletes it, if this process is killed."""
        state = self.platform.options.state
        command = (sys.executable, "-m", "taskhub_local.process.guardian", str(os.getpid()), str(state))
        return spawn(command, log=self.platform.folders.log("guardian"), environment=os.environ)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()

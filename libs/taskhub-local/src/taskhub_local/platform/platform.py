"""The platform on one machine: builds the parts, starts them in order, keeps them running and stops them in reverse."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from taskhub_local.errors import PartFailedError
from taskhub_local.parts.app import App, AppPart, run_once
from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.parts.elasticsearch import ElasticsearchPart, why_unavailable
from taskhub_local.parts.mail import MailPart
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.redis import RedisPart
from taskhub_local.parts.sqs import CREDENTIALS, SqsPart
from taskhub_local.platform.keeper import Keeper, Observer
from taskhub_local.platform.plan import WORKER_PROCESSES, Ports
from taskhub_local.platform.runfile import AccountInfo, PartInfo, PartState, RunInfo, write_run
from taskhub_local.platform.secrets import load_or_create
from taskhub_local.ports import HOST

REQUIRED = ("postgres", "redis", "sqs", "mail")


@dataclass(frozen=True)
class PlatformOptions:
    """What a platform is made of."""

    state: Path
    """The state folder, absolute."""
    ports: Ports
    worker_processes: int = WORKER_PROCESSES
    elasticsearch: bool = True
    """False leaves it out even where it could run; PostgreSQL then answers searches."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """More variables for the apps."""


class Platform:
    """Everything that `taskhub up` runs. `keepers` holds each part by name, in the order they start."""

    def __init__(
        self,
        options: PlatformOptions,
        *,
        observe: Observer = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`observe` hears of each change of a part, `say` of everything else worth a line; both from other threads."""
        self.options = options
        self.folders = PartFolders(options.state)
        self.secrets = load_or_create(options.state / "secrets.json")
        self._started_at = datetime.now(UTC)
        self._observe = observe
        self._say = say
        self._write_lock = threading.Lock()
        ports = options.ports
        self.postgres = PostgresPart(self.folders, ports.postgres)
        self.redis = RedisPart(self.folders, ports.redis)
        self.sqs = SqsPart(self.folders, ports.sqs)
        self.mail = MailPart(self.folders, ports.smtp, ports.mail_pages)
        self.elasticsearch: ElasticsearchPart | None = None
        self.search_note: str | None = "left out on request"
        if options.elasticsearch:
            self.search_note = why_unavailable()
            if self.search_note is None:
                self.elasticsearch = ElasticsearchPart(self.folders, ports.elasticsearch, say=say)
        backing: list[Part] = [self.postgres, self.redis, self.sqs, self.mail]
        if self.elasticsearch is not None:
            backing.append(self.elasticsearch)
        self._backing = [Keeper(part, self._changed) for part in backing]
        self._apps = [Keeper(part, self._changed) for part in self._app_parts()]
        self.keepers = {keeper.part.name: keeper for keeper in (*self._backing, *self._apps)}

    @property
    def api_url(self) -> str:
        """Where the API listens."""
        return f"http://{HOST}:{self.options.ports.api}"

    def part(self, name: str) -> Part:
        """Return one part. Raises KeyError if there is none of that name."""
        return self.keepers[name].part

    def start_backing(self) -> None:
        """Start the servers, all at once; returns at once."""
        self.options.state.mkdir(parents=True, exist_ok=True)
        for keeper in self._backing:
            keeper.start()

    def wait_database(self, cancelled: Callable[[], bool]) -> None:
        """Wait until PostgreSQL is ready, so that `migrate` can run. Raises PartFailedError if it is not."""
        self._wait([self.keepers["postgres"]], cancelled)

    def wait_required(self, cancelled: Callable[[], bool]) -> None:
        """Wait until the servers that nothing works without are ready. Raises PartFailedError if one is not.

        Elasticsearch is not among them: searches come from PostgreSQL until it is there.
        """
        self._wait([self.keepers[name] for name in REQUIRED], cancelled)

    def migrate(self) -> None:
        """Bring the database to the newest schema. Raises PartFailedError if that fails."""
        run_once("migrate", ("taskhub-api", "migrate"), self.folders, self.app_environment())

    def start_apps(self) -> None:
        """Start the apps, all at once; returns at once."""
        for keeper in self._apps:
            keeper.start()

    def wait_apps(self, cancelled: Callable[[], bool]) -> None:
        """Wait until every app is ready. Raises PartFailedError if one is not."""
        self._wait(self._apps, cancelled)

    def stop(self) -> Iterator[tuple[str, float]]:
        """Stop everything in reverse order; yields each part's name, once it is stopped, and the seconds it took."""
        for keeper in reversed(self.keepers.values()):
            began = time.monotonic()
            keeper.stop()
            yield keeper.part.name, time.monotonic() - began

    def app_environment(self) -> dict[str, str]:
        """Return the variables of every app (each has a metrics port besides)."""
        return {**os.environ, **self.own_environment()}

    def own_environment(self) -> dict[str, str]:
        """Return the variables that this platform sets for its apps."""
        secrets = self.secrets
        search = {} if self.elasticsearch is None else {"TASKHUB_ELASTICSEARCH_URL": self.elasticsearch.url}
        return {
            "TASKHUB_ENVIRONMENT": "local",
            "TASKHUB_DATABASE_URL": self.postgres.url,
            "TASKHUB_REDIS_URL": self.redis.url_for(0),
            "TASKHUB_CACHE_URL": self.redis.url_for(1),
            "TASKHUB_SQS_ENDPOINT_URL": self.sqs.url,
            **CREDENTIALS,
            **search,
            "TASKHUB_SMTP_HOST": HOST,
            "TASKHUB_SMTP_PORT": str(self.mail.smtp_port),
            # The receiver of `taskhub demo` listens on loopback.
            "TASKHUB_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",
            "TASKHUB_API_HOST": HOST,
            "TASKHUB_API_PORT": str(self.options.ports.api),
            "TASKHUB_JWT_KEYS": json.dumps({secrets.jwt_key_id: secrets.jwt_key}),
            "TASKHUB_JWT_ACTIVE_KID": secrets.jwt_key_id,
            "TASKHUB_WORKER_PROCESSES": str(self.options.worker_processes),
            "TASKHUB_STAMP_DIR": str(self.options.state / "stamps"),
            "TASKHUB_METRICS_HOST": HOST,
            **self.options.environment,
        }

    def run_info(self) -> RunInfo:
        """Describe what runs right now."""
        secrets = self.secrets
        return RunInfo(
            pid=os.getpid(),
            started_at=self._started_at,
            state_dir=self.options.state,
            api_url=self.api_url,
            urls={
                "API": self.api_url,
                "API docs": f"{self.api_url}/docs",
                "Mail": self.mail.url,
                **({} if self.elasticsearch is None else {"Elasticsearch": self.elasticsearch.url}),
            },
            metrics_urls={app.value: f"http://{HOST}:{port}/metrics" for app, port in self._metrics_ports().items()},
            parts=[self._part_info(keeper) for keeper in self.keepers.values()],
            environment=self.own_environment(),
            demo=AccountInfo(email=secrets.demo_email, password=secrets.demo_password),
            operator=AccountInfo(email=secrets.operator_email, password=secrets.operator_password),
        )

    def _app_parts(self) -> list[AppPart]:
        stamps = self.options.state / "stamps"
        stamps.mkdir(parents=True, exist_ok=True)
        parts = []
        for app, port in self._metrics_ports().items():
            environment = {**self.own_environment(), "TASKHUB_METRICS_PORT": str(port)}
            is_api = app is App.API
            url, ready = (self.api_url, "/readyz") if is_api else (f"http://{HOST}:{port}", "/livez")
            parts.append(AppPart(app, self.folders, url=url, ready_path=ready, environment=environment))
        return parts

    def _metrics_ports(self) -> dict[App, int]:
        ports = self.options.ports
        return {
            App.API: ports.api_metrics,
            App.WORKER: ports.worker_metrics,
            App.DISPATCHER: ports.dispatcher_metrics,
            App.CONSUMER: ports.consumer_metrics,
        }

    def _wait(self, keepers: list[Keeper], cancelled: Callable[[], bool]) -> None:
        for keeper in keepers:
            while not keeper.wait_settled(0.1):
                if cancelled():
                    return
            if keeper.state is not PartState.READY and not cancelled():
                raise PartFailedError(f"{keeper.part.name} {keeper.detail}")

    def _part_info(self, keeper: Keeper) -> PartInfo:
        part = keeper.part
        return PartInfo(
            name=part.name, state=keeper.state, detail=keeper.detail, pid=part.pid, url=part.url, log=part.log
        )

    def _changed(self, keeper: Keeper) -> None:
        with self._write_lock:
            write_run(self.options.state, self.run_info())
        self._observe(keeper)

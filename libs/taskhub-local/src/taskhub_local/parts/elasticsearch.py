"""Elasticsearch 9, the real server. It needs Java and refuses to run as root."""

import json
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from taskhub_local.elasticsearch.distribution import VERSION, ensure_distribution
from taskhub_local.elasticsearch.java import MINIMUM_JAVA, Java, find_java
from taskhub_local.errors import PartFailedError, PartUnavailableError
from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import HOST
from taskhub_local.process.unprivileged import as_unprivileged, give_to_unprivileged

_HEAP = "512m"
_COPIED_CONFIGURATION = ("jvm.options", "log4j2.properties")


def why_unavailable() -> str | None:
    """Return why Elasticsearch cannot run here, as one line for people; None if it can."""
    missing = []
    if find_java() is None:
        missing.append(f"Java {MINIMUM_JAVA} or newer")
    if shutil.which("mvn") is None:
        missing.append("Maven (mvn)")
    return f"{' and '.join(missing)} not found" if missing else None


class ElasticsearchPart(Part):
    """A single-node Elasticsearch on loopback, without security, with a heap of 512 MiB."""

    ready_deadline_seconds = 180.0
    stop_signals = ((signal.SIGTERM, 20.0),)

    def __init__(
        self,
        folders: PartFolders,
        port: int,
        *,
        name: str = "elasticsearch",
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(name, folders, environment=environment)
        self.port = port
        self._say = say
        self._java: Java | None = None
        self._home: Path | None = None

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server itself. What we start is Elasticsearch's launcher, which ends with its server."""
        if super().pid is None:
            return None
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return super().pid
        return pid if psutil.pid_exists(pid) else super().pid

    def prepare(self) -> None:
        """Fetch the distribution if need be and write the configuration.

        Raises PartUnavailableError without Java or Maven.
        """
        self._java = find_java()
        if self._java is None:
            raise PartUnavailableError(f"Elasticsearch {VERSION} needs Java {MINIMUM_JAVA} or newer")
        self._home = ensure_distribution(self._say)
        # The first start adds security settings of its own where it finds none, so the file must be complete before.
        configuration = self._folder("config")
        for name in _COPIED_CONFIGURATION:
            shutil.copyfile(self._home / "config" / name, configuration / name)
        (configuration / "jvm.options.d").mkdir(exist_ok=True)
        settings = {
            "cluster.name": "taskhub",
            "node.name": "taskhub-local",
            "discovery.type": "single-node",
            "network.host": HOST,
            "http.port": self.port,
            "path.data": str(self._folder("data")),
            "path.logs": str(self._folder("logs")),
            "xpack.security.enabled": False,
            # A developer's disk is often nearly full; the default would then refuse every write.
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }
        # JSON is YAML: no quoting rules to get wrong.
        (configuration / "elasticsearch.yml").write_text(json.dumps(settings, indent=2))
        self._pid_file.unlink(missing_ok=True)
        self._folder("tmp")
        give_to_unprivileged([self.folders.data(self.name)])

    def start(self) -> None:
        """Start the server with its own Java, configuration and temporary folder."""
        self.environment |= {
            "ES_PATH_CONF": str(self.folders.data(self.name) / "config"),
            "ES_TMPDIR": str(self.folders.data(self.name) / "tmp"),
            # The first of Java's two compilers alone: on a small machine the second one takes more than it gives back.
            "ES_JAVA_OPTS": f"-Xms{_HEAP} -Xmx{_HEAP} -XX:TieredStopAtLevel=1",
        }
        super().start()

    def command(self) -> Sequence[str]:
        """Elasticsearch's own start script."""
        if self._home is None or self._java is None:
            raise PartFailedError("elasticsearch was not prepared")
        env = ["env", f"ES_JAVA_HOME={self._java.home}", "HOME=" + str(self.folders.data(self.name))]
        return as_unprivileged([*env, str(self._home / "bin" / "elasticsearch"), "-p", str(self._pid_file)])

    def is_ready(self) -> bool:
        """Whether its cluster takes reads and writes (`GET /` is not in this distribution)."""
        try:
            with urlopen(f"{self.url}/_cluster/health?timeout=1s", timeout=3) as answer:  # noqa: S310 - our own loopback URL
                return json.load(answer)["status"] in {"green", "yellow"}
        except (URLError, OSError, ValueError, KeyError):
            return False

    @property
    def _pid_file(self) -> Path:
        return self.folders.data(self.name) / "elasticsearch.pid"

    def _folder(self, name: str) -> Path:
        folder = self.folders.data(self.name) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

"""Fetches ElasticMQ and what it needs through Maven."""

import shutil
from pathlib import Path

from tests.e2e.cluster import versions
from tests.e2e.cluster.shell import ClusterError, run
from tests.e2e.cluster.store import Artefact, ensure

_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>elasticmq</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""
ELASTICMQ = Artefact("elasticmq", versions.ELASTICMQ)


def elasticmq_jars() -> Path:
    """The folder of ElasticMQ's jars, fetched if it is not there. Raises ClusterError if Maven is missing or fails."""
    return ensure(ELASTICMQ, _fetch)


def _fetch(target: Path, scratch: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ClusterError("Maven (mvn) is needed to fetch ElasticMQ: install it, for example `apt-get install maven`")
    (scratch / "pom.xml").write_text(_PROJECT.format(version=versions.ELASTICMQ))
    command = [maven, "-B", "-q", _GOAL, f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    run(command, cwd=scratch, log=ELASTICMQ.log, timeout_seconds=900)

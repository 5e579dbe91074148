"""An image's tag follows from what goes into it; a stand-in's key follows from its folder and what it is built on."""

from pathlib import Path

import pytest
from tests.e2e.cluster import apps, catalog, standins
from tests.e2e.cluster.network import configuration
from tests.e2e.cluster.paths import HERE
from tests.e2e.cluster.shell import ClusterError

DOCKERFILE = """FROM python:3.13-slim-trixie AS builder
COPY lock.txt pyproject.toml \\
     requirements/
COPY src src
FROM python:3.13-slim-trixie
COPY --from=builder /app /app
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository with one Dockerfile."""
    root = tmp_path / "repository"
    (root / "src" / "tests").mkdir(parents=True)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / ".dockerignore").write_text("**/tests\n")
    for name in ("lock.txt", "pyproject.toml", "README.md", "src/main.py", "src/tests/test_main.py"):
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "lock.txt", "pyproject.toml", "src/main.py"])
def test_what_goes_into_an_image_changes_its_tag(repository: Path, name: str) -> None:
    before = apps.content_hash(repository, "Dockerfile")
    path = repository / name
    path.write_text(path.read_text() + "\n# changed\n")
    assert apps.content_hash(repository, "Dockerfile") != before


@pytest.mark.parametrize("name", ["README.md", "src/tests/test_main.py", "src/__pycache__/main.pyc"])
def test_what_stays_out_of_an_image_leaves_its_tag(repository: Path, name: str) -> None:
    before = apps.content_hash(repository, "Dockerfile")
    path = repository / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed")
    assert apps.content_hash(repository, "Dockerfile") == before


def test_a_new_file_a_new_name_and_the_executable_bit_change_the_tag(repository: Path) -> None:
    tags = [apps.content_hash(repository, "Dockerfile")]
    (repository / "src" / "new.py").write_text("new")
    tags.append(apps.content_hash(repository, "Dockerfile"))
    (repository / "src" / "new.py").rename(repository / "src" / "newer.py")
    tags.append(apps.content_hash(repository, "Dockerfile"))
    (repository / "src" / "newer.py").chmod(0o755)
    tags.append(apps.content_hash(repository, "Dockerfile"))
    assert len(set(tags)) == 4


def test_a_copied_path_that_is_not_there_is_an_error(repository: Path) -> None:
    (repository / "lock.txt").unlink()
    with pytest.raises(ClusterError, match=r"lock\.txt, which is not there"):
        apps.content_hash(repository, "Dockerfile")


def test_every_image_of_the_cluster_has_a_stand_in() -> None:
    for tag in (*catalog.BACKING, *catalog.PLATFORM, *catalog.MONITORING, *catalog.GITOPS):
        image = standins.stand_in(tag)
        assert (HERE / "standins" / image.folder / "Dockerfile").is_file()


def test_every_image_that_a_manifest_names_is_one_that_the_nodes_have() -> None:
    known = {*catalog.BACKING, *catalog.PLATFORM, *catalog.MONITORING, *catalog.GITOPS}
    for manifest in (HERE / "manifests").rglob("*.yaml"):
        named = {line.split("image:")[1].strip() for line in manifest.read_text().splitlines() if " image:" in line}
        assert named <= known, manifest.name


def test_a_change_of_the_base_changes_the_key_of_what_is_built_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    image = standins.stand_in(catalog.BACKING[2])
    before = image.key
    monkeypatch.setattr("tests.e2e.cluster.debian.key", lambda suite: f"another {suite}")
    assert image.key != before


def test_a_nodes_network_hands_out_its_own_range() -> None:
    assert '"subnet": "10.244.1.0/24"' in configuration("10.244.1.0/24")

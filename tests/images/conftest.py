"""The images, built once for all tests; `make test-images` runs this folder, `make test` does not."""

from collections.abc import Mapping

import pytest

from tests.images.needed import ensure_app_images

_MEMBERS = {
    "taskhub-api": {"taskhub-api", "taskhub-core"},
    "taskhub-worker": {"taskhub-worker", "taskhub-core"},
    "taskhub-sqs-consumer": {"taskhub-sqs-consumer", "taskhub-core"},
    "taskhub-sink": {"taskhub-local"},
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "images: needs a Docker engine and the images")


@pytest.fixture(scope="session")
def tags() -> Mapping[str, str]:
    """Every image's name and its tag in the engine."""
    return ensure_app_images()


@pytest.fixture(params=sorted(_MEMBERS))
def name(request: pytest.FixtureRequest) -> str:
    """Each image's name."""
    return str(request.param)


@pytest.fixture
def tag(tags: Mapping[str, str], name: str) -> str:
    """Its tag."""
    return tags[name]


@pytest.fixture
def members(name: str) -> set[str]:
    """The packages of this repository that it holds."""
    return _MEMBERS[name]

"""Gets what the containers of compose.yaml and the tests of the images need, without what only a cluster needs."""

from collections.abc import Iterable, Sequence

from tests.e2e.cluster import apps, catalog, engine, images
from tests.e2e.cluster.steps import Step, run_steps
from tests.e2e.cluster.store import locked


def ensure_app_images() -> dict[str, str]:
    """Build the applications' images; return each one's tag by its name."""
    _ensure((catalog.PYTHON,))
    return apps.ensure()


def ensure_backing_images() -> None:
    """Get or build the images of the backing services."""
    _ensure(catalog.BACKING)


def _ensure(names: Iterable[str]) -> None:
    engine.ensure_engine()
    steps = _needed(images.pulled() if images.registries_answer() else images.built(), names)
    # Whoever makes a cluster holds the lock for long, and may have made all of this long ago.
    if not all(step.is_done() for step in steps):
        with locked("images"):
            run_steps(steps)


def _needed(steps: Sequence[Step], names: Iterable[str]) -> list[Step]:
    """The steps of these names and those that they need, in the order of the list."""
    by_name = {step.name: step for step in steps}
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted and name in by_name:
            wanted.add(name)
            waiting += by_name[name].needs
    return [step for step in steps if step.name in wanted]

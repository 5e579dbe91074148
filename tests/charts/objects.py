"""The objects that each chart makes with each values file, as objects.yaml has them; run it to write that file anew."""

from pathlib import Path

import yaml

from tests.charts.rendering import Rendering, manifests, render, renderings

FILE = Path(__file__).with_name("objects.yaml")
_HEAD = "# Written by `python -m tests.charts.objects`. What comes or goes here must be meant.\n"


def names(rendering: Rendering) -> list[str]:
    """Kind and name of each object, sorted."""
    return sorted(f"{each['kind']} {each['metadata']['name']}" for each in manifests(render(rendering)))


if __name__ == "__main__":
    known = {str(rendering): names(rendering) for rendering in renderings()}
    FILE.write_text(_HEAD + yaml.safe_dump(known, sort_keys=True, width=120))

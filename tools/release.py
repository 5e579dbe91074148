"""What a release is made of, and whether everything in it says the version that its tag says.

`python3 tools/release.py v1.2.3` prints version, images and charts as outputs for GitHub Actions. If something says
another version, it names that and exits with 1. Needs nothing but Python, as it runs before anything is installed.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

_TAG = re.compile(r"v(\d+\.\d+\.\d+)")
_CHART_VERSION = re.compile(r'^ *(?:version|appVersion): "?([^"\s]+)"?$', re.MULTILINE)
_IMAGE_VERSION = re.compile(r"^ARG VERSION=(\S+)$", re.MULTILINE)
_ENTRY = re.compile(r"^## \[(\d[^\]]*)\]", re.MULTILINE)


def images(root: Path = ROOT) -> list[str]:
    """The images: each folder of apps/ with a Dockerfile. Their names in a registry begin with `taskhub-`."""
    return sorted(path.parent.name for path in root.glob("apps/*/Dockerfile"))


def charts(root: Path = ROOT) -> list[str]:
    """The charts that run outside kind: those with values for another place to test them with (charts/*/ci).

    A library has no such values, as it makes no objects of its own.
    """
    values = [path for path in root.glob("charts/*/ci/*-values.yaml") if path.name != "kind-values.yaml"]
    return sorted({path.parents[1].name for path in values})


def versions(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Each file that says the release's version, and what it says; a chart says it several times."""
    for path in sorted(
        [root / "pyproject.toml", *root.glob("apps/*/pyproject.toml"), *root.glob("libs/*/pyproject.toml")]
    ):
        yield str(path.relative_to(root)), tomllib.loads(path.read_text())["project"]["version"]
    for pattern, version in (("charts/*/Chart.yaml", _CHART_VERSION), ("apps/*/Dockerfile", _IMAGE_VERSION)):
        for path in sorted(root.glob(pattern)):
            found = version.findall(path.read_text()) or ["none"]
            yield from ((str(path.relative_to(root)), each) for each in found)
    entry = _ENTRY.search((root / "CHANGELOG.md").read_text())
    yield "CHANGELOG.md", entry.group(1) if entry else "none"


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """What speaks against a release with this tag, in sentences; nothing if all is well."""
    match = _TAG.fullmatch(tag)
    if match is None:
        return [f"{tag} is no release's tag: those look like v1.2.3"]
    wanted = match.group(1)
    return [
        f"{path} says {version}, the tag says {wanted}"
        for path, version in dict.fromkeys(versions(root))
        if version != wanted
    ]


def main(tag: str) -> int:
    """Print the outputs; exit with 1 if the tag does not fit."""
    found = problems(tag)
    for problem in found:
        sys.stderr.write(f"release: {problem}\n")
    if found:
        return 1
    outputs = {"version": tag.removeprefix("v"), "images": json.dumps(images()), "charts": json.dumps(charts())}
    sys.stdout.writelines(f"{name}={value}\n" for name, value in outputs.items())
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 tools/release.py TAG")
    sys.exit(main(sys.argv[1]))

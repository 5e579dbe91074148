"""Writes the dashboards' JSON, or checks that the committed one is what the source makes."""

import argparse
import sys

from observability.dashboards.listing import as_json, dashboards
from observability.dashboards.reading import FOLDER


def main() -> int:
    """`write` replaces json/; `check` says which files differ."""
    parser = argparse.ArgumentParser(prog="python -m observability.dashboards", description=__doc__)
    parser.add_argument("action", choices=["write", "check"])
    action = parser.parse_args().action
    wanted = {f"{name}.json": as_json(dashboard) for name, dashboard in dashboards().items()}
    if action == "write":
        FOLDER.mkdir(exist_ok=True)
        for path in FOLDER.glob("*.json"):
            path.unlink()
        for name, text in wanted.items():
            (FOLDER / name).write_text(text)
        return 0
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    wrong = sorted(name for name in wanted.keys() | committed.keys() if wanted.get(name) != committed.get(name))
    if wrong:
        sys.stderr.write(f"{', '.join(wrong)}: not what the source makes; python -m observability.dashboards write\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tools.matrix check` proves failure-modes.yaml and the page made from it; `write` makes page and schema."""

import argparse
import json
import sys
from collections import Counter

from pydantic import ValidationError
from tools.matrix.check import planned, problems
from tools.matrix.model import FILE, ROOT, Matrix, load
from tools.matrix.page import render
from tools.matrix.world import look

PAGE = ROOT / "docs" / "failure-modes.md"
SCHEMA = ROOT / "tools" / "matrix" / "failure-modes.schema.json"


def main() -> int:
    """Exit with 1, and a line for each problem, unless all is well."""
    parser = argparse.ArgumentParser(prog="python -m tools.matrix", description=__doc__)
    parser.add_argument("action", choices=["check", "write"])
    parser.add_argument("--verbose", action="store_true", help="show each planned proof with its reason")
    arguments = parser.parse_args()
    try:
        matrix = load()
    except ValidationError as error:
        sys.stderr.write(f"{FILE.name}: {error}\n")
        return 1
    world = look(ROOT)
    paging = {name for name, rule in world.alerts.items() if rule["labels"]["severity"] == "page"}
    made = {PAGE: render(matrix, paging), SCHEMA: json.dumps(Matrix.model_json_schema(), indent=2) + "\n"}
    if arguments.action == "write":
        for path, text in made.items():
            path.write_text(text)
    found = list(problems(matrix, world))
    found += [
        f"{path.relative_to(ROOT)} is not what failure-modes.yaml makes: python -m tools.matrix write"
        for path, text in made.items()
        if not path.exists() or path.read_text() != text
    ]
    for problem in found:
        sys.stderr.write(f"{FILE.name}: {problem}\n")
    _tell(matrix, verbose=arguments.verbose)
    return 1 if found else 0


def _tell(matrix: Matrix, *, verbose: bool) -> None:
    waiting = list(planned(matrix))
    counts = ", ".join(f"{count} {cell}" for cell, count in Counter(cell for _, cell, _ in waiting).items())
    sys.stdout.write(
        f"failure matrix: {len(matrix.rows)} rows in {len(matrix.modes)} modes keep {len(matrix.seed)} lines; "
        f"{len(waiting)} proofs planned{f' ({counts})' if counts else ''}\n"
    )
    if verbose:
        for row, cell, reason in waiting:
            sys.stdout.write(f"  {row}: {cell}: {reason}\n")


if __name__ == "__main__":
    raise SystemExit(main())

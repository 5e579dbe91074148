"""`make promote FROM=staging TO=prod`: changes one version file, and shows what that changes in the rendered manifests.

The difference goes to standard output, all else to standard error. Nothing is committed, and no cluster is asked.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.e2e.cluster.shell import ClusterError
from tools.promote.errors import PromotionError
from tools.promote.promotion import changes, prepare

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Exit with 1, and a sentence on why, if nothing was promoted because of an error."""
    parser = argparse.ArgumentParser(prog="make promote", description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    parser.add_argument("--root", type=Path, default=ROOT, help="the clone to work in")
    arguments = parser.parse_args()
    try:
        return _promote(arguments.root, arguments.source, arguments.target)
    except (PromotionError, ClusterError) as error:
        sys.stderr.write(f"promote: {error}\n")
        return 1


def _promote(root: Path, source: str, target: str) -> int:
    promotion = prepare(root, source, target)
    if promotion.before == promotion.after:
        sys.stderr.write(f"{target} runs {promotion.after.revision} already, as {source} does: nothing to promote\n")
        return 0
    lines = changes(promotion)
    promotion.write()
    _show(lines)
    sys.stderr.write(
        f"\n{target}: {promotion.before.revision} -> {promotion.after.revision}. Changed: {promotion.path}\n"
        f"Read the difference above, then: git commit -m 'Promote {promotion.after.revision} to {target}' "
        f"{promotion.path}\n"
    )
    return 0


def _show(lines: list[str]) -> None:
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:  # a pager that was left early; at its end Python would try to write the rest again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())

"""The command line that both programs share: run, `--version`, and `settings`, which lists every setting."""

import argparse
import sys
from importlib.metadata import version

from taskhub_core.settings import CoreSettings
from taskhub_core.settings_listing import listing

VERSION = version("taskhub-worker")


def parse(program: str, meaning: str, settings: type[CoreSettings]) -> None:
    """Returns when the program is to run; answers `--version` and `settings` itself, and exits."""
    parser = argparse.ArgumentParser(prog=program, description=meaning)
    parser.add_argument("--version", action="version", version=f"{program} {VERSION}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "settings"],
        default="run",
        help="run (the default), or settings: list every setting with its type, default and meaning",
    )
    if parser.parse_args().command == "settings":
        sys.stdout.write(listing(settings) + "\n")
        sys.exit(0)

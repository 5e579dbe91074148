"""What is generated from the charts' values is up to date."""

import subprocess

from tests.charts.rendering import ROOT


def test_schemas_and_readmes_are_what_follows_from_the_values() -> None:
    check = subprocess.run([ROOT / "tools/chart-docs.sh", "--check"], capture_output=True, text=True, timeout=110)
    assert check.returncode == 0, check.stderr

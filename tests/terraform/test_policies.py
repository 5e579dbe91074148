"""No setting that is known to be unsafe is in the Terraform sources."""

from pathlib import Path

import pytest

from tests.terraform.conftest import SOURCES
from tests.terraform.policies import findings

pytestmark = pytest.mark.timeout(900)


def test_the_sources_have_no_setting_that_is_known_to_be_unsafe() -> None:
    assert not findings(SOURCES)


def test_an_unsafe_setting_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_db_instance" "this" {\n  publicly_accessible = true\n}\n')
    assert "publicly accessible" in findings(tmp_path)

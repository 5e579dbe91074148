"""These tests need Helm, kubeconform and Lua, which are built with Go."""

from pathlib import Path

import pytest

from tests.charts.without_go import skip_without_go


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_go(items, Path(__file__).parent, tools="Helm, kubeconform and Lua")

"""`taskhub settings`: every setting of every process as Markdown, read from the settings classes themselves."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import taskhub_api
import taskhub_core
import taskhub_sqs_consumer
import taskhub_worker

_PACKAGES = (taskhub_core, taskhub_api, taskhub_worker, taskhub_sqs_consumer)


def settings_markdown() -> str:
    """Return one table for each settings class that adds fields of its own."""
    sections = ["# Settings", "Every process reads its settings from the environment. Units are in the names."]
    for settings in sorted(set(_settings_classes()), key=lambda cls: (cls.__module__, cls.__qualname__)):
        fields = {name: info for name, info in settings.model_fields.items() if name in settings.__annotations__}
        if fields:
            sections.append(_section(settings, fields))
    return "\n\n".join(sections) + "\n"


def _settings_classes() -> Iterator[type[BaseSettings]]:
    for package in _PACKAGES:
        for module in _settings_modules(package):
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module.__name__:
                    yield value


def _settings_modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if info.name.rpartition(".")[2] == "settings":
            yield importlib.import_module(info.name)


def _section(settings: type[BaseSettings], fields: dict[str, FieldInfo]) -> str:
    prefix = settings.model_config.get("env_prefix", "")
    summary = (settings.__doc__ or "").strip().splitlines()[0]
    rows = [
        f"| `{(prefix + name).upper()}` | {_default(info)} | {_cell(info.description or '')} |"
        for name, info in fields.items()
    ]
    table = "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])
    return f"## {settings.__module__}: {settings.__name__}\n\n{summary}\n\n{table}"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=False)
    if value is PydanticUndefined:
        return "computed"
    if value is None:
        return "none"
    return "secret" if isinstance(value, SecretStr) else f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

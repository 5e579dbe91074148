"""Lists every setting of a settings class, by its name in the environment: what each app's `settings` prints."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AnyUrl, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from taskhub_core.settings import CoreSettings


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting, as people read it."""

    variable: str
    type: str
    default: str
    description: str


def describe(settings: type[CoreSettings]) -> Iterator[SettingLine]:
    """Every field of the class, in the order of its definition."""
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        yield SettingLine(
            f"{prefix}{name}".upper(), _type_name(field.annotation), _default(field), field.description or ""
        )


def listing(settings: type[CoreSettings], *, width: int = 100) -> str:
    """The settings as text: one paragraph each."""
    paragraphs = []
    for line in describe(settings):
        meaning = textwrap.fill(line.description, width, initial_indent="    ", subsequent_indent="    ")
        paragraphs.append(f"{line.variable}  ({line.type}; {line.default})\n{meaning}")
    return "\n\n".join(paragraphs)


def _type_name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin is Literal:
        return " or ".join(repr(value) for value in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(_type_name(part) for part in get_args(annotation) if part is not NoneType)
    if origin is not None:
        inner = ", ".join(_type_name(part) for part in get_args(annotation) if part is not Ellipsis)
        return f"{origin.__name__} of {inner}"
    name: str = annotation.__name__
    return {AnyUrl: "URL", SecretStr: "secret", str: "text"}.get(annotation, name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default is PydanticUndefined:
        return "default: computed"
    if isinstance(field.default, SecretStr):
        return "default: set, not shown"
    return "default: none" if field.default is None else f"default: {field.default}"

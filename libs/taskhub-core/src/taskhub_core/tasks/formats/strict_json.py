"""JSON objects from untrusted files: repeated keys, NaN, deep nesting and huge numbers are refused with a reason."""

import json
from typing import Never

from taskhub_core.errors import InvalidInput

type JsonObject = dict[str, object]


def read_object(text: str) -> JsonObject:
    """Return the object that the text is. Raises InvalidInput for everything else."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not valid JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise InvalidInput("the JSON is nested too deeply") from error
    except ValueError as error:  # an integer longer than Python converts
        raise InvalidInput("a number in the JSON has too many digits") from error
    if not isinstance(value, dict):
        raise InvalidInput("the JSON is not an object")
    return value


def text_field(source: JsonObject, key: str) -> str:
    """Return the string under the key, empty when missing or null. Raises InvalidInput for another type."""
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"{key} must be a string", field=key)
    return value


def scalar_field(source: JsonObject, key: str) -> str:
    """Return the string or integer under the key as text, empty when missing or null. Raises InvalidInput."""
    value = source.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_field(source, key)


def list_field(source: JsonObject, key: str) -> list[object]:
    """Return the list under the key, empty when missing or null. Raises InvalidInput for another type."""
    value = source.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput(f"{key} must be a list", field=key)
    return value


def strings_field(source: JsonObject, key: str) -> list[str]:
    """Return the list of strings under the key, empty when missing or null. Raises InvalidInput for other types."""
    strings = [value for value in list_field(source, key) if isinstance(value, str)]
    if len(strings) != len(list_field(source, key)):
        raise InvalidInput(f"{key} must contain strings only", field=key)
    return strings


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        first_places = {key: place for place, (key, _) in reversed(list(enumerate(pairs)))}
        repeated = next(key for place, (key, _) in enumerate(pairs) if first_places[key] != place)
        raise InvalidInput(f"the key {repeated[:40]!a} appears twice in one object")
    return result


def _constant(name: str) -> Never:
    raise InvalidInput(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)

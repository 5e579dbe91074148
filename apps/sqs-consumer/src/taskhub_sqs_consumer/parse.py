"""From a message to an event and what it changes in the index, or to the reason why it is none."""

from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from taskhub_core.events.queue import Message
from taskhub_core.events.schema import SCHEMA_VERSION, Event
from taskhub_core.search.document import Document, from_event


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that holds an event."""

    message: Message
    event: Event
    document: Document | None
    """What it changes in the index, if it is about a task."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that nothing can be done with: it goes to the DLQ."""

    message: Message
    reason: str
    """For the metric: malformed, unknown_version, invalid or index_refused."""
    detail: str
    """For the operator. Says which field is wrong, never what the message holds."""


def parse(message: Message) -> Arrival | Rejection:
    """Reads a message. Never raises, whatever is in it."""
    try:
        content = orjson.loads(message.body)
    except orjson.JSONDecodeError as error:
        return Rejection(message, "malformed", f"not JSON: {error}")
    if not isinstance(content, dict):
        return Rejection(message, "malformed", "not a JSON object")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        detail = f"schema_version is {version!r:.50}; this consumer reads {SCHEMA_VERSION}"
        return Rejection(message, "unknown_version", detail)
    try:
        event = Event.model_validate(content)
        return Arrival(message, event, from_event(event))
    except ValidationError as error:
        return Rejection(message, "invalid", _wrong_fields(error))


def _wrong_fields(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['type']}" for problem in problems)[:1_000]

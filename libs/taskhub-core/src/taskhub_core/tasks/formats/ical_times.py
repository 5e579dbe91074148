"""Times of iCalendar (RFC 5545) as UTC: dates, floating times, time zones by name, durations."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar.prop import vDuration
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from taskhub_core.errors import InvalidInput
from taskhub_core.tasks.formats.ical_lines import Property

_TIME = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")
_read_duration: Callable[[str], timedelta] = vDuration.from_ical


def read_ical_time(source: Property) -> datetime:
    """Return the moment of a DATE or DATE-TIME in UTC. Raises InvalidInput.

    A date is its midnight in UTC. A floating time, which has no zone, is taken as UTC: a server knows no better.
    """
    match = _TIME.fullmatch(source.value.strip())
    if match is None:
        raise InvalidInput(f"{source.name} {source.value[:40]!a} is not an iCalendar date or time")
    date, time, in_utc = match.groups()
    zone = UTC if in_utc or not time else _zone(source)
    try:
        return datetime.fromisoformat(f"{date}T{time or '000000'}").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{source.name} {source.value[:40]!a} is not a possible date or time") from error


def read_duration(source: Property) -> timedelta:
    """Return the length of time of a DURATION. Raises InvalidInput."""
    try:
        return _read_duration(source.value.strip())
    except ValueError as error:
        raise InvalidInput(f"{source.name} {source.value[:40]!a} is not an iCalendar duration") from error


def _zone(source: Property) -> tzinfo:
    """Return the zone of TZID, which may be an IANA name, a Windows name, or an IANA name after a vendor's path."""
    name = source.parameters.get("TZID", "").strip().strip("/")
    if not name:
        return UTC
    parts = name.split("/")[-3:]
    for candidate in (WINDOWS_TO_OLSON.get(name, name), *("/".join(parts[place:]) for place in range(len(parts)))):
        if candidate in _zone_names():
            return ZoneInfo(candidate)
    raise InvalidInput(
        f"{source.name} is in the unknown time zone {name[:60]!a}; use an IANA name such as Europe/Berlin"
    )


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())

"""Types of fields that several requests share."""

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _only_rfc_3339(value: Any) -> Any:
    # Pydantic alone would take 5 and "5" for seconds since 1970.
    if value is not None and not (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        raise ValueError("is not a time as in RFC 3339, such as 2026-01-05T09:30:00Z")
    return value


Timestamp = Annotated[AwareDatetime, BeforeValidator(_only_rfc_3339)]
"""A time with its zone, as in RFC 3339."""

"""Every dashboard by name, and its JSON."""

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards import (
    api,
    ingress,
    jobs,
    kubernetes,
    overview,
    postgresql,
    redis,
    search,
    sqs,
    watching,
)


def dashboards() -> dict[str, Dashboard]:
    """In the order in which a reader meets them."""
    return {
        "overview": overview.build(),
        "api": api.build(),
        "jobs": jobs.build(),
        "sqs": sqs.build(),
        "postgresql": postgresql.build(),
        "redis": redis.build(),
        "search": search.build(),
        "ingress": ingress.build(),
        "kubernetes": kubernetes.build(),
        "observability": watching.build(),
    }


def as_json(dashboard: Dashboard) -> str:
    """The text of the file that Grafana is provisioned with."""
    document = json.loads(json.dumps(dashboard, cls=JSONEncoder), object_hook=_in_sight)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _in_sight(part: dict[str, Any]) -> dict[str, Any]:
    # The SDK moves every link and mark into a menu; they belong where they are seen.
    if part.get("placement") == "inControlsMenu":
        del part["placement"]
    return part

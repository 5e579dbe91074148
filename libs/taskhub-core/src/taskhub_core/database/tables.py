"""Importing this module registers every feature's tables on the metadata (for migrations and checks)."""

from taskhub_core.accounts import models as accounts
from taskhub_core.database import idempotency
from taskhub_core.database.schema import metadata
from taskhub_core.events import models as events
from taskhub_core.files import models as files
from taskhub_core.jobs import models as jobs
from taskhub_core.search import models as search
from taskhub_core.tasks import models as tasks
from taskhub_core.webhooks import models as webhooks

__all__ = ["accounts", "events", "files", "idempotency", "jobs", "metadata", "search", "tasks", "webhooks"]

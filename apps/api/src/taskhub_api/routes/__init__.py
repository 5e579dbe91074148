"""The routes of the API, one module a feature, with its request and response models."""

from taskhub_api.routes import (
    accounts,
    events,
    files,
    health,
    job_kinds,
    job_progress,
    jobs,
    operator_dlq,
    operator_index,
    operator_jobs,
    problem_types,
    search,
    status,
    tasks,
    tokens,
    webhooks,
)

# In the order of use: a request is matched against one route after another.
ROUTERS = (
    tasks.router,
    jobs.router,
    search.router,
    health.router,
    tokens.router,
    accounts.router,
    job_progress.router,
    files.router,
    events.router,
    job_kinds.router,
    problem_types.router,
    webhooks.router,
    status.router,
    operator_jobs.router,
    operator_dlq.router,
    operator_index.router,
)

SHORTCUTS = (*tasks.SHORTCUTS, *jobs.SHORTCUTS)
"""Operations that most requests are: they do not pass through the router (shortcuts.py)."""

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

ROUTERS = (
    health.router,
    problem_types.router,
    accounts.router,
    tokens.router,
    tasks.router,
    job_kinds.router,
    jobs.router,
    job_progress.router,
    files.router,
    search.router,
    events.router,
    webhooks.router,
    status.router,
    operator_jobs.router,
    operator_dlq.router,
    operator_index.router,
)

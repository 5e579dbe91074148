"""The routes of the API, one module a feature, with its request and response models."""

from taskhub_api.routes import accounts, health, job_kinds, job_progress, jobs, problem_types, tasks, tokens

ROUTERS = (
    health.router,
    problem_types.router,
    accounts.router,
    tokens.router,
    tasks.router,
    job_kinds.router,
    jobs.router,
    job_progress.router,
)

"""The routes of the API, one module a feature, with its request and response models."""

from taskhub_api.routes import health, problem_types, tasks

ROUTERS = (health.router, problem_types.router, tasks.router)

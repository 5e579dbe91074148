"""The pytest plugin that gives every package's tests real servers: PostgreSQL, Redis, SQS, Elasticsearch, SMTP.

Loaded by the root conftest.py. Servers start when the first test asks for them, are shared by all xdist workers, and
end with the run. Each worker has its own database, Redis logical database and queues.
"""

from taskhub_local.testing.fixtures import (
    clean_database,
    clean_queues,
    clean_redis,
    database_url,
    elasticsearch_url,
    own_postgres,
    own_redis,
    own_sqs,
    postgres_server,
    redis_server,
    redis_url,
    search_alias,
    shared_servers,
    smtp_server,
    smtp_sink,
    sqs_endpoint_url,
    sqs_queue_names,
    sqs_server,
    worker_name,
)
from taskhub_local.testing.hooks import pytest_configure, pytest_configure_node, pytest_unconfigure
from taskhub_local.testing.values import SmtpSink, SqsQueueNames
from taskhub_local.testing.waiting import wait_for, wait_for_async

__all__ = [
    "SmtpSink",
    "SqsQueueNames",
    "clean_database",
    "clean_queues",
    "clean_redis",
    "database_url",
    "elasticsearch_url",
    "own_postgres",
    "own_redis",
    "own_sqs",
    "postgres_server",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_unconfigure",
    "redis_server",
    "redis_url",
    "search_alias",
    "shared_servers",
    "smtp_server",
    "smtp_sink",
    "sqs_endpoint_url",
    "sqs_queue_names",
    "sqs_server",
    "wait_for",
    "wait_for_async",
    "worker_name",
]

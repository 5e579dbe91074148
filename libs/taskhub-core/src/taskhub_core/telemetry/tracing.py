"""OpenTelemetry tracing: off without an endpoint; while the endpoint is away spans are dropped and nothing waits."""

import logging
from typing import TYPE_CHECKING

from taskhub_core.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


def configure(settings: TelemetrySettings, *, service: str, version: str) -> "TracerProvider | None":
    """Starts exporting spans to the collector, if one is set. Call it after a fork: its thread does not survive one."""
    if settings.otel_endpoint is None:
        return None
    # Imported only now, because 150 modules would delay the start of every process that does not trace.
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {"service.name": service, "service.version": version, "deployment.environment.name": settings.environment}
    )
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{str(settings.otel_endpoint).rstrip('/')}/v1/traces", timeout=2)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=2_048, schedule_delay_millis=1_000, export_timeout_millis=2_000)
    )
    # The exporter would log a traceback for every batch while the collector is away.
    logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").setLevel(logging.CRITICAL)
    trace.set_tracer_provider(provider)
    return provider

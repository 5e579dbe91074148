"""The way in: Traefik, the probe from outside, and the certificates."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, UP_DOWN, Limits, Query, Row, graph, page, tile


def build() -> Dashboard:
    """Failure mode 7."""
    return page(
        "ingress",
        "Ingress and TLS",
        "Failure mode 7. What comes in, what the probe from outside sees, and until when the certificates hold.",
        [
            Row(
                "Seen from outside",
                [
                    tile(
                        "Probe",
                        "Whether the blackbox probe got an answer, over TLS, with a valid certificate.",
                        "none",
                        "min(probe_success)",
                        limits=AT_LEAST_ONE,
                        words=UP_DOWN,
                        width=6,
                    ),
                    tile(
                        "Certificate valid for",
                        "Until the first certificate that the probe sees runs out.",
                        "s",
                        "min(probe_ssl_earliest_cert_expiry) - time()",
                        limits=Limits(warn=1_814_400, bad=604_800),
                        width=6,
                    ),
                    tile(
                        "Probe takes",
                        "The whole probe: DNS, connection, TLS, answer.",
                        "s",
                        "max(probe_duration_seconds)",
                        limits=Limits(warn=1, bad=3),
                        width=6,
                    ),
                    tile(
                        "Targets of the ingress",
                        "API endpoints that are ready, as Kubernetes sees them. None: every request is a 503.",
                        "short",
                        'sum(kube_endpoint_address{ns,endpoint=~".*api",ready="true"})',
                        limits=Limits(warn=2, bad=1),
                        width=6,
                    ),
                    graph(
                        "Phases of the probe",
                        "resolve is DNS; connect and tls are the way in; processing is the API.",
                        "s",
                        Query("avg by (phase) (probe_http_duration_seconds)", "{{phase}}"),
                        stacked=True,
                        runbook="IngressDown",
                    ),
                    graph(
                        "Status that the probe sees",
                        "0: no answer at all.",
                        "short",
                        Query("max by (instance) (probe_http_status_code)", "{{instance}}"),
                        runbook="IngressNoTarget",
                    ),
                ],
            ),
            Row(
                "Traefik",
                [
                    graph(
                        "Requests by status",
                        "502 and 504 are Traefik's own: it found no server, or none that answered.",
                        "reqps",
                        Query("sum by (code) (rate(traefik_entrypoint_requests_total[$__rate_interval]))", "{{code}}"),
                        width=8,
                        stacked=True,
                        runbook="Ingress5xx",
                    ),
                    graph(
                        "99 % answered within",
                        "As Traefik sees it, the API's time included.",
                        "s",
                        Query(
                            "histogram_quantile(0.99, sum by (le, entrypoint) "
                            "(rate(traefik_entrypoint_request_duration_seconds_bucket[$__rate_interval])))",
                            "{{entrypoint}}",
                        ),
                        width=8,
                    ),
                    graph(
                        "Open connections",
                        "Connections that clients hold open, by entry point.",
                        "short",
                        Query("sum by (entrypoint) (traefik_open_connections)", "{{entrypoint}}"),
                        width=8,
                    ),
                    graph(
                        "Certificates that Traefik serves, by days left",
                        "The one that clients of each name get.",
                        "d",
                        Query("min by (cn) (traefik_tls_certs_not_after - time()) / 86400", "{{cn}}"),
                        width=12,
                        runbook="CertificateExpiring",
                    ),
                    graph(
                        "Reloads of the configuration",
                        "Each change of an ingress or a secret is one.",
                        "ops",
                        Query("sum(rate(traefik_config_reloads_total[$__rate_interval]))", "reloads"),
                        width=12,
                    ),
                ],
            ),
        ],
    )

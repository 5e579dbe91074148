{{/* What the two workloads of this chart are: `worker` runs the jobs, `dispatcher` hands them out. */}}

{{- define "worker.needs" -}}
{{ list "database" "broker" "search" "mail" | toJson }}
{{- end -}}

{{- define "worker.dispatcherNeeds" -}}
{{ list "database" "broker" "queue" | toJson }}
{{- end -}}

{{- define "worker.settings" -}}
{{ include "common.settings" (dict "root" . "needs" (list "database" "queue" "search" "mail")) }}
{{- with .Values.timeouts }}
TASKHUB_LEASE_SECONDS: {{ include "common.scalar" .leaseSeconds | quote }}
TASKHUB_LEASE_RENEW_SECONDS: {{ include "common.scalar" .leaseRenewSeconds | quote }}
TASKHUB_LEASE_MARGIN_SECONDS: {{ include "common.scalar" .leaseMarginSeconds | quote }}
TASKHUB_SHUTDOWN_GRACE_SECONDS: {{ include "common.scalar" .jobGraceSeconds | quote }}
TASKHUB_SOFT_SHUTDOWN_SECONDS: {{ include "common.scalar" .softShutdownSeconds | quote }}
TASKHUB_BROKER_VISIBILITY_TIMEOUT_SECONDS: {{ include "common.scalar" .brokerVisibilitySeconds | quote }}
{{- end }}
TASKHUB_WORKER_PROCESSES: {{ include "common.scalar" .Values.worker.processes | quote }}
TASKHUB_STAMP_DIR: /tmp/taskhub-worker
{{- end -}}

{{- define "worker.flows" -}}
{{- $both := list "worker" "dispatcher" -}}
{{- $worker := list "worker" -}}
{{- $test := list (dict "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" "test" "app.kubernetes.io/instance" .Release.Name))) -}}
{{- $flows := list
  (dict "from" "monitoring" "components" $both)
  (dict "from" "test" "components" $both "peers" $test "ports" (list 9100))
  (dict "to" "dns" "components" $both)
  (dict "to" "database" "components" $both)
  (dict "to" "broker" "components" $both)
  (dict "to" "queue" "components" (list "dispatcher"))
  (dict "to" "mail" "components" $worker)
  (dict "to" "webhooks" "components" $worker) -}}
{{- if .Values.search.url -}}
{{- $flows = append $flows (dict "to" "search" "components" $worker) -}}
{{- end -}}
{{- if .Values.telemetry.otelEndpoint -}}
{{- $flows = append $flows (dict "to" "telemetry" "components" $both) -}}
{{- end -}}
{{- toJson $flows -}}
{{- end -}}

{{/* The queue in PostgreSQL is the whole of it: what waits there, and what the broker was told of. */}}
{{- define "worker.triggers" -}}
{{- $keda := .Values.worker.keda -}}
{{- if eq $keda.source "postgresql" }}
- type: postgresql
  metadata:
    query: >-
      SELECT count(*) FROM jobs WHERE state = 'queued'
    targetQueryValue: {{ include "common.scalar" $keda.queueDepth | quote }}
  authenticationRef:
    name: {{ include "common.fullname" (dict "root" .) }}
- type: postgresql
  # The oldest job's age says nothing about how many pods would help: it is compared as it is, not shared out.
  metricType: Value
  metadata:
    query: >-
      SELECT COALESCE(EXTRACT(epoch FROM now() - min(run_at)), 0) FROM jobs WHERE state = 'queued'
    targetQueryValue: {{ include "common.scalar" $keda.queueAgeSeconds | quote }}
  authenticationRef:
    name: {{ include "common.fullname" (dict "root" .) }}
{{- else }}
- type: prometheus
  metadata:
    serverAddress: {{ $keda.prometheusAddress | quote }}
    query: sum(max by (place) (taskhub_jobs_waiting{namespace="{{ .Release.Namespace }}"}))
    threshold: {{ include "common.scalar" $keda.queueDepth | quote }}
    # No value is a failure to measure, not zero.
    ignoreNullValues: "false"
- type: prometheus
  metricType: Value
  metadata:
    serverAddress: {{ $keda.prometheusAddress | quote }}
    query: max(taskhub_jobs_oldest_age_seconds{namespace="{{ .Release.Namespace }}"})
    threshold: {{ include "common.scalar" $keda.queueAgeSeconds | quote }}
    ignoreNullValues: "false"
{{- end }}
{{- end -}}

{{- define "worker.authentication" -}}
{{- if eq .Values.worker.keda.source "postgresql" -}}
secretTargetRef:
  - parameter: connection
    name: {{ include "common.secretName" (dict "root" . "of" .Values.database) | quote }}
    key: {{ default .Values.database.urlKey .Values.database.directUrlKey }}
{{- end -}}
{{- end -}}

{{/* The dispatcher cannot scale: its work is a few statements, and two are there only so that one may fail. */}}
{{- define "worker.dispatcherValues" -}}
{{ merge (dict "autoscaling" (dict "enabled" false) "keda" (dict "enabled" false)) .Values.dispatcher | toJson }}
{{- end -}}

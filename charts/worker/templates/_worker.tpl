{{/* What the two workloads of this chart are: `worker` runs the jobs, `dispatcher` hands them out. */}}

{{- define "worker.needs" -}}
{{ list "database" "broker" "search" "mail" | toJson }}
{{- end -}}

{{- define "worker.dispatcherNeeds" -}}
{{ list "database" "broker" "queue" | toJson }}
{{- end -}}

{{- define "worker.settings" -}}
{{ include "common.settings" (dict "root" . "needs" (list "database" "broker" "queue" "search" "mail")) }}
{{- with .Values.timeouts }}
TASKHUB_LEASE_SECONDS: {{ include "common.scalar" .leaseSeconds | quote }}
TASKHUB_LEASE_RENEW_SECONDS: {{ include "common.scalar" .leaseRenewSeconds | quote }}
TASKHUB_LEASE_MARGIN_SECONDS: {{ include "common.scalar" .leaseMarginSeconds | quote }}
TASKHUB_SHUTDOWN_GRACE_SECONDS: {{ include "common.scalar" .jobGraceSeconds | quote }}
TASKHUB_SOFT_SHUTDOWN_SECONDS: {{ include "common.scalar" .softShutdownSeconds | quote }}
TASKHUB_BROKER_VISIBILITY_TIMEOUT_SECONDS: {{ include "common.scalar" .brokerVisibilitySeconds | quote }}
{{- end }}
TASKHUB_STAMP_DIR: /tmp/taskhub-worker
{{- end -}}

{{/* The groups of workers: one for all kinds, or for all that have no queue of their own, and one for each queue. */}}
{{- define "worker.groups" -}}
{{- $fullname := include "common.fullname" (dict "root" .) -}}
{{- $queue := default "taskhub-jobs" .Values.config.TASKHUB_JOB_QUEUE_NAME -}}
{{- $groups := list (dict "name" $fullname "component" "worker" "at" "worker." "queue" $queue "values" .Values.worker) -}}
{{- range $index, $own := .Values.queues -}}
{{- $values := mergeOverwrite (deepCopy $.Values.worker) (deepCopy (default dict $own.worker)) -}}
{{- $at := printf "queues[%d].worker." $index -}}
{{- $group := dict "name" (printf "%s-%s" $fullname $own.name) "component" (printf "worker-%s" $own.name) "at" $at -}}
{{- $more := dict "queue" (printf "%s-%s" $queue $own.name) "kinds" $own.kinds "values" $values -}}
{{- $groups = append $groups (merge $group $more) -}}
{{- end -}}
{{- toJson $groups -}}
{{- end -}}

{{/* The dispatcher's map of the kinds that have a queue of their own. */}}
{{- define "worker.queueOfKinds" -}}
{{- $map := dict -}}
{{- range $group := include "worker.groups" . | fromJsonArray -}}
{{- range $group.kinds -}}
{{- $_ := set $map . $group.queue -}}
{{- end -}}
{{- end -}}
{{- toJson $map -}}
{{- end -}}

{{- define "worker.components" -}}
{{- $components := list -}}
{{- range include "worker.groups" . | fromJsonArray -}}
{{- $components = append $components .component -}}
{{- end -}}
{{- toJson $components -}}
{{- end -}}

{{- define "worker.flows" -}}
{{- $worker := include "worker.components" . | fromJsonArray -}}
{{- $both := append $worker "dispatcher" -}}
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

{{/*
What KEDA looks at: what waits in PostgreSQL, whether the broker was told of it or not, and for how long. Takes `root`
and `group`.
*/}}
{{- define "worker.triggers" -}}
{{- $keda := .group.values.keda -}}
{{- if eq $keda.source "postgresql" }}
{{- $where := include "worker.whereQueued" . }}
- type: postgresql
  metadata:
    query: SELECT count(*) FROM jobs WHERE {{ $where }}
    targetQueryValue: {{ include "common.scalar" $keda.queueDepth | quote }}
  authenticationRef:
    name: {{ .group.name }}
- type: postgresql
  # The oldest job's age says nothing about how many pods would help: it is compared as it is, not shared out.
  metricType: Value
  metadata:
    query: SELECT COALESCE(EXTRACT(epoch FROM now() - min(run_at)), 0) FROM jobs WHERE {{ $where }}
    targetQueryValue: {{ include "common.scalar" $keda.queueAgeSeconds | quote }}
  authenticationRef:
    name: {{ .group.name }}
{{- else }}
- type: prometheus
  metadata:
    serverAddress: {{ $keda.prometheusAddress | quote }}
    query: sum(max by (place) (taskhub_jobs_waiting{namespace="{{ .root.Release.Namespace }}"}))
    threshold: {{ include "common.scalar" $keda.queueDepth | quote }}
    # No value is a failure to measure, not zero.
    ignoreNullValues: "false"
- type: prometheus
  metricType: Value
  metadata:
    serverAddress: {{ $keda.prometheusAddress | quote }}
    query: max(taskhub_jobs_oldest_age_seconds{namespace="{{ .root.Release.Namespace }}"})
    threshold: {{ include "common.scalar" $keda.queueAgeSeconds | quote }}
    ignoreNullValues: "false"
{{- end }}
{{- end -}}

{{- define "worker.whereQueued" -}}
{{- $kinds := .group.kinds -}}
{{- $others := include "worker.queueOfKinds" .root | fromJson | keys | sortAlpha -}}
state = 'queued'
{{- if $kinds }} AND kind IN ('{{ join "', '" $kinds }}')
{{- else if $others }} AND kind NOT IN ('{{ join "', '" $others }}')
{{- end -}}
{{- end -}}

{{- define "worker.authentication" -}}
{{- if eq .group.values.keda.source "postgresql" -}}
{{- $database := .root.Values.database -}}
secretTargetRef:
  - parameter: connection
    name: {{ include "common.secretName" (dict "root" .root "of" $database) | quote }}
    key: {{ default $database.urlKey $database.directUrlKey }}
{{- end -}}
{{- end -}}

{{/* The dispatcher cannot scale: its work is a few statements, and two are there only so that one may fail. */}}
{{- define "worker.dispatcherValues" -}}
{{ merge (dict "autoscaling" (dict "enabled" false) "keda" (dict "enabled" false)) .Values.dispatcher | toJson }}
{{- end -}}

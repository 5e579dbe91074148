{{/* What the API's workload is; everything else comes from the library. */}}

{{- define "api.needs" -}}
{{ list "database" "broker" "cache" "queue" "search" "auth" | toJson }}
{{- end -}}

{{- define "api.settings" -}}
{{ include "common.settings" (dict "root" . "needs" (include "api.needs" . | fromJsonArray)) }}
TASKHUB_API_PORT: "8000"
TASKHUB_DRAIN_SECONDS: {{ include "common.scalar" .Values.shutdown.drainSeconds | quote }}
{{- end -}}

{{- define "api.flows" -}}
{{- $api := list "api" -}}
{{- $test := list (dict "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" "test" "app.kubernetes.io/instance" .Release.Name))) -}}
{{- $flows := list
  (dict "from" "ingressController" "components" $api)
  (dict "from" "monitoring" "components" $api)
  (dict "from" "test" "components" $api "peers" $test "ports" (list 8000 9100))
  (dict "to" "dns" "components" $api)
  (dict "to" "database" "components" $api)
  (dict "to" "broker" "components" $api)
  (dict "to" "queue" "components" $api) -}}
{{- if .Values.search.url -}}
{{- $flows = append $flows (dict "to" "search" "components" $api) -}}
{{- end -}}
{{- if .Values.telemetry.otelEndpoint -}}
{{- $flows = append $flows (dict "to" "telemetry" "components" $api) -}}
{{- end -}}
{{- toJson $flows -}}
{{- end -}}

{{- define "api.triggers" -}}
{{- if .Values.keda.targetCPU }}
- type: cpu
  metricType: Utilization
  metadata:
    value: {{ include "common.scalar" .Values.keda.targetCPU | quote }}
{{- end }}
{{- with .Values.keda.prometheus }}
{{- if .serverAddress }}
- type: prometheus
  metadata:
    serverAddress: {{ .serverAddress }}
    query: sum(taskhub_http_requests_in_progress{namespace="{{ $.Release.Namespace }}"})
    threshold: {{ include "common.scalar" .requestsInProgress | quote }}
    # No value is a failure to measure, not zero.
    ignoreNullValues: "false"
{{- end }}
{{- end }}
{{- end -}}

{{- define "api.checks" -}}
{{- include "common.checkSecrets" (dict "root" . "needs" (include "api.needs" . | fromJsonArray)) -}}
{{- include "common.checkWorkload" (dict "root" . "at" "" "values" .Values) -}}
{{- with .Values.shutdown -}}
{{- if le (float64 .graceSeconds) (addf .preStopSeconds .drainSeconds) }}
shutdown.graceSeconds ({{ include "common.scalar" .graceSeconds }}) does not outlast preStopSeconds + drainSeconds ({{ addf .preStopSeconds .drainSeconds }}): requests in progress would be cut off. Raise it.
{{ end -}}
{{- end -}}
{{- $deadline := dig "TASKHUB_REQUEST_DEADLINE_SECONDS" 10 .Values.config | float64 -}}
{{- if le (float64 .Values.shutdown.drainSeconds) $deadline }}
shutdown.drainSeconds ({{ include "common.scalar" .Values.shutdown.drainSeconds }}) does not outlast a request, which may take {{ $deadline }} s (TASKHUB_REQUEST_DEADLINE_SECONDS): raise it.
{{ end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
ingress.enabled is true, but ingress.host is empty: name the host that clients use.
{{ end -}}
{{- if and .Values.ingress.enabled (eq .Values.ingress.tls.mode "secret") (not .Values.ingress.tls.secretName) }}
ingress.tls.secretName is empty, so that passwords and tokens would travel in clear: name the TLS Secret, or set ingress.tls.mode to controller if the ingress controller has the certificate.
{{ end -}}
{{- end -}}

{{/*
What Prometheus Operator scrapes: the pods directly, or through the metrics Service. Under Argo CD it comes in the last
wave, whatever wave commonAnnotations give the workload.
*/}}
{{- define "common.monitor" -}}
{{- $monitoring := .root.Values.monitoring -}}
{{- range $kind, $endpoints := dict "ServiceMonitor" "endpoints" "PodMonitor" "podMetricsEndpoints" -}}
{{- $monitor := get $monitoring (untitle $kind) -}}
{{- if $monitor.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: {{ $kind }}
metadata:
  {{- include "common.metadata" (merge (dict "annotations" (dict "argocd.argoproj.io/sync-wave" "0")) $) | nindent 2 }}
  {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  # Prometheus' label `job` is api, worker, dispatcher, ...: alerts go by it.
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "common.selectorLabels" $ | nindent 6 }}
  {{ $endpoints }}:
    - port: metrics
      path: /metrics
      interval: {{ $monitoring.interval }}
      scrapeTimeout: {{ $monitoring.scrapeTimeout }}
{{- end -}}
{{- end -}}
{{- end -}}

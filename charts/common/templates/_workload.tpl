{{/*
A workload: a Deployment and everything that belongs to it. Takes `root`, `name`, `component`, `values`, `command`,
`needs`, `settings`, and perhaps `httpPort`, `environment` and `triggers` (KEDA's, of this workload's own making).
*/}}
{{- define "common.workload" -}}
{{- $documents := list (include "common.deployment" .) (include "common.metricsService" .) -}}
{{- range list "common.podDisruptionBudget" "common.autoscaler" "common.scaledObject" "common.monitor" -}}
{{- $documents = append $documents (include . $) -}}
{{- end -}}
{{- join "\n---\n" (compact $documents) }}
{{ end -}}

{{- define "common.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  {{- if not (or .values.autoscaling.enabled .values.keda.enabled) }}
  replicas: {{ include "common.scalar" .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: {{ include "common.scalar" .values.rollout.progressDeadlineSeconds }}
  minReadySeconds: {{ include "common.scalar" .values.rollout.minReadySeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: {{ include "common.scalar" .values.rollout.maxSurge }}
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
  template:
    {{- include "common.podTemplate" . | nindent 4 }}
{{- end -}}

{{/* Names the pods one by one, for whoever reads /metrics; no traffic goes this way. */}}
{{- define "common.metricsService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- $context := dict "root" .root "component" .component "name" (printf "%s-metrics" .name) }}
  {{- include "common.metadata" $context | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "common.selectorLabels" . | nindent 4 }}
  ports:
    - name: metrics
      port: 9100
      targetPort: metrics
{{- end -}}

{{- define "common.podDisruptionBudget" -}}
{{- if .values.pdb.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  {{- if ne (toString .values.pdb.minAvailable) "" }}
  minAvailable: {{ include "common.scalar" .values.pdb.minAvailable }}
  {{- else }}
  maxUnavailable: {{ include "common.scalar" .values.pdb.maxUnavailable }}
  {{- end }}
  # A pod that is not well anyway does not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

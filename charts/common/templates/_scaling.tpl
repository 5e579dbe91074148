{{/* How many pods: a fixed number, the HPA by resources, or KEDA by what waits. */}}

{{- define "common.autoscaler" -}}
{{- $scaling := .values.autoscaling -}}
{{- if $scaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ include "common.scalar" $scaling.minReplicas }}
  maxReplicas: {{ include "common.scalar" $scaling.maxReplicas }}
  metrics:
    {{- range $resource, $target := dict "cpu" $scaling.targetCPU "memory" $scaling.targetMemory }}
    {{- if $target }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target:
          type: Utilization
          averageUtilization: {{ include "common.scalar" $target }}
    {{- end }}
    {{- end }}
    {{- with $scaling.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  behavior:
    {{- toYaml $scaling.behavior | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* `triggers` are YAML lines of the chart's own making; keda.triggers adds any others. */}}
{{- define "common.scaledObject" -}}
{{- $keda := .values.keda -}}
{{- if $keda.enabled -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "common.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    name: {{ .name }}
  minReplicaCount: {{ include "common.scalar" $keda.minReplicas }}
  maxReplicaCount: {{ include "common.scalar" $keda.maxReplicas }}
  pollingInterval: {{ include "common.scalar" $keda.pollingSeconds }}
  {{- if include "common.measuresOutside" . }}
  # A queue that cannot be read says nothing about its length: keep what is there, or what is known to be enough.
  fallback:
    failureThreshold: 3
    replicas: {{ include "common.scalar" $keda.fallbackReplicas }}
    behavior: currentReplicasIfHigher
  {{- end }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml $keda.behavior | nindent 8 }}
  triggers:
    {{- with trim (default "" .triggers) }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with $keda.triggers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- with .authentication }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  {{- include "common.metadata" $ | nindent 2 }}
spec:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* KEDA falls back only from triggers that ask somebody, which cpu and memory do not. */}}
{{- define "common.measuresOutside" -}}
{{- range concat (default "" .triggers | fromYamlArray) .values.keda.triggers -}}
{{- if not (has .type (list "cpu" "memory")) -}}
yes
{{- end -}}
{{- end -}}
{{- end -}}

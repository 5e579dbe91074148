{{/*
Names, labels and the image. Every template of this library takes a dict: `root` is the chart's own scope ($), and
those about one workload also take `name`, `component` and `values` (the part of the values that is about it).
*/}}

{{- define "common.chartName" -}}
{{- default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name if it says already which chart it is (`helm install api charts/api`), else both. */}}
{{- define "common.fullname" -}}
{{- $chart := include "common.chartName" . -}}
{{- $both := printf "%s-%s" .root.Release.Name $chart -}}
{{- $name := contains $chart .root.Release.Name | ternary .root.Release.Name $both -}}
{{- default $name .root.Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects a workload's pods. Immutable: never add to it. */}}
{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ default (include "common.chartName" .) .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "common.labels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/part-of: taskhub
app.kubernetes.io/version: {{ include "common.version" . | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "common.version" -}}
{{- default .root.Chart.AppVersion .root.Values.image.tag | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* By digest if there is one: a digest cannot be moved to other contents, as a tag can. */}}
{{- define "common.image" -}}
{{- $image := .root.Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ include "common.version" . }}
{{- end -}}
{{- end -}}

{{- define "common.metadata" -}}
name: {{ .name }}
labels:
  {{- include "common.labels" . | nindent 2 }}
{{- $annotations := merge (dict) (default dict .annotations) (default dict .root.Values.commonAnnotations) }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "common.serviceAccountName" -}}
{{- $account := .root.Values.serviceAccount -}}
{{- $account.create | ternary (default (include "common.fullname" .) $account.name) (default "default" $account.name) -}}
{{- end -}}

{{/* A number as YAML and people write it: Go would print 1209600 as 1.2096e+06. */}}
{{- define "common.scalar" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

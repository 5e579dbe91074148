{{/* Takes a dict: `root` is $, `name` the object's, `component` one of rules, alertmanager, dashboards. */}}
{{- define "observability.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  app.kubernetes.io/name: observability
  app.kubernetes.io/instance: {{ .root.Release.Name }}
  app.kubernetes.io/part-of: taskhub
  app.kubernetes.io/component: {{ .component }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The files of rules that apply here, as a JSON object: name to content, with this installation's links. */}}
{{- define "observability.rules" -}}
{{- $left := list -}}
{{- if not .Values.rules.kubeStateMetrics }}{{ $left = append $left "kube-state-metrics" }}{{ end -}}
{{- if not .Values.rules.logs }}{{ $left = append $left "logs" }}{{ end -}}
{{- if not .Values.rules.aws }}{{ $left = append $left "aws" }}{{ end -}}
{{- $files := dict -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yaml" -}}
{{- $name := trimSuffix ".yaml" (base $path) -}}
{{- if not (has $name $left) -}}
{{- $content := $.Files.Get $path | replace "https://taskhub.example.com/runbooks" $.Values.links.runbooks | replace "https://grafana.example.com" $.Values.links.grafana -}}
{{- $_ := set $files $name $content -}}
{{- end -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{/* Alertmanager's configuration, with this installation's receiver, and its topic for the dead-man's switch. */}}
{{- define "observability.alertmanager" -}}
{{- $config := required "files/alertmanager must lead to observability/alertmanager" (.Files.Get "files/alertmanager/alertmanager.yaml") -}}
{{- $config = replace "http://alert-receiver:8080" .Values.alertmanager.receiver $config -}}
{{- with .Values.alertmanager.heartbeat.topicArn -}}
{{- $switch := "  - name: dead-mans-switch\n" -}}
{{- if not (contains $switch $config) }}{{ fail "alertmanager.yaml has no receiver dead-mans-switch" }}{{ end -}}
{{- $region := index (splitList ":" .) 3 -}}
{{- $topic := printf "    sns_configs:\n      - topic_arn: %s\n        sigv4: {region: %s}\n        send_resolved: false\n" . $region -}}
{{- $config = replace $switch (print $switch $topic) $config -}}
{{- end -}}
{{- $config -}}
{{- end -}}

{{/*
Who may talk to whom. One policy denies everything, and one more for each flow allows it, named for it: what
`kubectl get networkpolicy` lists is the list of flows.
*/}}

{{/* Takes `root`, `components` (all of the chart's) and `flows`: a list of {name, to|from, components, ports}. */}}
{{- define "common.networkPolicies" -}}
{{- if .root.Values.networkPolicy.enabled -}}
{{- $root := .root -}}
{{- $fullname := include "common.fullname" . -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "common.metadata" (dict "root" $root "name" (printf "%s-default-deny" $fullname)) | nindent 2 }}
spec:
  {{- include "common.podsOf" (dict "root" $root "components" .components) | nindent 2 }}
  policyTypes: [Ingress, Egress]
{{- range .flows }}
---
{{ include "common.flow" (dict "root" $root "flow" .) }}
{{- end }}
{{- with .root.Values.networkPolicy.extra }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "common.metadata" (dict "root" $root "name" (printf "%s-extra" $fullname)) | nindent 2 }}
spec:
  {{- include "common.podsOf" (dict "root" $root "components" $.components) | nindent 2 }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* One flow. Its peers and ports are networkPolicy.flows.<name>, unless the chart gives its own. No peers means anyone. */}}
{{- define "common.flow" -}}
{{- $flow := .flow -}}
{{- $way := hasKey $flow "from" | ternary "from" "to" -}}
{{- $values := default dict (get .root.Values.networkPolicy.flows (get $flow $way)) -}}
{{- $peers := default $values.peers $flow.peers -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- $name := printf "%s-%s-%s" (include "common.fullname" .) $way (get $flow $way | kebabcase) }}
  {{- $context := dict "root" .root "name" (default $name $flow.name) "annotations" $flow.annotations }}
  {{- if eq (len $flow.components) 1 }}
  {{- $_ := set $context "component" (first $flow.components) }}
  {{- end }}
  {{- include "common.metadata" $context | nindent 2 }}
spec:
  {{- include "common.podsOf" (dict "root" .root "components" $flow.components) | nindent 2 }}
  policyTypes: [{{ eq $way "from" | ternary "Ingress" "Egress" }}]
  {{ eq $way "from" | ternary "ingress" "egress" }}:
    - ports:
        {{- range $port := default $values.ports $flow.ports }}
        {{- range $protocol := eq (get $flow $way) "dns" | ternary (list "UDP" "TCP") (list "TCP") }}
        - port: {{ include "common.scalar" $port }}
          protocol: {{ $protocol }}
        {{- end }}
        {{- end }}
      {{- with $peers }}
      {{ $way }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{- define "common.podsOf" -}}
podSelector:
  matchLabels:
    app.kubernetes.io/instance: {{ .root.Release.Name }}
  matchExpressions:
    - key: app.kubernetes.io/name
      operator: In
      values: {{ toJson .components }}
{{- end -}}

{{/* The identity of the pods. They do not talk to Kubernetes, so no token is mounted. */}}
{{- define "common.serviceAccount" -}}
{{- if .root.Values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $name := include "common.serviceAccountName" . }}
  {{- $context := dict "root" .root "name" $name "annotations" .root.Values.serviceAccount.annotations }}
  {{- include "common.metadata" $context | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}

{{/* Every template takes a dict: `root` is $, `name` one of postgres, redis, elasticmq, elasticsearch, sink. */}}

{{- define "backing.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "backing.metadata" -}}
name: {{ .name }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "backing.selectorLabels" . | nindent 2 }}
  app.kubernetes.io/part-of: taskhub
  app.kubernetes.io/component: backing
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The Service inside the cluster, and the node port if there is one. Takes `ports` (name to number) and `outside` too. */}}
{{- define "backing.services" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "backing.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "backing.selectorLabels" . | nindent 4 }}
  ports:
    {{- range $name, $port := .ports }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
    {{- end }}
{{- $nodePort := int (get .root.Values .name).nodePort }}
{{- if $nodePort }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "backing.metadata" (merge (dict "suffix" "-outside") .) | nindent 2 }}
spec:
  type: NodePort
  selector:
    {{- include "backing.selectorLabels" . | nindent 4 }}
  ports:
    - name: {{ .outside }}
      port: {{ get .ports .outside }}
      targetPort: {{ .outside }}
      nodePort: {{ $nodePort }}
{{- end }}
{{- end -}}

{{/* A StatefulSet's head, down to its pod's security. Takes `uid`, `gid`, `grace` (seconds) and `checksum` too. */}}
{{- define "backing.statefulSet" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "backing.metadata" . | nindent 2 }}
spec:
  serviceName: {{ .name }}
  replicas: 1
  selector:
    matchLabels:
      {{- include "backing.selectorLabels" . | nindent 6 }}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .root.Values.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ (get .root.Values .name).size }}
  template:
    metadata:
      labels:
        {{- include "backing.selectorLabels" . | nindent 8 }}
        app.kubernetes.io/part-of: taskhub
        app.kubernetes.io/component: backing
      {{- with .checksum }}
      annotations:
        checksum/config: {{ sha256sum . }}
      {{- end }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ .grace }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ .uid }}
        runAsGroup: {{ .gid }}
        fsGroup: {{ .gid }}
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile:
          type: RuntimeDefault
{{- end -}}

{{/* A container's image, resources and security. Takes `writableRoot` too. */}}
{{- define "backing.container" -}}
{{- $values := get .root.Values .name -}}
name: {{ .name }}
image: {{ $values.image }}
imagePullPolicy: {{ .root.Values.pullPolicy }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ not .writableRoot }}
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* The certificate of PostgreSQL and Redis, where there is one. Takes $. */}}
{{- define "backing.tlsMount" -}}
{{- if .Values.tls.existingSecret }}
- name: tls
  mountPath: /etc/tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "backing.tlsVolume" -}}
{{- with .Values.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    # PostgreSQL refuses a key that others could read.
    defaultMode: 0440
{{- end }}
{{- end -}}

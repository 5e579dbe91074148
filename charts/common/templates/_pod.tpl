{{/* Pods: one process each, as unprivileged as Kubernetes can make it ("restricted"). */}}

{{/* What every pod of ours has, workloads, migrations and tests alike. Takes `root`. */}}
{{- define "common.podBasics" -}}
serviceAccountName: {{ default (include "common.serviceAccountName" .) .serviceAccountName }}
automountServiceAccountToken: false
# Kubernetes would add variables for every Service, such as TASKHUB_API_PORT=tcp://... for one named taskhub-api.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ include "common.scalar" .root.Values.runAsUser }}
  runAsGroup: {{ include "common.scalar" .root.Values.runAsUser }}
  fsGroup: {{ include "common.scalar" .root.Values.runAsUser }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "common.containerBasics" -}}
image: {{ include "common.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "common.podTemplate" -}}
metadata:
  labels:
    {{- include "common.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/part-of: taskhub
    app.kubernetes.io/version: {{ include "common.version" . | quote }}
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "common.configData" . | sha256sum }}
    checksum/secrets: {{ include "common.secretsChecksum" . }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "common.podBasics" . | nindent 2 }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "common.scalar" .values.shutdown.graceSeconds }}
  {{- include "common.placement" . | trim | nindent 2 }}
  containers:
    - name: {{ .component }}
      {{- include "common.containerBasics" . | nindent 6 }}
      command: {{ toJson .command }}
      envFrom:
        - configMapRef:
            name: {{ include "common.fullname" . }}
        {{- with .values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        {{- include "common.environment" . | trim | nindent 8 }}
      ports:
        {{- if .httpPort }}
        - name: http
          containerPort: {{ .httpPort }}
        {{- end }}
        - name: metrics
          containerPort: 9100
      {{- include "common.probes" . | nindent 6 }}
      {{- if .values.shutdown.preStopSeconds }}
      lifecycle:
        preStop:
          # Until everyone has heard that this pod leaves, it goes on serving. Done by the kubelet: no shell is needed.
          sleep:
            seconds: {{ include "common.scalar" .values.shutdown.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      volumeMounts:
        {{- include "common.volumeMounts" . | nindent 8 }}
        {{- with .values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "common.volumes" . | nindent 4 }}
    {{- with .values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "common.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .root.Values.database.tls.caConfigMap }}
- name: database-ca
  mountPath: {{ include "common.databaseCaPath" . | dir }}
  readOnly: true
{{- end }}
{{- if and (has "broker" .needs) .root.Values.broker.tls.caConfigMap }}
- name: broker-ca
  mountPath: {{ include "common.brokerCaPath" . | dir }}
  readOnly: true
{{- end }}
{{- if and (has "search" .needs) .root.Values.search.tls.caSecret }}
- name: search-ca
  mountPath: {{ include "common.searchCaPath" . | dir }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "common.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.tmpSizeLimit }}
{{- with .root.Values.database.tls.caConfigMap }}
- name: database-ca
  configMap:
    name: {{ . }}
{{- end }}
{{- if has "broker" .needs }}
{{- with .root.Values.broker.tls.caConfigMap }}
- name: broker-ca
  configMap:
    name: {{ . }}
{{- end }}
{{- end }}
{{- if has "search" .needs }}
{{- with .root.Values.search.tls }}
{{- if .caSecret }}
- name: search-ca
  secret:
    secretName: {{ .caSecret }}
    items: [{key: {{ .caKey }}, path: {{ .caKey }}}]
    # Elasticsearch may be away, and its operator's Secret with it: pods start without, and search in PostgreSQL.
    optional: true
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Liveness is local and about progress, and readiness asks no shared dependency: one that is away would take every pod
with it. They are served by a thread of their own, so that a busy process does not look dead.
*/}}
{{- define "common.probes" -}}
{{- $probes := .values.probes -}}
startupProbe:
  httpGet:
    path: {{ empty .httpPort | ternary "/startupz" "/readyz" }}
    port: {{ empty .httpPort | ternary "metrics" "http" }}
  {{- include "common.probeTimes" $probes.startup | trim | nindent 2 }}
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  {{- include "common.probeTimes" $probes.readiness | trim | nindent 2 }}
livenessProbe:
  httpGet:
    path: /livez
    port: metrics
  {{- include "common.probeTimes" $probes.liveness | trim | nindent 2 }}
{{- end -}}

{{- define "common.probeTimes" -}}
{{- range $name, $value := . -}}
{{ $name }}: {{ include "common.scalar" $value }}
{{ end -}}
{{- end -}}

{{/* Where pods go: apart from each other, and soon away from a node that is lost. */}}
{{- define "common.placement" -}}
{{- $selector := include "common.selectorLabels" . -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $affinity := deepCopy .values.affinity }}
{{- if ne .values.podAntiAffinity "off" }}
{{- /* As with topologySpread below, old and new pods of a rollout are counted apart. */}}
{{- $term := dict
      "topologyKey" "kubernetes.io/hostname"
      "labelSelector" (dict "matchLabels" (fromYaml $selector))
      "matchLabelKeys" (list "pod-template-hash") }}
{{- $rule := dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term) }}
{{- if eq .values.podAntiAffinity "soft" }}
{{- $rule = dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term)) }}
{{- end }}
{{- $affinity = merge $affinity (dict "podAntiAffinity" $rule) }}
{{- end }}
{{- with $affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpread }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ .topologyKey }}
    maxSkew: {{ include "common.scalar" .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
    # Old and new pods of a rollout are counted apart.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
tolerations:
  {{- range list "not-ready" "unreachable" }}
  - key: node.kubernetes.io/{{ . }}
    operator: Exists
    effect: NoExecute
    tolerationSeconds: {{ include "common.scalar" $.values.lostNodeSeconds }}
  {{- end }}
  {{- with .values.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

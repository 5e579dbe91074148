{{/* What an app is told: plain settings in a ConfigMap, secrets by reference to Secrets that exist already. */}}

{{/* The plain settings that go with each need, as YAML lines. Takes `root` and `needs`. */}}
{{- define "common.settings" -}}
{{- $values := .root.Values -}}
TASKHUB_METRICS_PORT: "9100"
TASKHUB_LOG_FORMAT: json
TASKHUB_LOG_LEVEL: {{ $values.telemetry.logLevel }}
TASKHUB_ENVIRONMENT: {{ $values.telemetry.environment | quote }}
{{- with $values.telemetry.otelEndpoint }}
TASKHUB_OTEL_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER: parentbased_traceidratio
OTEL_TRACES_SAMPLER_ARG: {{ $values.telemetry.traceRatio | quote }}
{{- end }}
{{- if has "database" .needs }}
TASKHUB_DATABASE_POOL_SIZE: {{ include "common.scalar" $values.database.poolSize | quote }}
TASKHUB_DATABASE_POOLER: {{ $values.database.pooler | quote }}
{{- with $values.database.tls.mode }}
PGSSLMODE: {{ . }}
{{- end }}
{{- if $values.database.tls.caConfigMap }}
PGSSLROOTCERT: {{ include "common.databaseCaPath" . }}
{{- end }}
{{- end }}
{{- if and (has "broker" .needs) $values.broker.tls.caConfigMap }}
TASKHUB_REDIS_CA_FILE: {{ include "common.brokerCaPath" . }}
{{- end }}
{{- if has "queue" .needs }}
TASKHUB_AWS_REGION: {{ $values.queue.region }}
TASKHUB_SQS_QUEUE_NAME: {{ $values.queue.name }}
TASKHUB_SQS_DLQ_NAME: {{ $values.queue.dlqName }}
{{- with $values.queue.endpointUrl }}
TASKHUB_SQS_ENDPOINT_URL: {{ . | quote }}
{{- end }}
{{- end }}
{{- if has "search" .needs }}
{{- with $values.search.url }}
TASKHUB_ELASTICSEARCH_URL: {{ . | quote }}
{{- end }}
{{- if $values.search.tls.caSecret }}
TASKHUB_ELASTICSEARCH_CA_FILE: {{ include "common.searchCaPath" . }}
{{- end }}
TASKHUB_SEARCH_ALIAS: {{ $values.search.alias }}
{{- end }}
{{- if has "mail" .needs }}
TASKHUB_SMTP_HOST: {{ $values.mail.host | quote }}
TASKHUB_SMTP_PORT: {{ include "common.scalar" $values.mail.port | quote }}
TASKHUB_SMTP_STARTTLS: {{ $values.mail.starttls | quote }}
TASKHUB_MAIL_FROM: {{ $values.mail.from | quote }}
{{- end }}
{{- end -}}

{{- define "common.databaseCaPath" -}}
/etc/taskhub/database-ca/{{ .root.Values.database.tls.caKey }}
{{- end -}}

{{- define "common.brokerCaPath" -}}
/etc/taskhub/broker-ca/{{ .root.Values.broker.tls.caKey }}
{{- end -}}

{{- define "common.searchCaPath" -}}
/etc/taskhub/search-ca/{{ .root.Values.search.tls.caKey }}
{{- end -}}

{{/* The ConfigMap's data. `settings`: the chart's own lines. The value `config` has the last word. */}}
{{- define "common.configData" -}}
{{- $data := fromYaml .settings -}}
{{- range $name, $value := .root.Values.config -}}
{{- $_ := set $data $name (include "common.scalar" $value) -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{- define "common.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "common.metadata" . | nindent 2 }}
data:
  {{- include "common.configData" . | nindent 2 }}
{{- end -}}

{{/* The Secret of one need: its own, or the one that all of them share. Takes `root` and `of`. */}}
{{- define "common.secretName" -}}
{{- default .root.Values.existingSecret .of.existingSecret -}}
{{- end -}}

{{/* Every secret that the needs ask for, as a JSON list of {variable, key, secret}. Takes `root` and `needs`. */}}
{{- define "common.secretList" -}}
{{- $values := .root.Values -}}
{{- $list := list -}}
{{- if has "database" .needs -}}
{{- $list = append $list (list "TASKHUB_DATABASE_URL" $values.database.urlKey $values.database) -}}
{{- with $values.database.directUrlKey -}}
{{- $list = append $list (list "TASKHUB_DATABASE_DIRECT_URL" . $values.database) -}}
{{- end -}}
{{- end -}}
{{- if has "broker" .needs -}}
{{- $list = append $list (list "TASKHUB_REDIS_URL" $values.broker.urlKey $values.broker) -}}
{{- end -}}
{{- if and (has "cache" .needs) $values.cache.enabled -}}
{{- $list = append $list (list "TASKHUB_CACHE_URL" $values.cache.urlKey $values.cache) -}}
{{- end -}}
{{- if has "auth" .needs -}}
{{- $list = append $list (list "TASKHUB_JWT_KEYS" $values.auth.keysKey $values.auth) -}}
{{- $list = append $list (list "TASKHUB_JWT_ACTIVE_KID" $values.auth.activeKidKey $values.auth) -}}
{{- end -}}
{{- if and (has "queue" .needs) $values.queue.credentials.enabled -}}
{{- $from := $values.queue.credentials -}}
{{- $list = append $list (list "AWS_ACCESS_KEY_ID" $from.accessKeyIdKey $from) -}}
{{- $list = append $list (list "AWS_SECRET_ACCESS_KEY" $from.secretAccessKeyKey $from) -}}
{{- end -}}
{{- if and (has "search" .needs) $values.search.apiKey.enabled -}}
{{- $list = append $list (list "TASKHUB_ELASTICSEARCH_API_KEY" $values.search.apiKey.key $values.search.apiKey) -}}
{{- end -}}
{{- if and (has "mail" .needs) $values.mail.auth.enabled -}}
{{- $list = append $list (list "TASKHUB_SMTP_USERNAME" $values.mail.auth.usernameKey $values.mail.auth) -}}
{{- $list = append $list (list "TASKHUB_SMTP_PASSWORD" $values.mail.auth.passwordKey $values.mail.auth) -}}
{{- end -}}
{{- $named := list -}}
{{- range $list -}}
{{- $secret := include "common.secretName" (dict "root" $.root "of" (index . 2)) -}}
{{- $named = append $named (dict "variable" (index . 0) "key" (index . 1) "secret" $secret) -}}
{{- end -}}
{{- toJson $named -}}
{{- end -}}

{{/* The variables of a container: secrets, then `environment` (the chart's own), then the workload's extraEnv. */}}
{{- define "common.environment" -}}
{{- range include "common.secretList" . | fromJsonArray }}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .key }}
{{- end }}
{{- range $name, $value := .environment }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
A digest over the Secrets in use, so that an upgrade after a rotation starts new pods. Helm reads them from the
cluster; where it cannot (helm template, Argo CD), `secretsVersion` takes its place: change it to start new pods.
*/}}
{{- define "common.secretsChecksum" -}}
{{- $seen := dict "version" .root.Values.secretsVersion -}}
{{- range include "common.secretList" . | fromJsonArray -}}
{{- if .secret -}}
{{- $secret := lookup "v1" "Secret" $.root.Release.Namespace .secret -}}
{{- if $secret -}}
{{- $_ := set $seen (printf "%s/%s" .secret .key) (get (default dict $secret.data) .key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $seen | sha256sum -}}
{{- end -}}

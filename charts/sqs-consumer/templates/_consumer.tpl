{{/* What the workloads of this chart are: the consumer, and the reconciler that looks after it. */}}

{{- define "sqs-consumer.needs" -}}
{{ list "database" "queue" "search" | toJson }}
{{- end -}}

{{- define "sqs-consumer.settings" -}}
{{ include "common.settings" (dict "root" . "needs" (include "sqs-consumer.needs" . | fromJsonArray)) }}
{{- with .Values.timeouts }}
TASKHUB_CONSUMER_WAIT_SECONDS: {{ include "common.scalar" .waitSeconds | quote }}
TASKHUB_CONSUMER_STOP_SECONDS: {{ include "common.scalar" .stopSeconds | quote }}
TASKHUB_CONSUMER_VISIBILITY_SECONDS: {{ include "common.scalar" .visibilitySeconds | quote }}
TASKHUB_CONSUMER_HOLD_SECONDS: {{ include "common.scalar" .holdSeconds | quote }}
{{- end }}
TASKHUB_CONSUMER_RECEIVERS: {{ include "common.scalar" .Values.receivers | quote }}
{{- end -}}

{{- define "sqs-consumer.flows" -}}
{{- $consumer := list "sqs-consumer" -}}
{{- $both := list "sqs-consumer" "reconciler" -}}
{{- $test := list (dict "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" "test" "app.kubernetes.io/instance" .Release.Name))) -}}
{{- $flows := list
  (dict "from" "monitoring" "components" $both)
  (dict "from" "test" "components" $both "peers" $test "ports" (list 9100))
  (dict "to" "dns" "components" $both)
  (dict "to" "database" "components" $both)
  (dict "to" "queue" "components" $consumer) -}}
{{- if .Values.search.url -}}
{{- $flows = append $flows (dict "to" "search" "components" $both) -}}
{{- end -}}
{{- if .Values.telemetry.otelEndpoint -}}
{{- $flows = append $flows (dict "to" "telemetry" "components" $both) -}}
{{- end -}}
{{- toJson $flows -}}
{{- end -}}

{{/* The reconciler goes where the consumer goes; there is one, and nothing waits for it. */}}
{{- define "sqs-consumer.reconcilerValues" -}}
{{- $off := dict "enabled" false -}}
{{- $own := dict "replicas" 1 "resources" .Values.reconciler.resources "autoscaling" $off "keda" $off "pdb" $off -}}
{{ mergeOverwrite (deepCopy .Values) $own | toJson }}
{{- end -}}

{{- define "sqs-consumer.reconciles" -}}
{{- and .Values.reconciler.enabled .Values.search.url | empty | not | ternary "yes" "" -}}
{{- end -}}

{{- define "sqs-consumer.triggers" -}}
{{- $keda := .Values.keda -}}
{{- $name := include "common.fullname" (dict "root" .) -}}
- type: aws-sqs-queue
  metadata:
    queueURL: {{ $keda.queueDepth.queueUrl | quote }}
    queueLength: {{ include "common.scalar" $keda.queueDepth.target | quote }}
    awsRegion: {{ .Values.queue.region }}
    # What is being worked on needs no further pod.
    scaleOnInFlight: "false"
  {{- include "sqs-consumer.authenticationRef" . | nindent 2 }}
{{- if $keda.queueAge.enabled }}
- type: aws-cloudwatch
  metricType: Value
  metadata:
    namespace: AWS/SQS
    metricName: ApproximateAgeOfOldestMessage
    dimensionName: QueueName
    dimensionValue: {{ .Values.queue.name }}
    metricStat: Maximum
    targetMetricValue: {{ include "common.scalar" $keda.queueAge.targetSeconds | quote }}
    minMetricValue: "0"
    awsRegion: {{ .Values.queue.region }}
  {{- include "sqs-consumer.authenticationRef" . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sqs-consumer.authenticationRef" -}}
{{- if eq .Values.keda.podIdentity "aws" -}}
authenticationRef:
  name: {{ include "common.fullname" (dict "root" .) }}
{{- end -}}
{{- end -}}

{{- define "sqs-consumer.authentication" -}}
{{- if eq .Values.keda.podIdentity "aws" -}}
podIdentity:
  provider: aws
{{- end -}}
{{- end -}}

{{- define "sqs-consumer.checks" -}}
{{- include "common.checkSecrets" (dict "root" . "needs" (include "sqs-consumer.needs" . | fromJsonArray)) -}}
{{- include "common.checkWorkload" (dict "root" . "at" "" "values" .Values) -}}
{{- $grace := .Values.shutdown.graceSeconds -}}
{{- $drain := addf .Values.shutdown.preStopSeconds .Values.timeouts.waitSeconds .Values.timeouts.stopSeconds -}}
{{- if ge $drain (float64 $grace) }}
shutdown.graceSeconds ({{ include "common.scalar" $grace }}) does not outlast preStopSeconds + timeouts.waitSeconds + timeouts.stopSeconds ({{ $drain }}): batches in work would be cut off. Raise it.
{{ end -}}
{{- if ge (float64 .Values.timeouts.waitSeconds) (float64 .Values.timeouts.visibilitySeconds) }}
timeouts.visibilitySeconds ({{ include "common.scalar" .Values.timeouts.visibilitySeconds }}) must be more than timeouts.waitSeconds ({{ include "common.scalar" .Values.timeouts.waitSeconds }}): raise it.
{{ end -}}
{{- if and .Values.keda.enabled (not .Values.keda.queueDepth.queueUrl) }}
keda.enabled is true, but keda.queueDepth.queueUrl is empty: give the URL of the queue (aws sqs get-queue-url --queue-name {{ .Values.queue.name }}).
{{ end -}}
{{- end -}}

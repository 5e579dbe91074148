{{/* The chain of times: a job's grace < the worker's < the pod's; and the worker's < the broker's patience. */}}
{{- define "worker.checks" -}}
{{- include "common.checkSecrets" (dict "root" . "needs" (include "worker.needs" . | fromJsonArray)) -}}
{{- include "common.checkSecrets" (dict "root" . "needs" (include "worker.dispatcherNeeds" . | fromJsonArray)) -}}
{{- include "common.checkWorkload" (dict "root" . "at" "worker." "values" .Values.worker) -}}
{{- include "common.checkWorkload" (dict "root" . "at" "dispatcher." "values" (include "worker.dispatcherValues" . | fromJson)) -}}
{{- $worker := .Values.worker -}}
{{- $dispatcher := .Values.dispatcher -}}
{{- with .Values.timeouts -}}
{{- if ge (addf .leaseRenewSeconds .leaseMarginSeconds) (float64 .leaseSeconds) }}
timeouts.leaseSeconds ({{ include "common.scalar" .leaseSeconds }}) must be more than leaseRenewSeconds + leaseMarginSeconds ({{ addf .leaseRenewSeconds .leaseMarginSeconds }}), or leases end before they are renewed: raise it.
{{ end -}}
{{- if ge (addf .jobGraceSeconds .leaseMarginSeconds) (float64 .softShutdownSeconds) }}
timeouts.softShutdownSeconds ({{ include "common.scalar" .softShutdownSeconds }}) must be more than jobGraceSeconds + leaseMarginSeconds ({{ addf .jobGraceSeconds .leaseMarginSeconds }}), or jobs are cut off instead of given back: raise it.
{{ end -}}
{{- if ge (float64 .softShutdownSeconds) (float64 .brokerVisibilitySeconds) }}
timeouts.brokerVisibilitySeconds ({{ include "common.scalar" .brokerVisibilitySeconds }}) must be more than softShutdownSeconds ({{ include "common.scalar" .softShutdownSeconds }}), or the broker hands out messages of a worker that is still stopping: raise it.
{{ end -}}
{{- if ge (addf $worker.shutdown.preStopSeconds .softShutdownSeconds) (float64 $worker.shutdown.graceSeconds) }}
worker.shutdown.graceSeconds ({{ include "common.scalar" $worker.shutdown.graceSeconds }}) does not outlast preStopSeconds + timeouts.softShutdownSeconds ({{ addf $worker.shutdown.preStopSeconds .softShutdownSeconds }}): workers would be killed before they have given their jobs back. Raise it.
{{ end -}}
{{- end -}}
{{- if ge (addf $dispatcher.shutdown.preStopSeconds 20) (float64 $dispatcher.shutdown.graceSeconds) }}
dispatcher.shutdown.graceSeconds ({{ include "common.scalar" $dispatcher.shutdown.graceSeconds }}) does not outlast preStopSeconds and a last turn (20 s): raise it.
{{ end -}}
{{- if lt (int $dispatcher.replicas) 1 }}
dispatcher.replicas is 0: nothing would hand jobs out. Set it to 2.
{{ end -}}
{{- if and $worker.keda.enabled (eq $worker.keda.source "prometheus") (not $worker.keda.prometheusAddress) }}
worker.keda.source is prometheus, but worker.keda.prometheusAddress is empty: name the server.
{{ end -}}
{{- end -}}

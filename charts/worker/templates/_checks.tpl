{{/* The chain of times: a job's grace < the worker's < the pod's; and the worker's < the broker's patience. */}}
{{- define "worker.checks" -}}
{{- include "common.checkSecrets" (dict "root" . "needs" (include "worker.needs" . | fromJsonArray)) -}}
{{- include "common.checkSecrets" (dict "root" . "needs" (include "worker.dispatcherNeeds" . | fromJsonArray)) -}}
{{- range $group := include "worker.groups" . | fromJsonArray -}}
{{- include "common.checkWorkload" (dict "root" $ "at" $group.at "values" $group.values) -}}
{{- include "worker.checkGroup" (dict "root" $ "group" $group) -}}
{{- end -}}
{{- include "worker.checkQueues" . -}}
{{- include "common.checkWorkload" (dict "root" . "at" "dispatcher." "values" (include "worker.dispatcherValues" . | fromJson)) -}}
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
{{- end -}}
{{- if ge (addf $dispatcher.shutdown.preStopSeconds 20) (float64 $dispatcher.shutdown.graceSeconds) }}
dispatcher.shutdown.graceSeconds ({{ include "common.scalar" $dispatcher.shutdown.graceSeconds }}) does not outlast preStopSeconds and a last turn (20 s): raise it.
{{ end -}}
{{- if lt (int $dispatcher.replicas) 1 }}
dispatcher.replicas is 0: nothing would hand jobs out. Set it to 2.
{{ end -}}
{{- end -}}

{{- define "worker.checkGroup" -}}
{{- $at := .group.at -}}
{{- $shutdown := .group.values.shutdown -}}
{{- $keda := .group.values.keda -}}
{{- $soft := .root.Values.timeouts.softShutdownSeconds -}}
{{- if ge (addf $shutdown.preStopSeconds $soft) (float64 $shutdown.graceSeconds) }}
{{ $at }}shutdown.graceSeconds ({{ include "common.scalar" $shutdown.graceSeconds }}) does not outlast preStopSeconds + timeouts.softShutdownSeconds ({{ addf $shutdown.preStopSeconds $soft }}): workers would be killed before they have given their jobs back. Raise it.
{{ end -}}
{{- if and $keda.enabled (eq $keda.source "prometheus") (not $keda.prometheusAddress) }}
{{ $at }}keda.source is prometheus, but {{ $at }}keda.prometheusAddress is empty: name the server.
{{ end -}}
{{- if and $keda.enabled (eq $keda.source "prometheus") .root.Values.queues }}
{{ $at }}keda.source is prometheus, which does not know the queues apart: set it to postgresql, or leave queues empty.
{{ end -}}
{{- end -}}

{{- define "worker.checkQueues" -}}
{{- $names := dict "dispatcher" "" "metrics" "" -}}
{{- $kinds := dict -}}
{{- range .Values.queues -}}
{{- $name := .name -}}
{{- if hasKey $names $name }}
queues has the name {{ $name }} twice, or it is the name of something else: give each queue a name of its own.
{{ end -}}
{{- $_ := set $names $name "" -}}
{{- range .kinds -}}
{{- if hasKey $kinds . }}
queues has the kind {{ . }} twice: a kind has one queue.
{{ end -}}
{{- $_ := set $kinds . "" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
What a schema cannot say: values that contradict each other. Each check writes one line a problem, or nothing; a line
says what is wrong and what to do.
*/}}

{{/* Fails with every problem at once. Takes the lines. */}}
{{- define "common.failOn" -}}
{{- $problems := list -}}
{{- range splitList "\n" . -}}
{{- with trim . -}}
{{- $problems = append $problems (printf "  - %s" .) -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot work:\n%s\n" (join "\n" (uniq $problems))) -}}
{{- end -}}
{{- end -}}

{{/* Secrets that nobody named. Takes `root` and `needs`. */}}
{{- define "common.checkSecrets" -}}
{{- $missing := list -}}
{{- range include "common.secretList" . | fromJsonArray -}}
{{- if not .secret -}}
{{- $missing = append $missing .key -}}
{{- end -}}
{{- end -}}
{{- if $missing }}
No Secret is named that holds {{ join ", " $missing }}: create one (kubectl -n {{ .root.Release.Namespace }} create secret generic taskhub-secrets --from-literal={{ first $missing }}=...) and set existingSecret=taskhub-secrets.
{{ end -}}
{{- if and (has "database" .needs) (hasPrefix "verify-" .root.Values.database.tls.mode) (not .root.Values.database.tls.caConfigMap) }}
database.tls.mode is {{ .root.Values.database.tls.mode }}, but there is nothing to verify with: put the server's CA into a ConfigMap and name it in database.tls.caConfigMap.
{{ end -}}
{{- if and (has "search" .needs) .root.Values.search.tls.caSecret (not (hasPrefix "https://" .root.Values.search.url)) }}
search.tls.caSecret names a CA, but search.url is {{ default "empty" .root.Values.search.url }}, which has no certificate: begin search.url with https://, or take the CA away.
{{ end -}}
{{- end -}}

{{/* One workload. Takes `root`, `at` (where its values are, such as "worker."), `values` and `fixed` (cannot scale). */}}
{{- define "common.checkWorkload" -}}
{{- include "common.checkReplicas" . -}}
{{- include "common.checkPdb" . -}}
{{- include "common.checkResources" . -}}
{{- with .root.Values.monitoring -}}
{{- if and .serviceMonitor.enabled .podMonitor.enabled }}
monitoring.serviceMonitor.enabled and monitoring.podMonitor.enabled are both true, and every pod would be counted twice: choose one.
{{ end -}}
{{- end -}}
{{- end -}}

{{- define "common.checkReplicas" -}}
{{- $at := .at -}}
{{- $values := .values -}}
{{- if and $values.autoscaling.enabled $values.keda.enabled }}
{{ $at }}autoscaling.enabled and {{ $at }}keda.enabled are both true, and the HPA and KEDA would fight over the replicas: choose one.
{{ end -}}
{{- range $name := list "autoscaling" "keda" -}}
{{- $scaling := get $values $name -}}
{{- if and $scaling.enabled (lt (int $scaling.maxReplicas) (int $scaling.minReplicas)) }}
{{ $at }}{{ $name }}.maxReplicas ({{ int $scaling.maxReplicas }}) is below {{ $at }}{{ $name }}.minReplicas ({{ int $scaling.minReplicas }}): raise the one or lower the other.
{{ end -}}
{{- end -}}
{{- $scaling := $values.autoscaling -}}
{{- if and $scaling.enabled (not (or $scaling.targetCPU $scaling.targetMemory $scaling.metrics)) }}
{{ $at }}autoscaling.enabled is true, but nothing is measured: set {{ $at }}autoscaling.targetCPU, targetMemory or metrics.
{{ end -}}
{{- range $resource, $target := dict "cpu" $scaling.targetCPU "memory" $scaling.targetMemory -}}
{{- if and $scaling.enabled $target (not (dig "requests" $resource "" $values.resources)) }}
{{ $at }}autoscaling measures {{ $resource }} in percent of its request, but {{ $at }}resources.requests.{{ $resource }} is not set: set it.
{{ end -}}
{{- end -}}
{{- end -}}

{{/* How few pods there may be when a node is drained. */}}
{{- define "common.fewestReplicas" -}}
{{- if .autoscaling.enabled -}}
{{ int .autoscaling.minReplicas }}
{{- else if .keda.enabled -}}
{{ int .keda.minReplicas }}
{{- else -}}
{{ int .replicas }}
{{- end -}}
{{- end -}}

{{- define "common.checkPdb" -}}
{{- $pdb := .values.pdb -}}
{{- $fewest := include "common.fewestReplicas" .values | int -}}
{{- if $pdb.enabled -}}
{{- $minimum := include "common.scalar" $pdb.minAvailable -}}
{{- $maximum := include "common.scalar" $pdb.maxUnavailable -}}
{{- if and (ne $minimum "") (ne $maximum "") }}
{{ .at }}pdb has both minAvailable and maxUnavailable, and Kubernetes takes only one: set the other to "".
{{ else if and (eq $minimum "") (eq $maximum "") }}
{{ .at }}pdb.enabled is true, but it says nothing: set {{ .at }}pdb.maxUnavailable (1 suits most).
{{ else if or (eq $maximum "0") (eq $maximum "0%") (eq $minimum "100%") }}
{{ .at }}pdb lets no pod go, so that no node could ever be drained: set {{ .at }}pdb.maxUnavailable to 1.
{{ else if and (ne $minimum "") (not (hasSuffix "%" $minimum)) (ge (int $minimum) $fewest) (gt $fewest 0) }}
{{ .at }}pdb.minAvailable ({{ $minimum }}) keeps all of the {{ $fewest }} pods that there may be, so that no node could ever be drained: lower it, raise the number of pods, or use {{ .at }}pdb.maxUnavailable.
{{ end -}}
{{- end -}}
{{- end -}}

{{- define "common.checkResources" -}}
{{- $at := .at -}}
{{- $limits := default dict .values.resources.limits -}}
{{- range $resource, $request := default dict .values.resources.requests -}}
{{- $limit := get $limits $resource -}}
{{- if $limit -}}
{{- if lt (include "common.milli" $limit | float64) (include "common.milli" $request | float64) }}
{{ $at }}resources.limits.{{ $resource }} ({{ $limit }}) is below {{ $at }}resources.requests.{{ $resource }} ({{ $request }}): raise the limit or lower the request.
{{ end -}}
{{- end -}}
{{- end -}}
{{- if not $limits.memory }}
{{ $at }}resources.limits.memory is not set: a leak would take the node's other pods with it. Set it.
{{ end -}}
{{- end -}}

{{/* A Kubernetes quantity in thousandths, to compare it: 250m is 250, 1Gi is 1073741824000. */}}
{{- define "common.milli" -}}
{{- $quantity := toString . -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $quantity -}}
{{- $unit := trimPrefix $number $quantity -}}
{{- $units := dict "m" 1.0 "" 1e3 "k" 1e6 "M" 1e9 "G" 1e12 "T" 1e15 "Ki" 1024e3 "Mi" 1048576e3 "Gi" 1073741824e3 "Ti" 1099511627776e3 -}}
{{- mulf (float64 $number) (get $units $unit) -}}
{{- end -}}

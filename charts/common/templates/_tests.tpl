{{/* `helm test`: a pod of the same image runs a few lines of Python. Takes `root`, `name` and `script`. */}}
{{- define "common.test" -}}
apiVersion: v1
kind: Pod
metadata:
  {{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation" }}
  {{- $context := dict "root" .root "name" .name "component" "test" "annotations" $hook }}
  {{- include "common.metadata" $context | nindent 2 }}
spec:
  {{- include "common.podBasics" . | nindent 2 }}
  restartPolicy: Never
  containers:
    - name: test
      {{- include "common.containerBasics" . | nindent 6 }}
      command: [python, -c]
      args:
        - |
          {{- .script | nindent 10 }}
      resources:
        requests: {cpu: 10m, memory: 32Mi}
        limits: {memory: 128Mi}
{{- end -}}

{{/* A script that asks every pod behind metrics Services whether it lives, for a minute. Takes the Services' names. */}}
{{- define "common.livezScript" -}}
import socket, time, urllib.request
def ask(service):
    for pod in sorted({found[4][0] for found in socket.getaddrinfo(service, 9100, proto=socket.IPPROTO_TCP)}):
        with urllib.request.urlopen(f"http://{pod}:9100/livez", timeout=10) as answer:
            print(service, pod, answer.read().decode().strip())
end = time.monotonic() + 60
for service in {{ toJson . }}:
    while True:
        try:
            ask(service)
            break
        except OSError as error:  # such as a pod that is starting or leaving
            if time.monotonic() > end:
                raise SystemExit(f"{service}: {error}")
            time.sleep(2)
{{- end -}}

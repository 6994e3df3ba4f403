{{- /* Arguments of tritonserver and what it gets. Arguments of both: root, pool, values. */ -}}

{{- define "diptych.tritonArguments" -}}
- --model-repository=/models
# What lies in the repository is loaded, once: a new digest is a new roll-out. Nobody can load or unload.
- --model-control-mode=none
- --disable-auto-complete-config
- --exit-on-error=true
- --exit-timeout-secs={{ .values.exitTimeoutSeconds }}
- --http-restricted-api=model-repository,model-config,statistics,shared-memory,trace,logging,inference:closed=$(CLOSED)
- --grpc-restricted-protocol=shared-memory,trace,logging:closed=$(CLOSED)
- --allow-metrics=true
- --allow-gpu-metrics={{ eq .pool "gpu" }}
- --log-format=ISO8601
{{- with .values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "diptych.tritonResources" -}}
{{- $resources := deepCopy .values.resources -}}
{{- if eq .pool "gpu" -}}
{{- $gpu := dict .values.gpu.resourceName .values.gpu.count -}}
{{- $_ := set $resources "limits" (merge (dict) $gpu ($resources.limits | default dict)) -}}
{{- end -}}
{{ toYaml $resources }}
{{- end -}}

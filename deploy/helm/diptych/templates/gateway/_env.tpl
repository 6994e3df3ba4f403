{{- /* Environment of the gateway. Argument: root. */ -}}
{{- define "diptych.gatewayEnv" -}}
{{- $gateway := .Values.gateway -}}
- name: DIPTYCH_GATEWAY_HTTP_HOST
  value: 0.0.0.0
- name: DIPTYCH_GATEWAY_GRPC_HOST
  value: 0.0.0.0
- name: DIPTYCH_GATEWAY_WORKERS
  value: {{ $gateway.workers | quote }}
- name: DIPTYCH_GATEWAY_API_KEYS_FILE
  value: /etc/diptych/api-keys/{{ $gateway.apiKeys.key }}
{{- if .Values.gpuPool.enabled }}
- name: DIPTYCH_GATEWAY_TRITON_GPU_ENDPOINTS
  value: dns:///{{ include "diptych.tritonName" (dict "root" . "pool" "gpu") }}:8001
{{- end }}
{{- if .Values.cpuPool.enabled }}
- name: DIPTYCH_GATEWAY_TRITON_CPU_ENDPOINTS
  value: dns:///{{ include "diptych.tritonName" (dict "root" . "pool" "cpu") }}:8001
{{- end }}
- name: DIPTYCH_GATEWAY_DRAIN_DELAY_S
  value: {{ $gateway.drainDelaySeconds | quote }}
- name: DIPTYCH_GATEWAY_DRAIN_TIMEOUT_S
  value: {{ $gateway.drainTimeoutSeconds | quote }}
{{- if $gateway.experiments }}
- name: DIPTYCH_GATEWAY_EXPERIMENTS_FILE
  value: /etc/diptych/experiments/experiments.toml
{{- end }}
{{- if $gateway.receipts.existingSecret }}
- name: DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE
  value: /etc/diptych/receipts/{{ $gateway.receipts.key }}
{{- end }}
{{- if $gateway.capture.existingClaim }}
{{- include "diptych.captureEnv" . }}
{{- end }}
{{- with $gateway.tracing }}
{{- if .enabled }}
- name: DIPTYCH_GATEWAY_HAS_TRACING
  value: "true"
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .sampleRatio | quote }}
{{- end }}
{{- end }}
{{- include "diptych.databaseEnv" . }}
{{- range $name, $value := $gateway.settings }}
- name: DIPTYCH_GATEWAY_{{ $name }}
  {{- /* Helm has every number of a file as a float64, which it would write as 2.097152e+07. */}}
  value: {{ and (kindIs "float64" $value) (eq $value (floor $value)) | ternary (printf "%.0f" (float64 $value)) (toString $value) | quote }}
{{- end }}
{{- with $gateway.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Where the gateway writes features and retraining reads them. */ -}}
{{- define "diptych.captureEnv" }}
- name: DIPTYCH_GATEWAY_CAPTURE_FOLDER
  value: /var/lib/diptych/capture
{{- end -}}

{{- define "diptych.databaseEnv" -}}
{{- with .Values.gateway.database }}
{{- if .existingSecret }}
- name: DIPTYCH_GATEWAY_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end -}}

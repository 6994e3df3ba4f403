{{- /* "true" where it is to be: as the values say, or with the rules that need it. Argument: root. */ -}}
{{- define "diptych.hasSharedMemoryExporter" -}}
{{- with .Values.prometheus -}}
{{- if kindIs "bool" .sharedMemory.enabled | ternary .sharedMemory.enabled .rules.enabled }}true{{ end -}}
{{- end -}}
{{- end -}}

{{- /* A container that tells Prometheus how full Triton's /dev/shm is. Argument: root. */ -}}
{{- define "diptych.sharedMemoryExporter" -}}
- name: shared-memory
  image: {{ include "diptych.image" (dict "root" .root "image" .root.Values.images.nodeExporter) }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  args:
    - --collector.disable-defaults
    - --collector.filesystem
    - --collector.filesystem.mount-points-exclude=^/(proc|sys|etc)($|/)
    - --web.listen-address=:9100
    - --web.disable-exporter-metrics
  ports:
    - name: shm
      containerPort: 9100
  {{- range $probe, $period_s := dict "startupProbe" 2 "livenessProbe" 10 "readinessProbe" 10 }}
  {{ $probe }}:
    httpGet:
      path: /
      port: shm
    periodSeconds: {{ $period_s }}
    timeoutSeconds: 5
    failureThreshold: 6
  {{- end }}
  resources:
    requests:
      cpu: 10m
      memory: 32Mi
    limits:
      memory: 64Mi
  securityContext:
    {{- include "diptych.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: shared-memory
      mountPath: /dev/shm
      readOnly: true
{{- end -}}

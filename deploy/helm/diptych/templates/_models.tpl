{{- /* The model repository of a pool: fetched, checked and mounted. Arguments of all: root, pool, values. */ -}}

{{- define "diptych.hasCopiedModels" -}}
{{- if ne .root.Values.models.source "pvc" }}true{{ end -}}
{{- end -}}

{{- define "diptych.hasModelScripts" -}}
{{- if or (eq .root.Values.models.source "s3") .values.models.digest }}true{{ end -}}
{{- end -}}

{{- define "diptych.modelVolumes" -}}
- name: models
{{- if include "diptych.hasCopiedModels" . }}
  emptyDir:
    sizeLimit: {{ .root.Values.models.volumeSize }}
{{- else }}
  persistentVolumeClaim:
    claimName: {{ .root.Values.models.pvc.existingClaim }}
    readOnly: true
{{- end }}
{{- if include "diptych.hasModelScripts" . }}
- name: model-scripts
  configMap:
    name: {{ include "diptych.fullname" .root }}-model-scripts
{{- end }}
{{- end -}}

{{- define "diptych.modelMount" -}}
- name: models
  mountPath: /models
  readOnly: true
{{- if not (include "diptych.hasCopiedModels" .) }}
  subPath: {{ .values.models.path }}
{{- end }}
{{- end -}}

{{- define "diptych.initResources" -}}
requests:
  cpu: 100m
  memory: 128Mi
limits:
  memory: 512Mi
{{- end -}}

{{- define "diptych.modelInitContainers" -}}
{{- $source := .root.Values.models.source }}
{{- if eq $source "s3" }}
- name: fetch-models
  image: {{ include "diptych.image" (dict "root" .root "image" .root.Values.images.s3Client) }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  command: [sh, /scripts/fetch.sh]
  args:
    - store:{{ .root.Values.models.s3.bucket }}/{{ .values.models.path }}
    - /models
  env:
    - name: RCLONE_CONFIG
      value: /tmp/rclone.conf
    - name: RCLONE_CONFIG_STORE_TYPE
      value: s3
    - name: RCLONE_CONFIG_STORE_PROVIDER
      value: {{ .root.Values.models.s3.endpoint | empty | ternary "AWS" "Other" }}
    - name: RCLONE_CONFIG_STORE_ENV_AUTH
      value: "true"
    - name: RCLONE_CONFIG_STORE_REGION
      value: {{ .root.Values.models.s3.region | quote }}
    {{- with .root.Values.models.s3.endpoint }}
    - name: RCLONE_CONFIG_STORE_ENDPOINT
      value: {{ . | quote }}
    {{- end }}
  {{- with .root.Values.models.s3.existingSecret }}
  envFrom:
    - secretRef:
        name: {{ . }}
  {{- end }}
  resources:
    {{- include "diptych.initResources" . | nindent 4 }}
  securityContext:
    {{- include "diptych.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
    - name: model-scripts
      mountPath: /scripts
      readOnly: true
    - name: tmp
      mountPath: /tmp
{{- else if eq $source "oci" }}
- name: copy-models
  image: {{ .root.Values.models.oci.image }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  command: [sh, -c]
  args: ['cp -R "/models/$1/." /target/', copy-models, {{ .values.models.path }}]
  resources:
    {{- include "diptych.initResources" . | nindent 4 }}
  securityContext:
    {{- include "diptych.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /target
{{- end }}
{{- with .values.models.digest }}
- name: check-models
  image: {{ include "diptych.image" (dict "root" $.root "image" $.root.Values.images.triton) }}
  imagePullPolicy: {{ $.root.Values.images.pullPolicy }}
  command: [sh, /scripts/check.sh]
  args: [/models, {{ . }}]
  resources:
    {{- include "diptych.initResources" $ | nindent 4 }}
  securityContext:
    {{- include "diptych.containerSecurity" $ | nindent 4 }}
  volumeMounts:
    {{- include "diptych.modelMount" $ | nindent 4 }}
    - name: model-scripts
      mountPath: /scripts
      readOnly: true
{{- end }}
{{- end -}}

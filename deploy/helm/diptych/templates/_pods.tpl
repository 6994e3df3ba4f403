{{- /* What all pods have in common. */ -}}

{{- /* The users that the images have. Argument: component. */ -}}
{{- define "diptych.podSecurity" -}}
{{- $user := eq .component "triton" | ternary 1000 10001 -}}
runAsNonRoot: true
runAsUser: {{ $user }}
runAsGroup: {{ $user }}
fsGroup: {{ $user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "diptych.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Account, secrets of registries, security. Arguments: root, component. */ -}}
{{- define "diptych.podCommons" -}}
serviceAccountName: {{ include "diptych.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "diptych.podSecurity" . | nindent 2 }}
{{- end -}}

{{- /* Where pods run. Arguments: root, component, pool (optional), placement (values). */ -}}
{{- define "diptych.placement" -}}
{{- with .placement.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .placement.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .placement.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .placement.spreadOver }}
topologySpreadConstraints:
{{- range .placement.spreadOver }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "diptych.selector" $ | nindent 8 }}
    # Of this revision's pods alone: an old one that is about to end does not count.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

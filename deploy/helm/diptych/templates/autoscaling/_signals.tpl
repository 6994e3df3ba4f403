{{- /*
What a component is scaled on: one list for HPA, KEDA and prometheus-adapter, and so one PromQL.
Yields {signals: [{name, query, type, target}]}; type is AverageValue (the query is a total, the
target is for one replica) or Value (the query is the figure itself). Labels are those that the
Prometheus operator gives: namespace, service, pod.
Arguments: root, component, pool (for triton), values.
*/ -}}
{{- define "diptych.signals" -}}
{{- $targets := .values.autoscaling.targets -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $gateway := printf `namespace="%s",service="%s-gateway"` $namespace (include "diptych.fullname" .root) -}}
signals:
{{- if eq .component "gateway" }}
{{- with $targets.inFlightPerPod }}
  - name: in-flight
    query: sum(avg_over_time(diptych_gateway_in_flight_requests{ {{- $gateway -}} }[1m]))
    type: AverageValue
    target: {{ . }}
{{- end }}
{{- else }}
{{- /* Of the steps alone: an ensemble queues nothing, and what it counts would be counted twice. */}}
{{- $steps := printf `namespace="%s",service="%s",model!~".+-[0-9a-f]{12}-(both|text|image)"` $namespace (include "diptych.tritonName" (dict "root" .root "pool" .pool)) -}}
{{- /* What fell or spilled to the CPU pool was the GPU pool's to answer. Else a pool in trouble, which gets less, would be made smaller. */}}
{{- $inPool := ternary $gateway (printf `%s,pool="%s"` $gateway .pool) (eq .pool "gpu") -}}
{{- $shed := printf `sum(rate(diptych_gateway_refusals_total{%s}[1m])) or vector(0)` $gateway -}}
{{- with $targets.queueTimeMs }}
  - name: queue-time-ms
    query: (sum(rate(nv_inference_queue_duration_us{ {{- $steps -}} }[1m])) / clamp_min(sum(rate(nv_inference_request_success{ {{- $steps -}} }[1m])), 1e-9) / 1000) or vector(0)
    type: Value
    target: {{ . }}
{{- end }}
{{- with $targets.pendingPerPod }}
  - name: pending
    query: sum(avg_over_time(nv_inference_pending_request_count{ {{- $steps -}} }[1m])) or vector(0)
    type: AverageValue
    target: {{ . }}
{{- end }}
{{- with $targets.inFlightPerPod }}
  - name: in-flight
    query: sum(avg_over_time(diptych_gateway_endpoint_in_flight{ {{- $inPool -}} }[1m]))
    type: AverageValue
    target: {{ . }}
{{- end }}
{{- with $targets.demandRps }}
  - name: demand-rps
    query: sum(rate(diptych_gateway_pool_answers_total{ {{- $inPool -}} }[1m])) + ({{ $shed }})
    type: AverageValue
    target: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Behaviour of an HPA, KEDA's included. Argument: autoscaling values. */ -}}
{{- define "diptych.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: {{ .scaleUp.stabilizationWindowSeconds }}
  selectPolicy: Max
  policies:
    - type: Pods
      value: {{ .scaleUp.pods }}
      periodSeconds: {{ .scaleUp.periodSeconds }}
    - type: Percent
      value: {{ .scaleUp.percent }}
      periodSeconds: {{ .scaleUp.periodSeconds }}
scaleDown:
  stabilizationWindowSeconds: {{ .scaleDown.stabilizationWindowSeconds }}
  selectPolicy: Max
  policies:
    - type: Pods
      value: {{ .scaleDown.pods }}
      periodSeconds: {{ .scaleDown.periodSeconds }}
{{- end -}}

{{- /* All that may be scaled. Yields {components: [{component, pool, name, values}]}. Argument: root. */ -}}
{{- define "diptych.scaledComponents" -}}
{{- $all := list (dict "component" "gateway" "pool" "" "name" (printf "%s-gateway" (include "diptych.fullname" .)) "values" .Values.gateway) -}}
{{- range $pool := list "gpu" "cpu" -}}
{{- $values := index $.Values (printf "%sPool" $pool) -}}
{{- if $values.enabled -}}
{{- $all = append $all (dict "component" "triton" "pool" $pool "name" (include "diptych.tritonName" (dict "root" $ "pool" $pool)) "values" $values) -}}
{{- end -}}
{{- end -}}
{{- dict "components" $all | toJson -}}
{{- end -}}

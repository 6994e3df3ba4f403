"""Traces: what a request spent its time on, across services, by W3C Trace Context.

`span` is what the rest of the gateway knows, and costs nothing while tracing is off;
`opentelemetry_tracer` and `exporting` are the only modules that import OpenTelemetry, and are
loaded only when it is on.
"""

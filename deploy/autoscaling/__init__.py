"""Replays the chart's autoscaling rules against recorded metrics.

The rules are those that Helm renders, their PromQL is evaluated by a real Prometheus, and replicas
follow Kubernetes' and KEDA's algorithms. `python -m deploy.autoscaling` writes the table of the
chart's README. A replay is an open loop: what was recorded does not get better by more replicas.
"""

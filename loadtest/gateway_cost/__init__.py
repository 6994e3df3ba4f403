"""Bench of what the gateway itself costs: CPU time a request, added latency, and where it goes."""

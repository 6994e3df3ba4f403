"""Bench of what tracing costs a request: while it is off, not sampled, and sampled."""

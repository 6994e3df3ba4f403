"""Faults under load: what callers get while servers die, hang or slow down, and afterwards."""

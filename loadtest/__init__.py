"""Load on the running service: the benchmark, and what judges its figures."""

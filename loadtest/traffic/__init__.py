"""Load tests by locust: who calls, how often, what must come back, and what passes."""

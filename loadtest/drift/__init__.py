"""Which kinds of drift which shift of the demo raises: `make bench-drift`.

Encoders, head, fit and tests are the real ones; only the server is left out. The reference is
fitted without half of the examples that nothing was trained on, and those are the traffic: as they
are, and shifted. Prints ratios (above 1 is drift), writes `.bench/drift.json`, and exits with 1
when a shift is missed or an input that did not shift is blamed.
"""

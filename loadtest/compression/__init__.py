"""A compressed variant against its original, both served: `python -m loadtest.compression`."""

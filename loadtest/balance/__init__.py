"""Balancing: three Tritons behind one name share the load, also while one is killed."""

"""Searches how a variant is best served on this machine: batches, delays, processes, threads."""

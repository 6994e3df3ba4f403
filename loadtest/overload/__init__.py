"""Overload on the running service: how much is still answered in time, and what becomes of the rest."""

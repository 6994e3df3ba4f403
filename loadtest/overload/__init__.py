"""Overload on the running service: what is answered in time, and what becomes of the rest."""

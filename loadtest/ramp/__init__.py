"""Ramps over simulated traffic, decided by the gateway's own code: how often they err, how fast."""

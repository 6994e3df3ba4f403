"""Capacity: a measured profile, a simulation of the real policies, and a plan made with both."""

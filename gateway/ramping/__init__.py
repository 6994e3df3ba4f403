"""Ramps: one replica looks at the evidence of all and moves traffic by it."""

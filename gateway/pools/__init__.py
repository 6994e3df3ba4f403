"""Pools of Triton servers: who is well, who is asked, and who else when one is silent."""

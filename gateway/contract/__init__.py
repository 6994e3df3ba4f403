"""What the exporters write and the gateway reads.

The only package of the gateway that others may import; it imports nothing of the gateway.
"""

"""Unary calls over gRPC, spoken by the event loop itself: HTTP/2 without a thread of its own.

Decision 33 says why. `channel.Channel` is what others use; below it `connection` is one HTTP/2
connection, `stream` one call on it, `frames` and `headers` how both are written.
"""

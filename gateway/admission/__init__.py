"""What is let in: so far a fixed limit of requests in flight."""

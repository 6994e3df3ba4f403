"""The same scenario by k6 and by our own senders: whether both see the same latencies."""

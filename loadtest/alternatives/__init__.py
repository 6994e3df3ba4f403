"""What else could stand where the gateway's gate stands: other brakes, other servers of HTTP."""

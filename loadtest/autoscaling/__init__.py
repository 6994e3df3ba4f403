"""Records what Prometheus sees of two pools under load, for autoscaling rules to be replayed."""

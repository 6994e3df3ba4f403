"""Package `diptych` of the gRPC contract."""

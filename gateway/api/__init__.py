"""REST and gRPC: both translate to and from `classification`, and decide nothing else."""

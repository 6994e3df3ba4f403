"""The gateway: REST and gRPC in front of Triton. It knows no model and imports no torch."""

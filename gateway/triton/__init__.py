"""Triton as the gateway sees it: one Protocol, its gRPC client, and what its errors mean."""

"""Triton as the gateway sees it: one Protocol, its gRPC client, and the catalog that is polled."""

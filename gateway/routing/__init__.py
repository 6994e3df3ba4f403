"""Which variant answers a request: pure functions of the catalog and the request."""

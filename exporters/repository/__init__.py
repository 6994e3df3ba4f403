"""A variant as Triton models: typed configuration, the python backend's steps, publication."""

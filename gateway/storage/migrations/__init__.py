"""The schema, one step after another; `env` runs the steps, `gateway.storage.schema` starts it."""

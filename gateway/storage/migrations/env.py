"""Run by Alembic: applies the steps over the connection that `gateway.storage.schema` hands in."""

from __future__ import annotations

from alembic import context

from gateway.storage.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # All steps or none, on SQLite too, whose transactions hold DDL as PostgreSQL's do.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

"""What replicas share and what outlives a process: SQL, in SQLite or PostgreSQL.

Optional: without `DIPTYCH_GATEWAY_DATABASE_URL` the gateway serves all the same.
"""

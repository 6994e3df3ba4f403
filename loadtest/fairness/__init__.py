"""Two clients on the running service: one modest, one that sends ten times its share."""

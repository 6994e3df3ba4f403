"""Which experiments and shadows are in force: those of a file, and those that admins wrote."""

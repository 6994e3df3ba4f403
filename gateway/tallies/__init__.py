"""What came of each arm, counted in every process and added up in the database."""

"""Images that a caller names by URL: off unless hosts are allowed; see DECISIONS, 15."""

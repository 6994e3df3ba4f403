"""Who calls: API keys, what they allow, and the file that they are read from."""

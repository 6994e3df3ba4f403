"""Labels that come with a request: their rules, their embeddings, and sets of them by name."""

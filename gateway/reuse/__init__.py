"""One computation for equal requests: those in flight wait for it, later ones may be given it."""

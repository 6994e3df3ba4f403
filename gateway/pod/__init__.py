"""Several worker processes on the same addresses, and the parent that keeps them alive."""

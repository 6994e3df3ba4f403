"""What is let in: as much as the backend can finish within its deadlines, and nothing above."""

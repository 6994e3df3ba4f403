"""Bench of receipts and feedback: what signing costs, and how many labels a second are kept."""

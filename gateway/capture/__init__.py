"""Captured answers: drawn, written as Parquet, bounded in size and age, forgotten by unit."""

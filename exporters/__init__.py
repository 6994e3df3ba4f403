"""Recipes to trained, proved and published variants in a Triton model repository."""

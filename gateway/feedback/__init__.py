"""What was true: labels that join their predictions by receipt, and what they say of a variant."""

"""Fine-tuning of the last layers of the encoders, together with the head, from a frozen start."""

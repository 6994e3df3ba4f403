"""Which arm is better, whether an arm is broken, and what a ramp does next: arithmetic alone."""

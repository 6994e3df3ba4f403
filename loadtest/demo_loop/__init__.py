"""The learning loop shown end to end: late labels, drift, a retraining, a ramp, a roll-back."""

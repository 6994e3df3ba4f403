"""A `prediction_id` says, signed, what was predicted, so that a label needs no look-up."""

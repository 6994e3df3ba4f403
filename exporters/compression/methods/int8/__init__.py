"""Eight bits, with scales fixed beforehand or taken from each batch."""

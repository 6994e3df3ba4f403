"""Every encoder family against transformers, from raw bytes and text to what Triton answers.

`make conformance` runs all of it and writes the table that is committed; the suite runs the third
of the day.
"""

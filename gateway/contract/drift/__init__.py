"""Whether what a variant is asked still looks like what it was trained and measured on.

The exporter fits a `DriftReference` and publishes it with the variant; the gateway judges windows
of its traffic by it, and the exporter's report the rows that were captured. All use this
arithmetic, so that a figure means the same wherever it is shown.
"""

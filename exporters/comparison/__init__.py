"""Several heads, or several recipes, on the same folds: one table, one plot, a paired test."""

from exporters.comparison.report import REPORT, comparison_table, verdict, write_comparison
from exporters.comparison.run import compare

__all__ = ["REPORT", "compare", "comparison_table", "verdict", "write_comparison"]

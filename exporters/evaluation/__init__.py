"""How good a trained variant is on held-out examples: figures, pictures, report."""

from exporters.evaluation.quality import ModalityQuality, measure_quality
from exporters.evaluation.report import quality_table, write_report

__all__ = ["ModalityQuality", "measure_quality", "quality_table", "write_report"]

"""Fits and calibrates a fusion head on the cached features of frozen encoders."""

from exporters.training.features import Features, load_features
from exporters.training.logits import logits_of
from exporters.training.run import load_trained, train
from exporters.training.variant import TrainedVariant, TrainingInputs

__all__ = [
    "Features",
    "TrainedVariant",
    "TrainingInputs",
    "load_features",
    "load_trained",
    "logits_of",
    "train",
]

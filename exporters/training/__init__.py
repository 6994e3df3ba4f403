"""Fits and calibrates a fusion head on the cached features of frozen encoders."""

from exporters.training.calibration import calibrate, fit_temperature
from exporters.training.features import Features, load_features
from exporters.training.fit import LabelledFeatures, fit_head
from exporters.training.logits import logits_of
from exporters.training.objective import Targets, targets_of
from exporters.training.run import load_inputs, load_trained, train
from exporters.training.variant import TrainedVariant, TrainingInputs

__all__ = [
    "Features",
    "LabelledFeatures",
    "Targets",
    "TrainedVariant",
    "TrainingInputs",
    "calibrate",
    "fit_head",
    "fit_temperature",
    "load_features",
    "load_inputs",
    "load_trained",
    "logits_of",
    "targets_of",
    "train",
]

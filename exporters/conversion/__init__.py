"""Torch modules to ONNX graphs, each followed by a numeric comparison with the module."""

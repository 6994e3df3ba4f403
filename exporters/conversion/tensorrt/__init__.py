"""ONNX graphs to TensorRT plans: the builder library, profiles, the build, and what came of it."""

"""netc: a compiler for neural networks, from a short spec to PyTorch source and ONNX graphs."""

__version__ = "0.1.0"

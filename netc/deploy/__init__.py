"""Runs, compares and measures exported graphs (the only room that imports onnxruntime)."""

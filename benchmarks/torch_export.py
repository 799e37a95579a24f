"""Exports an emitted module with torch.onnx.export: what the benchmarks compare `netc compile` with."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path, help="the emitted module")
    parser.add_argument("net", help="its class")
    parser.add_argument("output", help="the ONNX file to write")
    parser.add_argument("--exporter", choices=["dynamo", "torchscript"], required=True)
    parser.add_argument("--weights", type=Path, help="a safetensors file; without, the module draws its own")
    parser.add_argument("--shape", default="1,3,224,224", help="the shape of its input (%(default)s)")
    arguments = parser.parse_args()

    module = _load(arguments.module, arguments.net, arguments.weights)
    example = torch.zeros(*map(int, arguments.shape.split(",")))
    torch.onnx.export(module, (example,), arguments.output, dynamo=arguments.exporter == "dynamo")


def _load(path: Path, net: str, weights: Path | None) -> torch.nn.Module:
    """The module in evaluation mode; with `weights`, it is made without values, which are then assigned."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    emitted = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = emitted
    spec.loader.exec_module(emitted)
    if weights is None:
        return getattr(emitted, net)().eval()
    from safetensors.torch import load_file

    with torch.device("meta"):
        module = getattr(emitted, net)()
    module.load_state_dict(load_file(weights), assign=True)
    return module.eval()


if __name__ == "__main__":
    main()

"""Measures what onnxruntime's own tools make of netc's ONNX files, beside those of torch.onnx.export.

Each net is exported by both with the same weights and quantized to int8 (dynamically, and statically with QDQ nodes) and
converted to float16. A product is a MatMul, Gemm or LSTM that reads a weight. The error is that of the first output against
float32, in relation to its largest element.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from timing import NETC, ROOT, Bound, conclude, run, table

if TYPE_CHECKING:
    import torch

NETS = {"CharTransformer": "char", "ViTTiny": "vit", "CharLSTM": "char"}
ERRORS = {"int8 dynamic": 0.1, "int8 QDQ": 0.2, "float16": 0.01}
PRODUCTS = ("MatMul", "Gemm", "LSTM")
INTEGER_PRODUCTS = ("MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "QGemm", "DynamicQuantizeLSTM")
FLOAT16 = onnx.TensorProto.FLOAT16

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """A file in one form. products: in how many products the weight has the form's precision."""

    products: int
    error: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", metavar="NET", default=list(NETS), help=f"of {', '.join(NETS)}")
    arguments = parser.parse_args()
    bounds: list[Bound] = []
    rows: list[tuple[str, ...]] = []
    for net in arguments.nets:
        with tempfile.TemporaryDirectory() as folder:
            for name, (ours, theirs) in measure(net, Path(folder)).items():
                counts = f"{ours.products} / {theirs.products}"
                errors = f"{ours.error:.1e} / {theirs.error:.1e}"
                rows.append((net, name, counts, errors, f"{ours.megabytes:.2f} / {theirs.megabytes:.2f}"))
                bounds.append(
                    Bound(
                        f"{net}, {name}: products, torch's / netc's",
                        theirs.products / max(ours.products, 0.1),
                        1,
                    )
                )
                if name in ERRORS:
                    bounds.append(Bound(f"{net}, {name}: error", ours.error, ERRORS[name]))
    table(("net", "form", "products, netc / torch", "error", "MB"), rows)
    conclude(bounds)


def measure(net: str, folder: Path) -> dict[str, tuple[Form, Form]]:
    """Each form of `net`, as netc and as torch's tracing exporter wrote it."""
    ours, theirs = folder / "netc.onnx", folder / "torch.onnx"
    examples = export(net, folder, ours, theirs)
    form = partial(_form, inputs=examples[0], truth=outputs(ours, examples[0]))
    counts = [sum(1 for _ in products(onnx.load(path))) for path in (ours, theirs)]
    found = {"float32": (form(ours, counts[0]), form(theirs, counts[1]))}
    for name, convert in FORMS.items():
        files = [path.with_name(f"{path.stem}.{len(found)}.onnx") for path in (ours, theirs)]
        for path, converted in zip((ours, theirs), files, strict=True):
            convert(path, converted, examples)
        one, other = (form(path, sum(low_products(onnx.load(path)))) for path in files)
        found[name] = one, other
    return found


def export(net: str, folder: Path, ours: Path, theirs: Path) -> list[Inputs]:
    """Writes `net` by both exporters with the same weights; gives inputs for it."""
    run(
        [
            *NETC,
            "compile",
            str(ROOT / "specs" / f"{NETS[net]}.net"),
            "--net",
            net,
            "-o",
            str(folder),
            "--seed",
            "1",
        ]
    )
    (source,), (weights,), (written,) = (
        list(folder.glob(f"*.{kind}")) for kind in ("py", "safetensors", "onnx")
    )
    written.rename(ours)
    import torch

    inputs = ort.InferenceSession(str(ours)).get_inputs()
    random = np.random.default_rng(0)
    examples = [{i.name: _draw(i, random) for i in inputs} for _ in range(4)]
    module = _module(source, net, weights)
    given = tuple(torch.from_numpy(x) for x in examples[0].values())
    names = [i.name for i in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, given, str(theirs), dynamo=False, opset_version=17, input_names=names,
            dynamic_axes={name: {0: "N"} for name in names},
        )  # fmt: skip
    return examples


def _draw(value: Any, random: np.random.Generator) -> Any:
    shape = [size if isinstance(size, int) else 2 for size in value.shape]
    if value.type == "tensor(int64)":
        return random.integers(0, 96, shape)
    return random.standard_normal(shape).astype(np.float32)


def _module(path: Path, net: str, weights: Path) -> torch.nn.Module:
    from safetensors.torch import load_file

    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    emitted = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = emitted
    spec.loader.exec_module(emitted)
    module: torch.nn.Module = getattr(emitted, net)()
    module.load_state_dict(load_file(weights))
    return module.eval()


def outputs(path: Path, inputs: Inputs) -> Any:
    """The first output of the file, in float32."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0].astype(np.float32)


def _form(path: Path, count: int, inputs: Inputs, truth: Any) -> Form:
    """What a file is like. It runs in a process of its own, as onnxruntime may crash: the error is then infinite."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            found = pool.submit(outputs, path, inputs).result()
            error = float(np.abs(found - truth).max() / np.abs(truth).max())
        except BrokenProcessPool:
            error = inf
    return Form(count, error, path.stat().st_size / 1e6)


def products(model: Any) -> Iterator[Any]:
    """The nodes that multiply by a weight."""
    stored = {t.name for t in model.graph.initializer}
    yield from (n for n in model.graph.node if n.op_type in PRODUCTS and n.input[1] in stored)


def low_products(model: Any) -> Iterator[bool]:
    """Of each product of a converted graph whether its weight is of lower precision."""
    stored = {t.name: t.data_type for t in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type in INTEGER_PRODUCTS:
            yield True
        elif node.op_type in PRODUCTS:
            weight = node.input[1]
            maker = makers.get(weight)
            dequantized = (
                maker is not None and maker.op_type == "DequantizeLinear" and maker.input[0] in stored
            )
            yield dequantized or stored.get(weight) == FLOAT16


def _dynamic(path: Path, converted: Path, examples: list[Inputs]) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(path, converted)


def _static(path: Path, converted: Path, examples: list[Inputs]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(examples)

        def get_next(self) -> Inputs | None:
            return next(self.left, None)

    quantize_static(path, converted, Reader(), quant_format=QuantFormat.QDQ, per_channel=True)


def _float16(path: Path, converted: Path, examples: list[Inputs]) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), converted)


FORMS: dict[str, Callable[[Path, Path, list[Inputs]], None]] = {
    "int8 dynamic": _dynamic,
    "int8 QDQ": _static,
    "float16": _float16,
}

if __name__ == "__main__":
    main()

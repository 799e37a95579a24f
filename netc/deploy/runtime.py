"""Turns an ONNX model into a session of onnxruntime that runs where it was asked to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt
import onnxruntime as ort

from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import graph_failed, provider_missing, provider_not_running

Array: TypeAlias = npt.NDArray[Any]
CPU = "CPUExecutionProvider"
QUIET = 3  # errors only


def start(path: Path, provider: str = CPU) -> Any:
    """A session for the model at `path` on `provider`; Refused where onnxruntime would run it elsewhere."""
    if provider not in (available := ort.get_available_providers()):
        raise Refused(provider_missing(provider, available))
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    try:
        session = ort.InferenceSession(str(path), options, list(dict.fromkeys((provider, CPU))))
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise Refused(graph_failed(str(path), str(error)[:2000])) from None
    running = session.get_providers()
    if running[0] != provider:
        raise Refused(provider_not_running(provider, running))
    return session


def outputs_of(
    session: Any, path: Path, inputs: Mapping[str, Array], names: Sequence[str] | None = None
) -> list[Array]:
    """What the session gives: all outputs in order, or those called `names`."""
    taken = {i.name for i in session.get_inputs()}
    try:
        given = session.run(names, {name: array for name, array in inputs.items() if name in taken})
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise Refused(graph_failed(str(path), str(error)[:2000])) from None
    return list(given)

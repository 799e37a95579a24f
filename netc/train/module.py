"""Turns an emitted Python file and named arrays into a torch module with those weights."""

from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say

Weights = Mapping[str, npt.NDArray[np.generic]]


class _Loader(SourceFileLoader):
    """Runs a file without leaving compiled bytes beside it."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        pass


def load_module(path: Path, class_name: str, weights: Weights) -> torch.nn.Module:
    """The net of the emitted file; every weight must be given, and no other."""
    name = f"netc_emitted_{path.stem}"
    spec = spec_from_loader(name, _Loader(name, str(path)))
    assert spec and spec.loader
    file = module_from_spec(spec)
    spec.loader.exec_module(file)
    net: torch.nn.Module = getattr(file, class_name)()
    _load(net, weights)
    return net


def _load(net: torch.nn.Module, weights: Weights) -> None:
    own = net.state_dict()
    missing, unexpected = [k for k in own if k not in weights], [k for k in weights if k not in own]
    shapes = [k for k, v in own.items() if k in weights and tuple(v.shape) != np.shape(weights[k])]
    if missing or unexpected or shapes:
        raise Refused(say.weights_differ(missing, unexpected, shapes))
    net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})


def weights_of(net: torch.nn.Module) -> dict[str, npt.NDArray[np.generic]]:
    """The state of a net as arrays of their own, in the order of its names."""
    return {
        name: value.detach().cpu().contiguous().numpy().copy() for name, value in net.state_dict().items()
    }


def placed(net: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The net on a device, with its convolutions in the memory order that is fast on both kinds."""
    return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def device_named(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda`; auto is a GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise Refused(say.no_cuda())
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)

"""Turns emitted Python source and named arrays into a torch module with those weights, or its form for training."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say

Weights = Mapping[str, npt.NDArray[np.generic]]


def load_module(source: str, class_name: str, weights: Weights) -> torch.nn.Module:
    """The net of an emitted module, which netc has just written; every weight must be given, and no other."""
    return _loaded(_file(source, class_name), class_name, weights)


def load_training(source: str, class_name: str, weights: Weights) -> torch.nn.Module:
    """The same in its form for training, which calls the net `net`."""
    file = _file(source, class_name)
    training: torch.nn.Module = file.Training(_loaded(file, class_name, weights))
    return training


def _file(source: str, class_name: str) -> ModuleType:
    file = ModuleType("netc_emitted")
    exec(compile(source, f"<the module of {class_name}>", "exec"), file.__dict__)
    return file


def _loaded(file: ModuleType, class_name: str, weights: Weights) -> torch.nn.Module:
    net: torch.nn.Module = getattr(file, class_name)()
    own = net.state_dict()
    missing, unexpected = [k for k in own if k not in weights], [k for k in weights if k not in own]
    shapes = [k for k, v in own.items() if k in weights and tuple(v.shape) != np.shape(weights[k])]
    if missing or unexpected or shapes:
        raise Refused(say.weights_differ(missing, unexpected, shapes))
    net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return net


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

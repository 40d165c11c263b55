"""TorchScript for those who serve with libtorch; deprecated in PyTorch, so its warnings end at this door."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning


def write_torchscript(module: nn.Module, example: Tensor, path: Path) -> torch.jit.ScriptModule:
    """Trace a module, write it, and give back what a reader of the file would get.

    A TorchScript archive carries code. It is listed in the manifest as optional and never opened by the service.
    """
    with warnings.catch_warnings():
        for deprecation in (DeprecationWarning, FutureWarning):  # torch.jit is deprecated, and still asked for
            warnings.simplefilter("ignore", deprecation)
        warnings.simplefilter("ignore", TracerWarning)  # timm asserts on image size: static here
        traced = torch.jit.trace(module, example, check_trace=False)
        traced.save(str(path))
        scripted: torch.jit.ScriptModule = torch.jit.load(str(path))
    return scripted

"""How a run is executed: device, precision, compilation, processes. None of it says what is learned."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.attention import SDPBackend, sdpa_kernel

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True, slots=True)
class Engine:
    """Choices of execution.

    Attributes:
        device: `cpu` or `cuda`.
        precision: of matrix products; weights, moments and losses are float32 in both.
        is_compiled: whether networks go through torch.compile.
        micro_batch: images a process puts through the network at once; a larger step is accumulated. None: all.
        workers: processes that prepare batches; 0 prepares them in the training process.
        is_deterministic: whether only deterministic kernels are used; slower on a GPU.
        is_resident: whether all packed images are kept on the device; None decides by its free memory.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "32-true"
    is_compiled: bool = False
    micro_batch: int | None = None
    workers: int = 0
    is_deterministic: bool = False
    is_resident: bool | None = None

    def launch(self) -> Fabric:
        """Join the other processes of a `torchrun`, or be alone.

        Raises:
            ValueError: CUDA was asked for and is not there.
        """
        if self.is_deterministic:  # before CUDA is used; PyTorch refuses matrix products without it
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # noqa: TID251  # cuBLAS's own variable
        require_device(self.device)
        torch.use_deterministic_algorithms(self.is_deterministic)
        torch.set_float32_matmul_precision("high")  # TF32 where float32 products remain on a GPU
        torch.set_flush_denormal(True)
        num_visible = torch.cuda.device_count() if self.device == "cuda" else 0
        world, local = _processes(num_visible)
        devices = devices_of_processes(self.device, local, num_visible)
        fabric = Fabric(
            accelerator=self.device,
            strategy=DDPStrategy(parallel_devices=devices) if world > 1 else "auto",
            devices=len(set(devices)),
            num_nodes=world // local,
            precision=self.precision,
        )
        fabric.launch()
        return fabric

    @contextlib.contextmanager
    def attention(self) -> Iterator[None]:
        """Attention by plain matrix products where that is faster: in bfloat16 on a CPU.

        There PyTorch's fused kernel is slow on short sequences. ViT-S/16 at 160 px with 15 visible patches, one thread
        with AMX: 59 images a second fused, 94 plain.
        """
        is_slow = self.device == "cpu" and self.precision == "bf16-mixed"
        with sdpa_kernel(SDPBackend.MATH) if is_slow else contextlib.nullcontext():
            yield

    def without_micro_batches(self) -> "Engine":
        """The same, with every step in one piece."""
        return replace(self, micro_batch=None)

    def holds(self, num_bytes: int) -> bool:
        """Whether images of this size are kept on the device: half of its free memory is the network's."""
        if self.is_resident is not None or self.device == "cpu":
            return bool(self.is_resident)
        free, _ = torch.cuda.mem_get_info()
        return num_bytes < free / 2


def _processes(num_visible: int) -> tuple[int, int]:
    """How many processes this run has, and how many of them on this machine: what `torchrun` says."""
    if not TorchElasticEnvironment.detect():
        return 1, 1
    world = TorchElasticEnvironment().world_size()
    usual = min(world, num_visible or world)
    return world, int(os.environ.get("LOCAL_WORLD_SIZE", usual))  # noqa: TID251  # Fabric reads torchrun's others


def devices_of_processes(kind: Literal["cpu", "cuda"], num_local: int, num_visible: int) -> list[torch.device]:
    """The device of each process on this machine.

    Args:
        kind: of device.
        num_local: processes on this machine.
        num_visible: GPUs that a process sees: all of the machine's, or, where CUDA_VISIBLE_DEVICES differs between
            processes, its own.
    """
    if kind == "cpu":
        return [torch.device("cpu")] * num_local
    return [torch.device("cuda", rank % num_visible) for rank in range(num_local)]


def require_device(device: str) -> None:
    """Raises: ValueError: it is CUDA, and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch sees no CUDA device here")


def default_engine() -> Engine:
    """What suits this machine: CUDA with bfloat16 and compilation; a CPU in bfloat16 only where it has units for it."""
    if torch.cuda.is_available():
        return Engine("cuda", "bf16-mixed", is_compiled=True, workers=max(1, torch.get_num_threads() - 1))
    return Engine("cpu", "bf16-mixed" if cpu_has_bfloat16() else "32-true")


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512_BF16 or AMX); emulated, it is slower than float32."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001  # no public name

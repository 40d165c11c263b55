"""What a network costs: parameters and multiply-accumulates, by the three conventions in use.

Table 5 of arXiv:2210.12843 is in the second one, which leaves out attention's two matrix products; at 448 px they are a
third of what a ViT-S really does.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_FLOPS_PER_MAC = 2

# As ptflops weighs what is neither a product nor a convolution: operations for each element that goes in.
_OPERATIONS_PER_ELEMENT: tuple[tuple[tuple[type[nn.Module], ...], int], ...] = (
    ((nn.LayerNorm, nn.BatchNorm2d), 2),
    ((nn.GELU, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d), 1),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One forward pass.

    Attributes:
        num_parameters: all of them, also fixed position embeddings; running statistics are none.
        linear_macs: linear layers and convolutions alone, without biases.
        elementwise: norms (2 an element), activations and pools (1 an element), called as modules.
        attention_macs: query by key and attention by value.
    """

    num_parameters: int
    linear_macs: int
    elementwise: int
    attention_macs: int

    @property
    def ptflops_macs(self) -> int:
        """As ptflops counts: layers and element-wise modules; functional products are invisible to it."""
        return self.linear_macs + self.elementwise

    @property
    def true_macs(self) -> int:
        """Every matrix product and convolution, attention included."""
        return self.linear_macs + self.attention_macs


def num_parameters(network: nn.Module) -> int:
    """Parameters of a network, trainable or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def measure(network: nn.Module, *inputs: object) -> Cost:
    """Count one forward pass; with network and inputs on the `meta` device, nothing is computed for it.

    Args:
        network: what is counted; hooks are taken off again.
        inputs: arguments of the pass, tensors or not.
    """
    elementwise: list[int] = []
    with ExitStack() as hooks, FlopCounterMode(display=False) as counter:
        for module in network.modules():
            for kinds, weight in _OPERATIONS_PER_ELEMENT:
                if isinstance(module, kinds):
                    hook = partial(_count_elements, elementwise, weight)
                    hooks.enter_context(module.register_forward_pre_hook(hook))
        network(*inputs)
    flops = {str(operator): number for operator, number in counter.get_flop_counts()["Global"].items()}
    attention = sum(number for operator, number in flops.items() if "bmm" in operator or "attention" in operator)
    return Cost(
        num_parameters(network),
        (sum(flops.values()) - attention) // _FLOPS_PER_MAC,
        sum(elementwise),
        attention // _FLOPS_PER_MAC,
    )


def _count_elements(counts: list[int], weight: int, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    counts.append(weight * inputs[0].numel())

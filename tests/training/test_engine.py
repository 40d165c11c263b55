"""How runs are executed: what differs between machines, and what must not."""

import pytest
import torch
from torch.backends.cuda import flash_sdp_enabled, math_sdp_enabled

from training.engine import Engine


@pytest.mark.parametrize(
    ("engine", "is_fused"),
    [
        (Engine("cpu", "bf16-mixed"), False),
        (Engine("cpu", "32-true"), True),
        (Engine("cuda", "bf16-mixed"), True),
    ],
)
def test_attention__is_plain_in_bfloat16_on_a_cpu_alone(engine, is_fused):
    with engine.attention():
        assert (flash_sdp_enabled(), math_sdp_enabled()) == (is_fused, True)

    assert flash_sdp_enabled()


def test_attention__gives_the_same_numbers():
    """To the rounding of bfloat16."""
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 3, 15, 16).bfloat16()
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    with Engine("cpu", "bf16-mixed").attention():
        plain = torch.nn.functional.scaled_dot_product_attention(query, key, value)

    assert torch.allclose(plain, fused, atol=2e-2)

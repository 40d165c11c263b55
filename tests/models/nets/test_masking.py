"""Which patches stay visible."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.nets.masking import keep_count, mask_from_noise, take_tokens
from tests import goldens

KEPT = [
    (int(patches[1:]), float(ratio), count)
    for patches, counts in goldens.facts()["len_keep"].items()
    for ratio, count in counts.items()
]


@pytest.mark.parametrize(("num_patches", "mask_ratio", "count"), [case for case in KEPT if case[2]])
def test_keep_count__is_the_official_code_s(num_patches, mask_ratio, count):
    """Truncated in floating point: 19 of 196 at 0.90, and 9 of 100."""
    assert count == keep_count(num_patches, mask_ratio)


@pytest.mark.parametrize("mask_ratio", [0.95, 1.0, 0.0, -0.1, 1.5])
def test_keep_count__nothing_visible_or_nothing_hidden_raises(mask_ratio):
    """Sixteen patches at 0.95 would leave an encoder with nothing but its class token."""
    with pytest.raises(ValueError, match="mask ratio"):
        keep_count(16, mask_ratio)


@st.composite
def noises(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    """Noise (B, L), with ties now and then, and a number of patches to keep."""
    batch, num_patches = draw(st.integers(1, 4)), draw(st.integers(2, 50))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    noise = torch.rand(batch, num_patches, generator=generator)
    if draw(st.booleans()):
        noise = (noise * 4).round()
    return noise, draw(st.integers(1, num_patches - 1))


@settings(deadline=None)
@given(case=noises())
def test_mask_from_noise__keeps_the_smallest_and_hides_the_rest(case):
    """Every image shows exactly as many patches as asked for, and none louder than a hidden one."""
    noise, num_keep = case
    masking = mask_from_noise(noise, num_keep)
    hidden = masking.mask.bool()

    assert (num_keep == (~hidden).sum(dim=1)).all()
    assert torch.equal(masking.ids_keep.sort(dim=1).values, (~hidden).nonzero()[:, 1].reshape(len(noise), -1))
    assert (noise.masked_fill(hidden, -1).amax(dim=1) <= noise.masked_fill(~hidden, 9).amin(dim=1)).all()


@settings(deadline=None)
@given(case=noises())
def test_mask_from_noise__ids_restore_undoes_the_shuffle(case):
    """Taking tokens by `ids_restore` puts the shuffled sequence back in order."""
    noise, num_keep = case
    masking = mask_from_noise(noise, num_keep)
    tokens = torch.arange(noise.numel(), dtype=torch.float32).reshape(*noise.shape, 1)

    shuffled = take_tokens(tokens, masking.ids_restore.argsort(dim=1))

    assert torch.equal(tokens, take_tokens(shuffled, masking.ids_restore))
    assert torch.equal(take_tokens(tokens, masking.ids_keep), shuffled[:, :num_keep])
    assert torch.equal(take_tokens(tokens, masking.ids_hidden), shuffled[:, num_keep:])


@pytest.mark.parametrize("case", ["r75", "r90"])
def test_mask_from_noise__is_the_official_code_s(case):
    """The same noise hides the same patches."""
    golden = goldens.tensors("mae_rand_io")
    masking = mask_from_noise(golden[f"{case}.noise"], keep_count(16, 0.75 if case == "r75" else 0.90))

    assert torch.equal(golden[f"{case}.mask"], masking.mask)
    assert torch.equal(golden[f"{case}.ids_restore"], masking.ids_restore)

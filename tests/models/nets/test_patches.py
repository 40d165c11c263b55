"""Images as sequences of patches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.nets.patches import patchify, unpatchify

sides = st.integers(1, 5)


@settings(deadline=None)
@given(batch=sides, channels=sides, rows=sides, columns=sides, patch=sides)
def test_unpatchify__undoes_patchify(batch, channels, rows, columns, patch):
    """Nothing is lost, nothing moves, also where the picture is not square."""
    shape = (batch, channels, rows * patch, columns * patch)
    images = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)

    assert torch.equal(images, unpatchify(patchify(images, patch), patch, rows))


@settings(deadline=None)
@given(rows=sides, columns=sides, patch=sides, pick=st.integers(0, 2**31))
def test_patchify__orders_patches_row_by_row_and_channels_fastest(rows, columns, patch, pick):
    """The order of released weights: (row, column, channel) within a patch."""
    images = torch.randn(2, 3, rows * patch, columns * patch, generator=torch.Generator().manual_seed(pick))
    row, column = pick % rows, pick % columns
    square = images[:, :, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]

    cut = patchify(images, patch)[:, row * columns + column]

    assert torch.equal(square.permute(0, 2, 3, 1).flatten(1), cut)


def test_patchify__not_divisible_raises():
    """A rest of pixels is a mistake, not something to drop."""
    with pytest.raises(ValueError, match="30x32 is not divisible into patches of 16 px"):
        patchify(torch.zeros(1, 3, 30, 32), 16)


def test_unpatchify__patches_that_fill_no_rows_raise():
    """Five patches are no two rows."""
    with pytest.raises(ValueError, match="5 patches"):
        unpatchify(torch.zeros(1, 5, 12), 2, rows=2)

"""Sine-cosine tables and resampling."""

import hashlib

import pytest
import torch

from models.nets.pos_embed import resample, sincos_2d
from tests import goldens

SINCOS = goldens.facts()["sincos"]
GRIDS = {197: 14, 785: 28}

# Bicubic weights are summed in another order on another build of torch.
RESAMPLING_TOLERANCE = 1e-6


@pytest.mark.parametrize("name", SINCOS)
def test_sincos_2d__has_the_official_table_s_checksum(name):
    """Bit for bit: released decoders were trained on exactly this table."""
    golden = SINCOS[name]
    rows, dim = golden["shape"]

    table = sincos_2d(dim, GRIDS[rows])[0]

    assert (rows, dim) == tuple(table.shape)
    assert golden["row2_first4"] == pytest.approx(table[2, :4].tolist())
    assert golden["row2_mid4"] == pytest.approx(table[2, dim // 2 : dim // 2 + 4].tolist())
    assert golden["sum"] == pytest.approx(table.double().sum().item(), rel=1e-9)
    assert golden["sha256_f32"] == hashlib.sha256(table.numpy().tobytes()).hexdigest()


def test_sincos_2d__channels_that_cannot_be_shared_raise():
    """Two axes with a sine and a cosine each need a multiple of four."""
    with pytest.raises(ValueError, match="multiple of 4"):
        sincos_2d(50, 14)


def test_resample__is_the_official_code_s():
    """Bicubic without antialiasing; the class token keeps its row."""
    golden = goldens.tensors("pos_embed_4to8")

    actual = resample(golden["pos_embed_in"], 8)

    assert goldens.relative_error(actual, golden["pos_embed_out"]) < RESAMPLING_TOLERANCE
    assert torch.equal(golden["pos_embed_in"][:, 0], actual[:, 0])


def test_resample__equal_grids_give_the_input():
    """Nothing is interpolated that already fits."""
    table = sincos_2d(8, 5)

    assert table is resample(table, 5)


def test_resample__no_square_raises():
    """Twelve patches could be 3 by 4 or 2 by 6."""
    with pytest.raises(ValueError, match="12 position embeddings"):
        resample(torch.zeros(1, 13, 8), 4)

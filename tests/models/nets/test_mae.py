"""The masked autoencoder against the official implementation."""

import copy

import pytest
import torch

from models.nets.mae import MaeConfig, MaskedAutoencoder, mae
from models.nets.masking import keep_count, mask_from_noise
from models.nets.vit import VitShape
from tests import goldens
from tests.goldens import relative_error

# Ours embeds visible patches alone and sums in another order; both are float32.
FORWARD_TOLERANCE = 1e-5
# A gradient passes every layer twice, and some of a tensor's entries are a thousandth of its largest.
BACKWARD_TOLERANCE = 1e-4

CASES = pytest.mark.parametrize(("case", "mask_ratio"), [("r75", 0.75), ("r90", 0.90)])


@CASES
class TestForward:
    def test_prediction_mask_and_loss_are_the_official_code_s(self, case, mask_ratio):
        """Same weights, same noise, same numbers."""
        golden = goldens.tensors("mae_rand_io")
        with torch.no_grad():
            loss, pred, mask, ids_restore = goldens.autoencoder()(golden["imgs"], golden[f"{case}.noise"], mask_ratio)

        assert golden[f"{case}.loss"].item() == pytest.approx(loss.item(), rel=FORWARD_TOLERANCE)
        assert relative_error(pred, golden[f"{case}.pred"]) < FORWARD_TOLERANCE
        assert torch.equal(golden[f"{case}.mask"], mask)
        assert torch.equal(golden[f"{case}.ids_restore"], ids_restore)

    def test_loss_on_standardised_patches_is_the_official_code_s(self, case, mask_ratio):
        """`norm_pix_loss`: unbiased variance, plus 1e-6."""
        golden = goldens.tensors("mae_rand_io")
        with torch.no_grad():
            loss = goldens.autoencoder(norm_pix_loss=True)(golden["imgs"], golden[f"{case}.noise"], mask_ratio).loss

        assert golden[f"{case}.loss_norm_pix"].item() == pytest.approx(loss.item(), rel=FORWARD_TOLERANCE)

    def test_latents_are_the_official_code_s(self, case, mask_ratio):
        """Class token first, patches in shuffled order."""
        golden = goldens.tensors("mae_rand_io")
        masking = mask_from_noise(golden[f"{case}.noise"], keep_count(16, mask_ratio))
        with torch.no_grad():
            latents = goldens.autoencoder().encode(golden["imgs"], masking.ids_keep)

        assert relative_error(latents, golden[f"{case}.latent"]) < FORWARD_TOLERANCE


def _gradients(network, loss):
    loss.backward()
    return {name: parameter.grad for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_backward__gradients_are_the_official_code_s():
    """Of every trainable tensor; the position tables have none."""
    golden, expected = goldens.tensors("mae_rand_io"), goldens.tensors("mae_rand_grads_r75")
    network = goldens.autoencoder()

    gradients = _gradients(network, network(golden["imgs"], golden["r75.noise"], 0.75).loss)

    assert expected.keys() == gradients.keys()
    errors = {name: relative_error(gradients[name], expected[name]) for name in expected}
    assert {} == {name: error for name, error in errors.items() if not error < BACKWARD_TOLERANCE}


class TestTrainingLoss:
    @pytest.mark.parametrize("norm_pix_loss", [False, True])
    @CASES
    def test_it_equals_the_loss_of_forward(self, case, mask_ratio, norm_pix_loss):
        """Decoding hidden patches alone saves time and changes neither value nor gradient."""
        golden = goldens.tensors("mae_rand_io")
        networks = [goldens.autoencoder(norm_pix_loss=norm_pix_loss) for _ in range(2)]

        _assert_lean_is_whole(*networks, golden["imgs"], golden[f"{case}.noise"], mask_ratio)

    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_it_does_so_for_decoders_of_any_depth(self, depth):
        """The first block shares what hidden tokens have in common, the last drops visible ones; one may be both."""
        generator = torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        whole = MaskedAutoencoder(MaeConfig(goldens.ENCODER, VitShape(32, depth, 4), 64))
        with torch.no_grad():
            for parameter in whole.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
        images, noise = torch.randn(3, 3, 64, 64, generator=generator), torch.rand(3, 16, generator=generator)

        _assert_lean_is_whole(whole, copy.deepcopy(whole), images, noise, 0.75)


def _assert_lean_is_whole(whole, lean, *inputs):
    expected, actual = whole(*inputs).loss, lean.training_loss(*inputs)

    assert expected.item() == pytest.approx(actual.item(), rel=FORWARD_TOLERANCE)
    lean_gradients = _gradients(lean, actual)
    errors = {name: relative_error(lean_gradients[name], grad) for name, grad in _gradients(whole, expected).items()}
    assert {} == {name: error for name, error in errors.items() if not error < BACKWARD_TOLERANCE}


def test_initialisation__draws_qkv_as_one_matrix_and_leaves_tables_fixed():
    """Xavier's bound of a (3D, D) matrix is narrower than that of three (D, D) ones."""
    torch.manual_seed(0)
    network = mae("vit_tiny", "128x2", image_size_px=32)
    state = network.state_dict()
    bound = (6 / (192 + 3 * 192)) ** 0.5

    assert bound * 0.99 < state["blocks.0.attn.qkv.weight"].abs().max() <= bound
    assert not state["blocks.0.attn.qkv.bias"].any()
    assert network.cls_token.std().item() == pytest.approx(0.02, rel=0.3)
    assert not network.pos_embed.requires_grad
    assert not network.decoder_pos_embed.requires_grad

"""In-painting: what the U-Net sees, what it is asked for, and whose numbers those are."""

import copy

import pytest
import torch

from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.mae import mae
from models.nets.patches import unpatchify
from tests.goldens import relative_error

SIDE_PX = 64
LOSS_ON = pytest.mark.parametrize("loss_on", ["all", "hidden"])

# The same products in float32; the two losses sum their squares in another order.
LOSS_TOLERANCE = 1e-5
# A gradient passes 120 batch norms over no more than eight positions, each of which magnifies rounding.
BACKWARD_TOLERANCE = 1e-3


@pytest.fixture(name="trained", scope="module")
def _trained():
    torch.manual_seed(0)
    return InpaintingAutoencoder(InpaintingConfig(SIDE_PX))


@pytest.fixture(name="autoencoder")
def _autoencoder(trained, loss_on):
    """A copy that a test may change, with one of the two losses."""
    network = copy.deepcopy(trained)
    network.config = InpaintingConfig(SIDE_PX, loss_on=loss_on)
    return network


def _batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, SIDE_PX, SIDE_PX, generator=generator), torch.rand(2, 16, generator=generator)


class TestWhatItSees:
    def test_hidden_patches_are_black_and_visible_ones_untouched(self, trained):
        """Zero in normalised space; patches of 16 px, row by row."""
        images, _ = _batch()
        mask = torch.zeros(2, 16)
        mask[0, 5] = mask[1, 15] = 1

        seen = trained.hide(images, mask)

        expected = images.clone()
        expected[0, :, 16:32, 16:32] = 0
        expected[1, :, 48:, 48:] = 0
        assert torch.equal(expected, seen)

    def test_what_is_hidden_changes_nothing_that_is_painted(self, trained):
        """It cannot look behind the mask."""
        images, noise = _batch()
        trained.eval()
        with torch.no_grad():
            first = trained(images, noise, 0.75)
            hidden = first.mask.unsqueeze(-1).expand(-1, -1, 16 * 16 * 3)
            elsewhere = images + unpatchify(hidden, 16, rows=4) * torch.randn_like(images)
            second = trained(elsewhere, noise, 0.75)

        assert torch.equal(first.pred, second.pred)
        assert not torch.equal(first.loss, second.loss)

    def test_the_mask_is_the_masked_autoencoder_s(self, trained):
        """Same noise, same patches: both baselines hide alike."""
        images, noise = _batch()
        with torch.no_grad():
            expected = mae("vit_tiny", "128x2h4", image_size_px=SIDE_PX)(images, noise, 0.75)
            actual = trained(images, noise, 0.75)

        assert torch.equal(expected.mask, actual.mask)
        assert torch.equal(expected.ids_restore, actual.ids_restore)
        assert expected.pred.shape == actual.pred.shape


@LOSS_ON
class TestLoss:
    def test_it_compares_all_pixels_or_the_hidden_ones(self, autoencoder, loss_on):
        """All of them is what the official code does; its line for the hidden ones is commented out."""
        images, noise = _batch()
        autoencoder.eval()
        with torch.no_grad():
            loss, pred, mask, _ = autoencoder(images, noise, 0.75)
            painted = autoencoder.model(autoencoder.hide(images, mask))
        squares = (painted - images).square()
        is_hidden = mask.reshape(2, 1, 4, 4).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3).expand_as(images)
        compared = squares if loss_on == "all" else squares[is_hidden == 1]

        assert compared.mean().item() == pytest.approx(loss.item(), rel=LOSS_TOLERANCE)
        assert torch.equal(painted, unpatchify(pred, 16, rows=4))

    def test_the_training_loss_is_the_loss_of_forward(self, autoencoder):
        """Value and every gradient, with batch statistics."""
        whole, lean, (images, noise) = autoencoder.train(), copy.deepcopy(autoencoder), _batch()
        expected, actual = whole(images, noise, 0.75).loss, lean.training_loss(images, noise, 0.75)
        expected.backward()
        actual.backward()

        assert expected.item() == pytest.approx(actual.item(), rel=LOSS_TOLERANCE)
        gradients = dict(lean.named_parameters())
        errors = {
            name: relative_error(gradients[name].grad, parameter.grad)
            for name, parameter in whole.named_parameters()
            if parameter.grad.any()
        }
        assert {} == {name: error for name, error in errors.items() if not error < BACKWARD_TOLERANCE}


@pytest.mark.parametrize(("image_size_px", "patch_size_px"), [(48, 16), (64, 24), (0, 16), (16, 16)])
def test_config__refuses_sizes_that_do_not_divide(image_size_px, patch_size_px):
    """The U-Net halves five times; patches fill the image."""
    with pytest.raises(ValueError, match="no multiple"):
        InpaintingConfig(image_size_px, patch_size_px)

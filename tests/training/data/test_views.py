"""The two views of momentum contrast."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from training.data.draws import generator_of
from training.data.views import ViewDraw, blur, jitter

# uint8 rounding, twice.
LEVELS = 2


def pictures(num: int = 4) -> torch.Tensor:
    return torch.randint(256, (num, 40, 40), generator=generator_of(0, 0), dtype=torch.uint8)


def test_a_view_is_left_alone_where_nothing_was_drawn():
    """Factors of one, no deviation."""
    assert torch.equal(pictures(), blur(jitter(pictures(), torch.ones(4, 2)), torch.zeros(4)))


def test_each_image_is_blurred_by_its_own_deviation():
    """As SciPy blurs it, away from the truncated tails."""
    sigma = torch.tensor([0.0, 0.5, 1.0, 2.0])

    blurred = blur(pictures(), sigma)

    for image, deviation, result in zip(pictures().numpy(), sigma.tolist(), blurred.numpy(), strict=True):
        expected = gaussian_filter(image.astype(float), deviation, mode="mirror", radius=4) if deviation else image
        assert np.abs(expected - result.astype(float)).max() <= LEVELS


def test_contrast_turns_about_the_mean():
    """Half of the deviation, the same mean."""
    soft = jitter(pictures(1), torch.tensor([[1.0, 0.5]])).float()

    assert abs(soft.mean() - pictures(1).float().mean()) < 1
    assert abs(soft.std() / pictures(1).float().std() - 0.5) < 0.01


def test_the_draws_keep_their_probabilities():
    """Jitter on 80 %, blur on half of the views; crops differ between the two views of an image."""
    batch = ViewDraw((0.2, 1.0))(np.arange(2000), generator_of(0, 0))

    assert 0.77 < (batch["contrast"] != 1).any(dim=2).float().mean() < 0.83
    assert 0.47 < (batch["sigma"] > 0).float().mean() < 0.53
    assert (0.6 <= batch["contrast"]).all()
    assert (batch["contrast"] <= 1.4).all()
    assert not torch.equal(batch["theta"][:, 0], batch["theta"][:, 1])

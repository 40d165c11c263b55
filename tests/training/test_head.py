"""The head that is solved instead of trained."""

import numpy as np
import pytest
import torch

from tests.training.tiny import SIDE_PX, classifier, phantoms
from training.data.crops import normalise
from training.head import pooled_features, refit_head, require_both_kinds


def material(num: int = 40):
    images = phantoms(num, SIDE_PX)
    images[::2] //= 2
    labels = np.full((num, 14), np.nan, np.float32)
    labels[:, :] = (np.arange(num) % 2)[:, None]
    labels[1:4, 1] = np.nan
    return images, labels


@pytest.mark.parametrize("head", ["token", "avg"])
def test_pooled_features__are_what_the_head_multiplies(head):
    """Features times the head's weights are the network's logits, for both heads."""
    network, (images, _) = classifier(head), material(6)

    features = torch.from_numpy(pooled_features(network, images)).float()

    with torch.inference_mode():
        expected = network(normalise(torch.from_numpy(images)))
        assert torch.allclose(network.get_submodule("head")(features), expected, atol=1e-5)


def test_refit_head__separates_what_features_separate_and_leaves_the_trunk():
    """Bright against dark; the standardisation is folded in, so that probabilities average to the prevalence."""
    network, (images, labels) = classifier(), material()
    before = {name: value.clone() for name, value in network.state_dict().items() if not name.startswith("head.")}

    refit_head(network, images, labels, inverse_penalty=1.0)

    with torch.inference_mode():
        logits = network(normalise(torch.from_numpy(images))).numpy()
    assert logits[1::2].min() > logits[::2].max()
    assert labels[:, 0].mean() == pytest.approx((1 / (1 + np.exp(-logits[:, 0]))).mean(), abs=1e-3)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())


def test_refit_head__a_stiffer_penalty_gives_smaller_weights():
    """scikit-learn's C is an inverse penalty."""
    norms = []
    for inverse_penalty in (1e-4, 1.0):
        network, (images, labels) = classifier(), material()
        refit_head(network, images, labels, inverse_penalty=inverse_penalty)
        norms.append(network.get_submodule("head").weight.norm().item())

    assert norms[0] < norms[1]


def test_require_both_kinds__names_what_is_lacking():
    """Before the first step of a run that would solve its head at the end."""
    labels = np.array([[0, 1, np.nan], [1, 1, 0]], np.float32)

    with pytest.raises(ValueError, match=r"^a head needs .* Mass, Nodule lack one kind"):
        require_both_kinds(["Edema", "Mass", "Nodule"], labels, "a head")
    with pytest.raises(ValueError, match=r"^a probe needs .* Nodule lacks one kind"):
        require_both_kinds(["Nodule"], labels[:, 2:], "a probe")

"""The classifiers against the official implementation, and the names of all networks."""

from collections.abc import Callable

import pytest
import torch

from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.nets.mae import mae
from models.nets.vit import vit
from tests import goldens
from tests.goldens import relative_error

FORWARD_TOLERANCE = 1e-5  # float32, and timm 1 sums attention in another order than timm 0.4

KEYS: dict[str, Callable[[], torch.nn.Module]] = {
    "vit_small_patch16_cls_224": lambda: vit("vit_small", num_findings=14),
    "vit_small_patch16_gap_448": lambda: vit("vit_small", num_findings=14, head="avg", image_size_px=448),
    "vit_base_patch16_gap_224": lambda: vit("vit_base", num_findings=14, head="avg"),
    "vit_base_patch16_cls_448": lambda: vit("vit_base", num_findings=14, image_size_px=448),
    "mae_vit_small_patch16_dec512d2b": lambda: mae("vit_small", "512x2"),
    "mae_vit_base_patch16_dec512d8b": lambda: mae("vit_base", "512x8"),
    "densenet121_nc14": lambda: DenseNetClassifier(14),
    "mae_cnn_unet_densenet121": lambda: InpaintingAutoencoder(InpaintingConfig()),
}


@pytest.mark.parametrize("head", ["token", "avg"])
class TestVitClassifier:
    def test_features_and_logits_are_the_official_code_s(self, head):
        """Same weights, same pictures, same numbers."""
        images, golden = goldens.tensors("mae_rand_io")["imgs"], goldens.tensors(f"vit_{head}_rand_io")
        network = goldens.classifier(head)
        with torch.no_grad():
            features = network.forward_head(network.forward_features(images), pre_logits=True)
            logits = network(images)

        assert relative_error(features, golden["features"]) < FORWARD_TOLERANCE
        assert relative_error(logits, golden["logits"]) < FORWARD_TOLERANCE
        assert relative_error(logits.sigmoid(), golden["probs"]) < FORWARD_TOLERANCE

    def test_training_mode_without_drop_path_changes_nothing(self, head):
        """There is no other randomness in it."""
        images, network = goldens.tensors("mae_rand_io")["imgs"], goldens.classifier(head)
        with torch.no_grad():
            assert torch.equal(network(images), network.train()(images))


@pytest.mark.parametrize("name", KEYS)
def test_network__has_the_official_names_shapes_and_types(name):
    """So released weights load, and nothing but they."""
    lines = (goldens.FOLDER / f"keys_{name}.txt").read_text().splitlines()
    expected = {line.split("\t")[0]: tuple(line.split("\t")[1:]) for line in lines}
    with torch.device("meta"):
        network = KEYS[name]()
    parameters = dict(network.named_parameters())

    def kind(tensor_name: str) -> str:
        if tensor_name not in parameters:
            return "buffer"
        return "param" if parameters[tensor_name].requires_grad else "frozen_param"

    actual = {
        key: (str(list(value.shape)), str(value.dtype).removeprefix("torch."), kind(key))
        for key, value in network.state_dict().items()
    }
    assert expected == actual


def test_densenet_saliency__in_training_mode_raises():
    """Batch statistics are no property of one picture."""
    network = DenseNetClassifier(2, DenseNetShape(4, (1, 1, 1, 1), 8))

    with pytest.raises(ValueError, match="eval"):
        network.saliency(torch.zeros(1, 3, 32, 32))

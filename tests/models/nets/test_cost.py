"""Parameters and multiply-accumulates of table 5, by each convention."""

from functools import cache

import pytest
import torch
from torchvision.models import DenseNet121_Weights, ResNet50_Weights

from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.cost import measure, num_parameters
from models.nets.densenet import DenseNetClassifier
from models.nets.mae import mae
from models.nets.resnet import ResNetClassifier
from models.nets.vit import vit
from tests import goldens

GOLDEN = goldens.facts("params_macs")
ROUNDING = 0.00006  # goldens are in GMACs with four decimals
HEADS = {"cls": "token", "gap": "avg"}

CLASSIFIERS = [name for name in GOLDEN if name.startswith(("vit_", "densenet"))]
# As printed in the paper: parameters and GMACs at 224 and 448 px.
TABLE_5 = {
    "vit_small_patch16_gap": (22, 4.2, 16.9),
    "vit_base_patch16_gap": (86, 16.9, 67.2),
    "densenet121": (7, 2.9, 11.6),
}


@cache  # counting a network takes a second
def _cost(name):
    side = int(name.rsplit("_", 1)[1])
    with torch.device("meta"):
        network: torch.nn.Module
        if name.startswith("densenet"):
            network = DenseNetClassifier(14)
        else:
            family, size, _, head, _ = name.split("_")
            network = vit(f"{family}_{size}", num_findings=14, head=HEADS[head], image_size_px=side)
        return measure(network.eval(), torch.empty(1, 3, side, side))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_measure__agrees_with_the_official_networks(name):
    """Layers alone, as ptflops counts, and with attention's products."""
    golden, cost = GOLDEN[name], _cost(name)

    assert golden["params_total"] == cost.num_parameters
    assert golden["linear_conv_GMACs"] == pytest.approx(cost.linear_macs / 1e9, abs=ROUNDING)
    assert golden["ptflops_style_GMACs"] == pytest.approx(cost.ptflops_macs / 1e9, abs=ROUNDING)
    assert golden["incl_attention_matmuls_GMACs"] == pytest.approx(cost.true_macs / 1e9, abs=ROUNDING)


@pytest.mark.parametrize("name", TABLE_5)
def test_measure__reproduces_table_5_of_the_paper(name):
    """To its printed decimals in the ptflops convention; of DenseNet-121 at 448 px the paper prints four times 2.9."""
    parameters, at_224, at_448 = TABLE_5[name]
    small, large = _cost(f"{name}_224"), _cost(f"{name}_448")

    assert parameters == round(small.num_parameters / 1e6)
    assert at_224 == round(small.ptflops_macs / 1e9, 1)
    assert at_448 == (4 * at_224 if name == "densenet121" else round(large.ptflops_macs / 1e9, 1))


@pytest.mark.parametrize(("mask_ratio", "visible"), [(0.75, 49), (0.90, 19)])
@pytest.mark.parametrize("encoder", ["vit_small", "vit_base"])
@pytest.mark.parametrize("decoder", ["512x2", "512x8"])
def test_measure__an_autoencoder_saves_what_is_hidden(encoder, decoder, mask_ratio, visible):
    """The official code embeds hidden patches too, and paints the class token; ours does neither."""
    golden = GOLDEN[f"mae_{encoder}_patch16_dec{decoder.replace('x', 'd')}b"]
    with torch.device("meta"):
        network = mae(encoder, decoder).to("meta")
        cost = measure(network, torch.empty(1, 3, 224, 224), torch.empty(1, 196), mask_ratio)
    width = network.config.encoder.width
    saved = (196 - visible) * 768 * width + 512 * 768

    assert golden["params_total"] == num_parameters(network)
    official = golden[f"train_forward_r{mask_ratio}"]
    assert official["linear_conv_GMACs"] == pytest.approx((cost.linear_macs + saved) / 1e9, abs=ROUNDING)
    assert official["incl_attention_matmuls_GMACs"] == pytest.approx((cost.true_macs + saved) / 1e9, abs=ROUNDING)


class _TrainingLoss(torch.nn.Module):
    """What is counted is what is called."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *inputs):
        return self.network.training_loss(*inputs)


def test_measure__a_training_step_decodes_what_it_paints():
    """Of 196 patches 19 are visible: the first block shares the hidden ones, the last drops the visible ones."""
    batch, tokens, visible, width = 8, 197, 20, 512
    with torch.device("meta"):
        network = mae("vit_small", "512x2").to("meta")
        inputs = (torch.empty(batch, 3, 224, 224), torch.empty(batch, 196), 0.90)
        whole, lean = measure(network, *inputs), measure(_TrainingLoss(network), *inputs)

    shared = (batch * (tokens - visible) - tokens) * 3 * width**2  # qkv of the first block
    dropped = batch * visible * (1 + 2 * 4) * width**2  # projection and MLP of the last
    unpainted = batch * (visible - 1) * width * 768  # forward paints visible patches, too
    assert shared + dropped + unpainted == whole.linear_macs - lean.linear_macs
    assert batch * visible * tokens * 2 * width == whole.attention_macs - lean.attention_macs
    assert (whole.true_macs - lean.true_macs - unpainted) / (whole.true_macs - unpainted) == pytest.approx(
        0.094, abs=5e-4
    )


def test_measure__agrees_with_the_official_inpainting_network():
    """13.61 M parameters, of which the encoder that is fine-tuned has 6.95 M."""
    golden = GOLDEN["mae_cnn_unet_densenet121_224"]
    with torch.device("meta"):
        network = InpaintingAutoencoder(InpaintingConfig()).eval()
        cost = measure(network, torch.empty(1, 3, 224, 224), torch.empty(1, 196), 0.75)

    assert golden["params_total"] == cost.num_parameters
    assert (13.61, 6.95) == (round(cost.num_parameters / 1e6, 2), round(num_parameters(network.model.encoder) / 1e6, 2))
    assert golden["linear_conv_GMACs"] == pytest.approx(cost.linear_macs / 1e9, abs=ROUNDING)
    assert golden["ptflops_style_GMACs"] == pytest.approx(cost.ptflops_macs / 1e9, abs=ROUNDING)


@pytest.mark.parametrize(
    ("network", "weights"), [(ResNetClassifier, ResNet50_Weights), (DenseNetClassifier, DenseNet121_Weights)]
)
def test_measure__agrees_with_what_torchvision_says_of_its_weights(network, weights):
    """A thousand classes at 224 px; GMACs of products and convolutions, to three decimals."""
    said = weights.IMAGENET1K_V1.meta
    with torch.device("meta"):
        cost = measure(network(1000).eval(), torch.empty(1, 3, 224, 224))

    assert said["num_params"] == cost.num_parameters
    assert said["_ops"] == round(cost.linear_macs / 1e9, 3)


def test_measure__takes_its_hooks_off_again():
    """A network that was measured is as it was."""
    with torch.device("meta"):
        network = vit("vit_tiny", num_findings=2, image_size_px=32)
        measure(network, torch.empty(1, 3, 32, 32))

    assert not any(module._forward_pre_hooks for module in network.modules())

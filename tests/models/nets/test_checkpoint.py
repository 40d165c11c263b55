"""Checkpoints open into the network they came from, or not at all."""

import json
import re
from argparse import Namespace
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from models.errors import CheckpointError
from models.nets.architecture import Network, to_json
from models.nets.checkpoint import load, save
from models.nets.cnn_mae import InpaintingAutoencoder, InpaintingConfig
from models.nets.densenet import DenseNetClassifier, DenseNetConfig, DenseNetShape
from models.nets.mae import DECODERS, MaeConfig, MaskedAutoencoder, mae
from models.nets.moco import MocoConfig, MomentumContrast
from models.nets.recognition import Told, infer
from models.nets.resnet import ResNetClassifier, ResNetConfig, ResNetShape
from models.nets.vit import VIT_SHAPES, VitClassifier, VitConfig, VitShape, vit
from models.nets.weights import Weights, write_weights
from tests import goldens

HEADS = {"heads": 3, "decoder_heads": 4}
SMALL_DENSENET = DenseNetShape(4, (1, 2, 1, 2), 8)
SMALL_RESNET = ResNetShape((1, 2, 1, 1), 4)


def _same(expected, actual):
    return expected.keys() == actual.keys() and all(torch.equal(expected[name], actual[name]) for name in expected)


@pytest.fixture(name="write")
def _write(tmp_path):
    """Writes a state dict as a bare `.pth` and gives its path."""

    def write(state):
        torch.save(state, tmp_path / "file.pth")
        return tmp_path / "file.pth"

    return write


class TestOfficial:
    def test_a_container_opens_into_a_masked_autoencoder(self):
        """Every tensor is the file's; the network is ready to score."""
        network = load(goldens.OFFICIAL_CONTAINER, **HEADS, norm_pix_loss=False)

        assert isinstance(network, MaskedAutoencoder)
        assert MaeConfig(goldens.ENCODER, goldens.DECODER, 64) == network.config
        assert not network.training
        content = torch.load(goldens.OFFICIAL_CONTAINER, weights_only=False)
        assert _same(content["model"], network.state_dict())

    @pytest.mark.parametrize("norm_pix_loss", [False, True])
    def test_what_the_decoder_paints_is_read_from_the_command_line(self, norm_pix_loss, write):
        """And a caller may repeat it, not contradict it."""
        path = write({"model": goldens.tensors("mae_rand"), "args": Namespace(norm_pix_loss=norm_pix_loss)})

        assert norm_pix_loss == load(path, **HEADS).config.norm_pix_loss
        assert norm_pix_loss == load(path, **HEADS, norm_pix_loss=norm_pix_loss).config.norm_pix_loss
        with pytest.raises(CheckpointError, match=f"norm_pix_loss is {norm_pix_loss} by the file itself"):
            load(path, **HEADS, norm_pix_loss=not norm_pix_loss)

    @pytest.mark.parametrize("told", [{}, {"heads": 3}, {"decoder_heads": 4}, HEADS])
    def test_what_the_file_does_not_say_is_asked_for(self, told):
        """By the name of the argument."""
        wanted = next(name for name in ("heads", "decoder_heads", "norm_pix_loss") if name not in told)

        with pytest.raises(CheckpointError, match=rf"mae_official_container\.pth: .*give {wanted}"):
            load(goldens.OFFICIAL_CONTAINER, **told)

    @pytest.mark.parametrize("heads", [0, -3, 5, 96])
    def test_heads_that_cannot_share_the_width_are_refused(self, heads):
        """Forty-eight channels are no five heads."""
        with pytest.raises(CheckpointError, match="does not divide"):
            load(goldens.OFFICIAL_CONTAINER, heads=heads, decoder_heads=4, norm_pix_loss=False)

    @pytest.mark.parametrize("head", ["token", "avg"])
    def test_a_classifier_opens_with_its_head(self, head, write):
        """Bare state dict or safetensors; which head it has, its names tell."""
        expected = VitConfig(goldens.ENCODER, 14, head, 64)

        for path in (goldens.FOLDER / f"vit_{head}_rand.safetensors", write(goldens.tensors(f"vit_{head}_rand"))):
            network = load(path, heads=3)
            assert expected == network.config
            assert _same(goldens.tensors(f"vit_{head}_rand"), network.state_dict())

    def test_torchvision_s_old_densenet_names_open(self, tmp_path):
        """As in the published ImageNet file: legacy format, `norm.1`, no counters of batches."""
        network = DenseNetClassifier(7, SMALL_DENSENET).eval()
        old = {
            re.sub(r"(denselayer\d+\.(?:norm|conv))", r"\1.", name): value
            for name, value in network.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        assert "features.denseblock1.denselayer1.norm.1.weight" in old
        torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

        opened = load(tmp_path / "old.pth")

        assert DenseNetConfig(SMALL_DENSENET, 7) == opened.config
        assert torch.equal(network(images), opened(images))

    @pytest.mark.parametrize("has_counters", [True, False])
    def test_torchvision_s_resnet_opens(self, has_counters, write):
        """Also as published before PyTorch 0.4.1, without counters of batches."""
        network = ResNetClassifier(7, SMALL_RESNET).eval()
        state = {
            name: value
            for name, value in network.state_dict().items()
            if has_counters or not name.endswith("num_batches_tracked")
        }

        opened = load(write(state))

        assert ResNetConfig(SMALL_RESNET, 7) == opened.config
        assert _same(network.state_dict(), opened.state_dict())

    @pytest.mark.parametrize(("arguments", "side_px"), [({"input_size": 448}, 448), ({}, 224)])
    def test_a_container_of_the_convolutional_autoencoder_opens(self, arguments, side_px, write):
        """As medical_mae's `main_pretrain_multi_datasets_xray_cnn.py` saves it; its loss is over all pixels."""
        network = InpaintingAutoencoder(InpaintingConfig())
        content = {
            "model": network.state_dict(),
            "optimizer": {"state": {}, "param_groups": [{"lr": 1.5e-4}]},
            "epoch": 799,
            "scaler": {"scale": 65536.0},
            "args": Namespace(model="densenet121", mask_ratio=0.75, **arguments),
        }

        opened = load(write(content))

        assert InpaintingConfig(side_px, 16, "all") == opened.config
        assert _same(network.state_dict(), opened.state_dict())


OWN: dict[str, Callable[[], Network]] = {
    "vit": lambda: VitClassifier(VitShape(24, 1, 2), num_findings=3, head="avg", image_size_px=48),
    "vit of another patch size": lambda: VitClassifier(
        VitShape(24, 2, 4), num_findings=3, image_size_px=32, patch_size_px=8
    ),
    "mae": lambda: goldens.autoencoder(norm_pix_loss=True),
    "densenet": lambda: DenseNetClassifier(3, SMALL_DENSENET),
    "resnet": lambda: ResNetClassifier(3, SMALL_RESNET),
    "inpainting": lambda: InpaintingAutoencoder(InpaintingConfig(64, 32, "hidden")),
    "moco of a densenet": lambda: MomentumContrast(MocoConfig(SMALL_DENSENET, 8, 12, 0.5, 0.1)),
    "moco of a resnet": lambda: MomentumContrast(MocoConfig(SMALL_RESNET, 8, 12)),
}


class TestOwn:
    @pytest.mark.parametrize("kind", OWN)
    def test_what_is_saved_comes_back_without_a_question(self, kind, tmp_path):
        """Architecture, heads, head, sizes, `norm_pix_loss`, and every bit of the weights."""
        network = OWN[kind]()
        save(network, tmp_path / "own.safetensors")

        opened = load(tmp_path / "own.safetensors")

        assert type(network) is type(opened)
        assert network.config == opened.config
        assert _same(network.state_dict(), opened.state_dict())

    def test_our_decoder_keeps_its_four_heads(self, tmp_path):
        """Its tensors are shaped like those of the released one, which has sixteen."""
        network = mae("vit_tiny", "128x2h4", image_size_px=32)
        save(network, tmp_path / "own.safetensors")

        assert 4 == load(tmp_path / "own.safetensors").config.decoder.heads

    @pytest.mark.parametrize("told", [{"heads": 6}, {"decoder_heads": 8}, {"norm_pix_loss": False}])
    def test_a_caller_who_knows_better_is_refused(self, told, tmp_path):
        """One of the two is wrong, and both would run."""
        save(goldens.autoencoder(norm_pix_loss=True), tmp_path / "own.safetensors")

        with pytest.raises(CheckpointError, match=f"{next(iter(told))} is .* by the file itself"):
            load(tmp_path / "own.safetensors", **told)

    @pytest.mark.parametrize(
        ("stated", "state"),
        [
            (MaeConfig(goldens.ENCODER, goldens.DECODER, image_size_px=128), lambda: goldens.tensors("mae_rand")),
            (MocoConfig(SMALL_DENSENET, 8, 16), lambda: OWN["moco of a densenet"]().state_dict()),
            (MocoConfig(SMALL_RESNET, 8, 12), lambda: OWN["moco of a densenet"]().state_dict()),
            (InpaintingConfig(), lambda: OWN["resnet"]().state_dict()),
        ],
    )
    def test_metadata_of_another_network_is_refused(self, stated, state, tmp_path):
        """A file that was put together by hand."""
        write_weights(tmp_path / "own.safetensors", state(), to_json(stated))

        with pytest.raises(CheckpointError, match=r"the metadata says .* the tensors say"):
            load(tmp_path / "own.safetensors")

    @pytest.mark.parametrize(
        "metadata",
        [
            "",
            "[]",
            "{}",
            json.dumps({"kind": "transformer", "config": {}}),
            json.dumps({"kind": "vit", "config": {"head": "map"}}),
            json.dumps({"kind": "inpainting", "config": {"image_size_px": 100}}),
        ],
    )
    def test_metadata_that_states_no_architecture_is_refused(self, metadata, tmp_path):
        """Rather than guessed around."""
        write_weights(tmp_path / "own.safetensors", goldens.tensors("vit_token_rand"), metadata)

        with pytest.raises(CheckpointError, match="states no architecture"):
            load(tmp_path / "own.safetensors", heads=3)


def _state(network):
    with torch.device("meta"):
        return network().state_dict()


class TestNamedArchitectures:
    @pytest.mark.parametrize("name", VIT_SHAPES)
    @pytest.mark.parametrize("head", ["token", "avg"])
    def test_classifiers_need_no_heads(self, name, head):
        """ViT-Ti, ViT-S and ViT-B are told by width and depth."""
        state = _state(lambda: vit(name, num_findings=5, head=head, image_size_px=48))

        assert VitConfig(VIT_SHAPES[name], 5, head, 48) == infer(Weights(state), Told())

    @pytest.mark.parametrize(
        ("encoder", "decoder"), [("vit_small", "512x2"), ("vit_base", "512x8"), ("vit_small", "128x2")]
    )
    def test_released_autoencoders_need_no_heads(self, encoder, decoder):
        """Their decoders have sixteen."""
        state = _state(lambda: mae(encoder, decoder, image_size_px=48))

        config = infer(Weights(state, is_pickle=True), Told(norm_pix_loss=False))

        assert MaeConfig(VIT_SHAPES[encoder], DECODERS[decoder], 48) == config

    def test_a_decoder_that_could_be_either_is_asked_for(self):
        """In safetensors without our metadata it may be the released one or ours."""
        weights = Weights(_state(lambda: mae("vit_tiny", "128x2h4", image_size_px=48)))

        with pytest.raises(CheckpointError, match="give decoder_heads"):
            infer(weights, Told(norm_pix_loss=False))
        assert 4 == infer(weights, Told(decoder_heads=4, norm_pix_loss=False)).decoder.heads

    def test_densenet121(self):
        """Told by its layers."""
        assert DenseNetClassifier(14).config == infer(Weights(_state(lambda: DenseNetClassifier(14))), Told())

    def test_resnet50(self):
        """Told by its stages."""
        assert ResNetClassifier(14).config == infer(Weights(_state(lambda: ResNetClassifier(14))), Told())

    def test_a_depth_that_is_not_the_named_one_is_asked_for(self):
        """A ViT-S cut after six blocks is no ViT-S."""
        state = _state(lambda: VitClassifier(VitShape(384, 6, 6), num_findings=2, image_size_px=32))

        with pytest.raises(CheckpointError, match=r"6 blocks of width 384 do not tell .* give heads"):
            infer(Weights(state), Told())


class TestRefusals:
    def test_no_tensor_of_an_autoencoder_may_be_missing(self, write):
        """Least of all of its decoder, which would be random and paint all the same."""
        whole = goldens.tensors("mae_rand")
        for name in whole:
            lacking = {other: value for other, value in whole.items() if other != name}
            with pytest.raises(CheckpointError, match=f"{name}.*missing|missing: .*{name}"):
                load(write(lacking), **HEADS, norm_pix_loss=False)

    @pytest.mark.parametrize("part", ["decoder_blocks.", "blocks."])
    def test_an_autoencoder_without_blocks_is_refused(self, part, write):
        """A decoder of depth nought would take every other tensor."""
        state = {name: value for name, value in goldens.tensors("mae_rand").items() if not name.startswith(part)}

        with pytest.raises(CheckpointError, match="no blocks"):
            load(write(state), **HEADS, norm_pix_loss=False)

    def test_a_bare_encoder_is_no_network(self, write):
        """As facebookresearch/mae publishes them: neither decoder nor head."""
        encoder = {name: value for name, value in goldens.tensors("mae_rand").items() if "decoder" not in name}
        del encoder["mask_token"]

        with pytest.raises(CheckpointError, match="can only initialise one"):
            load(write(encoder), heads=3)

    def test_unexpected_names_are_listed(self, write):
        """All of them: layer scale and register tokens belong to other transformers."""
        state = goldens.tensors("vit_token_rand") | {
            "blocks.0.ls1.gamma": torch.ones(48),
            "reg_token": torch.ones(1, 4, 48),
        }

        with pytest.raises(CheckpointError, match=r"unexpected: blocks\.0\.ls1\.gamma, reg_token$"):
            load(write(state), heads=3)

    def test_a_classifier_that_also_has_a_decoder_is_refused(self, write):
        """It is two networks in one file."""
        state = goldens.tensors("mae_rand") | goldens.tensors("vit_token_rand")

        with pytest.raises(CheckpointError, match=r"unexpected: head\.bias, head\.weight"):
            load(write(state), **HEADS, norm_pix_loss=False)

    def test_another_shape_is_named_with_both(self, write):
        """What the file has, and what the network wants."""
        state = goldens.tensors("vit_token_rand") | {"blocks.1.mlp.fc1.bias": torch.zeros(96)}

        with pytest.raises(CheckpointError, match=r"of another shape: blocks\.1\.mlp\.fc1\.bias \(96,\) for \(192,\)"):
            load(write(state), heads=3)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_weights_that_are_not_finite_are_refused(self, value, write):
        """One is enough to make every probability nan."""
        state = goldens.tensors("vit_token_rand")
        state["norm.bias"][3] = value

        with pytest.raises(CheckpointError, match=r"not finite: norm\.bias$"):
            load(write(state), heads=3)

    @pytest.mark.parametrize(
        "tensor",
        [
            pytest.param(torch.ones(48, dtype=torch.int64), id="integers"),
            pytest.param(torch.ones(48, dtype=torch.complex64), id="complex"),
            pytest.param(torch.ones(48).to_sparse(), id="sparse"),
            pytest.param(torch.ones(48, device="meta"), id="nowhere"),
        ],
    )
    def test_tensors_that_hold_no_plain_numbers_are_refused(self, tensor, write):
        """Cast in silence, they would be other weights."""
        state = goldens.tensors("vit_token_rand") | {"norm.bias": tensor}

        with pytest.raises(CheckpointError, match=r"norm\.bias|more than tensors"):
            load(write(state), heads=3)

    def test_half_precision_weights_are_numbers_like_others(self, tmp_path):
        """Read into float32, in which networks compute."""
        halves = {name: value.half() for name, value in goldens.tensors("vit_token_rand").items()}
        save_file(halves, tmp_path / "half.safetensors")

        network = load(tmp_path / "half.safetensors", heads=3)

        assert _same({name: value.float() for name, value in halves.items()}, network.state_dict())

    @pytest.mark.parametrize(
        ("name", "tensor"),
        [
            ("pos_embed", torch.zeros(1, 13, 48)),
            ("pos_embed", torch.zeros(1, 1, 48)),
            ("pos_embed", torch.zeros(48)),
            ("patch_embed.proj.weight", torch.zeros(48, 768)),
            ("head.weight", torch.zeros(14)),
        ],
    )
    def test_shapes_that_are_no_vision_transformer_are_refused(self, name, tensor, write):
        """No square grid, no class token, no convolution."""
        with pytest.raises(CheckpointError, match=name):
            load(write(goldens.tensors("vit_token_rand") | {name: tensor}), heads=3)

    @pytest.mark.parametrize("state", [{}, {"weight": torch.ones(1)}])
    def test_other_people_s_networks_are_refused(self, state, write):
        """Without a traceback from inside."""
        with pytest.raises(CheckpointError):
            load(write(state))

    @pytest.mark.parametrize(
        ("stem", "complaint"),
        [
            ({"features.conv0.weight": torch.ones(8, 3, 7, 7)}, "missing"),
            ({"layer1.0.conv1.weight": torch.ones(4, 64, 1, 1)}, "no blocks"),
            ({"model.encoder.features.conv0.weight": torch.ones(64, 3, 7, 7)}, "missing: model.decoder"),
        ],
    )
    def test_a_convolutional_network_without_its_layers_is_refused(self, stem, complaint, write):
        """Its first convolution alone is no network."""
        with pytest.raises(CheckpointError, match=complaint):
            load(write(stem))

    def test_a_resnet_of_basic_blocks_is_refused(self, write):
        """ResNet-18 has the same names up to its third convolutions."""
        with pytest.raises(CheckpointError, match=r"layer1\.0\.conv3\.weight"):
            load(write(resnet18(num_classes=2).state_dict()))

    def test_momentum_contrast_that_does_not_state_its_constants_is_refused(self, write):
        """Neither momentum nor temperature leaves a trace in the weights."""
        with pytest.raises(CheckpointError, match="momentum and temperature are not stated"):
            load(write(OWN["moco of a resnet"]().state_dict()))

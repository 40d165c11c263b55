"""Starting a classifier from what another network has learned."""

import pytest
import torch

from models.errors import CheckpointError
from models.nets.checkpoint import initialise_encoder, save
from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.nets.mae import MaeConfig, MaskedAutoencoder
from models.nets.pos_embed import resample
from models.nets.vit import VitClassifier, VitShape
from tests import goldens

TRANSFERS = goldens.facts()["transfer_keys"]
HEADS = {"cls": "token", "gap": "avg"}


def _classifier(head="token", side=64, shape=goldens.ENCODER):
    return VitClassifier(shape, num_findings=14, head=head, image_size_px=side)


def _copy(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


class TestFromAMaskedAutoencoder:
    @pytest.mark.parametrize("case", TRANSFERS)
    def test_exactly_what_the_official_code_leaves_out_is_left_out(self, case):
        """Both heads, at the image size of pre-training and at twice that."""
        head, side = case.split("_")
        classifier = _classifier(HEADS[head], int(side))

        transfer = initialise_encoder(classifier, goldens.OFFICIAL_CONTAINER)

        assert TRANSFERS[case]["missing"] == sorted(transfer.fresh)
        assert TRANSFERS[case]["unexpected"] == sorted(transfer.skipped)
        assert transfer.resampled == ("128" == side)

    @pytest.mark.parametrize("head", ["token", "avg"])
    @pytest.mark.parametrize("side", [64, 128])
    def test_the_encoder_is_the_source_s_and_the_head_is_not_touched(self, head, side):
        """Position embeddings are carried to the classifier's grid."""
        classifier, source = _classifier(head, side), goldens.tensors("mae_rand")
        before = _copy(classifier)

        transfer = initialise_encoder(classifier, source)

        for name, value in classifier.state_dict().items():
            expected = before[name] if name in transfer.fresh else source[name]
            if name == "pos_embed":
                expected = resample(source[name], side // 16)
            assert torch.equal(expected, value), name
        assert set(source) - set(classifier.state_dict()) == set(transfer.skipped)

    def test_position_embeddings_go_on_learning(self):
        """Fixed in pre-training, trained in fine-tuning."""
        classifier = _classifier()
        initialise_encoder(classifier, goldens.tensors("mae_rand"))

        assert classifier.pos_embed.requires_grad


class TestFromAClassifier:
    @pytest.mark.parametrize("head", ["token", "avg"])
    def test_another_number_of_classes_is_no_obstacle(self, head, tmp_path):
        """timm's ImageNet weights: a thousand outputs stay behind, the pooled norm comes along."""
        state = goldens.tensors(f"vit_{head}_rand") | {
            "head.weight": torch.ones(1000, 48),
            "head.bias": torch.ones(1000),
        }
        torch.save(state, tmp_path / "timm.pth")
        classifier = _classifier(head)
        before = _copy(classifier)

        transfer = initialise_encoder(classifier, tmp_path / "timm.pth")

        assert {"head.weight", "head.bias"} == set(transfer.skipped) == set(transfer.fresh)
        after = classifier.state_dict()
        assert torch.equal(before["head.weight"], after["head.weight"])
        norm = "norm.weight" if head == "token" else "fc_norm.weight"
        assert torch.equal(state[norm], after[norm])

    def test_a_densenet_starts_from_imagenet_s(self, tmp_path):
        """The same exchange under torchvision's names."""
        shape = DenseNetShape(4, (1, 1, 1, 1), 8)
        source, classifier = DenseNetClassifier(1000, shape), DenseNetClassifier(14, shape)
        torch.save(source.state_dict(), tmp_path / "densenet.pth")

        transfer = initialise_encoder(classifier, tmp_path / "densenet.pth")

        assert {"classifier.weight", "classifier.bias"} == set(transfer.skipped) == set(transfer.fresh)
        assert torch.equal(source.features.conv0.weight, classifier.features.conv0.weight)


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            pytest.param(
                lambda state: state.pop("blocks.1.attn.qkv.bias"), "missing: blocks.1.attn.qkv.bias", id="missing"
            ),
            pytest.param(lambda state: state.pop("cls_token"), "missing: cls_token", id="no class token"),
            pytest.param(lambda state: state.pop("norm.weight"), "missing: norm.weight", id="no norm"),
            pytest.param(
                lambda state: state.update({"norm_pre.bias": torch.ones(48)}),
                "unexpected: norm_pre.bias",
                id="unexpected",
            ),
            pytest.param(
                lambda state: state.update({"patch_embed.proj.weight": torch.ones(48, 1, 16, 16)}),
                "patch_embed.proj.weight (48, 1, 16, 16) for (48, 3, 16, 16)",
                id="one channel",
            ),
            pytest.param(lambda state: state["norm.bias"].fill_(torch.nan), "not finite: norm.bias", id="nan"),
            pytest.param(
                lambda state: state.update({"pos_embed": torch.ones(1, 13, 48)}), "no square grid", id="no square"
            ),
            pytest.param(lambda state: state.update({"pos_embed": torch.ones(48)}), "pos_embed (48,)", id="no table"),
        ],
    )
    def test_anything_else_is_named_and_changes_nothing(self, change, complaint):
        """A classifier is initialised in whole or not at all."""
        classifier, state = _classifier(), goldens.tensors("mae_rand")
        change(state)
        before = _copy(classifier)

        with pytest.raises(CheckpointError) as refusal:
            initialise_encoder(classifier, state)

        assert complaint in str(refusal.value)
        assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())

    @pytest.mark.parametrize("shape", [VitShape(48, 1, 3), VitShape(48, 3, 3), VitShape(24, 2, 3)])
    def test_another_depth_or_width_is_refused(self, shape):
        """Blocks are not dropped, added or cut."""
        with pytest.raises(CheckpointError, match=r"missing|unexpected|another shape"):
            initialise_encoder(_classifier(shape=shape), goldens.tensors("mae_rand"))

    def test_other_attention_heads_are_refused_where_the_file_tells(self, tmp_path):
        """The tensors would fit, and mean something else."""
        save(MaskedAutoencoder(MaeConfig(VitShape(48, 2, 6), goldens.DECODER, 64)), tmp_path / "own.safetensors")

        with pytest.raises(CheckpointError, match="heads=6"):
            initialise_encoder(_classifier(), tmp_path / "own.safetensors")

    def test_a_pooled_classifier_does_not_start_one_with_a_class_token(self):
        """Its class token was never read, and it has no norm for it."""
        with pytest.raises(CheckpointError, match=r"missing: norm\.bias, norm\.weight; unexpected: fc_norm"):
            initialise_encoder(_classifier("token"), goldens.tensors("vit_avg_rand"))

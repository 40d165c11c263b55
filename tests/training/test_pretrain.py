"""Pre-training learns, and an interruption leaves no trace in the losses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import CheckpointError
from models.nets.checkpoint import initialise_encoder, load, save
from models.nets.densenet import DenseNetClassifier
from tests.training.execution import ENGINE, StopAfter, alone, losses, packed
from tests.training.tiny import PRETRAIN, SIDE_PX, lasting, phantoms
from training.data.draws import generator_of
from training.data.steps import CropDraw
from training.pretrain import pretrain
from training.recipes import default_bundle, moco_slim18
from training.recipes.types import InpaintRecipe, MocoRecipe, Optim
from training.run import Run
from training.trunks import build_classifier


def test_the_loss_falls(tmp_path):
    """Phantoms are alike: even a few steps paint better than the start."""
    pretrain(lasting(PRETRAIN, 8), packed(phantoms(16)), Run(tmp_path), ENGINE, alone())

    values = losses(tmp_path)
    assert 32 == len(values)
    assert np.mean(values[-8:]) < 0.8 * np.mean(values[:8])


def test_an_interrupted_run_goes_on_with_the_same_losses(tmp_path):
    """Bit for bit: weights, moments, order, crops, masks and learning rate all continue."""
    images = packed(phantoms(16))
    whole = pretrain(PRETRAIN, images, Run(tmp_path / "whole"), ENGINE, alone())

    assert pretrain(PRETRAIN, images, StopAfter(tmp_path / "parts", 5), ENGINE, alone()) is None
    parts = pretrain(PRETRAIN, images, Run(tmp_path / "parts"), ENGINE, alone())

    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


class TestAStart:
    def test_an_earlier_run_is_gone_on_from(self, tmp_path):
        """The first loss is below that of random weights, under the same draws; the run says where it started."""
        images = packed(phantoms(16))
        save(pretrain(lasting(PRETRAIN, 8), images, Run(tmp_path / "first"), ENGINE, alone()), tmp_path / "first.st")

        pretrain(PRETRAIN, images, Run(tmp_path / "anew"), ENGINE, alone())
        pretrain(PRETRAIN, images, Run(tmp_path / "on"), ENGINE, alone(), tmp_path / "first.st")

        assert losses(tmp_path / "on")[0] < 0.8 * losses(tmp_path / "anew")[0]

    def test_a_run_that_was_interrupted_goes_on_from_its_own_checkpoint(self, tmp_path):
        """Not from the start again."""
        images, start = packed(phantoms(16)), tmp_path / "first.st"
        save(pretrain(PRETRAIN, images, Run(tmp_path / "first"), ENGINE, alone()), start)
        pretrain(PRETRAIN, images, Run(tmp_path / "whole"), ENGINE, alone(), start)

        pretrain(PRETRAIN, images, StopAfter(tmp_path / "parts", 5), ENGINE, alone(), start)
        pretrain(PRETRAIN, images, Run(tmp_path / "parts"), ENGINE, alone(), start)

        assert losses(tmp_path / "whole") == losses(tmp_path / "parts")

    def test_another_network_is_refused(self, tmp_path):
        """Here one that learned standardised patches."""
        images, start = packed(phantoms(16)), tmp_path / "first.st"
        save(pretrain(PRETRAIN, images, Run(tmp_path / "first"), ENGINE, alone()), start)
        narrower = replace(PRETRAIN, norm_pix_loss=not PRETRAIN.norm_pix_loss)

        with pytest.raises(CheckpointError, match="another network"):
            pretrain(narrower, images, Run(tmp_path / "second"), ENGINE, alone(), start)


def test_every_step_hides_one_of_several_shares(tmp_path):
    """Drawn from the step, so an interruption changes none; and the draw leaves crops and noise as they were."""
    mixed = replace(PRETRAIN, mask_ratios=(0.25, 0.75))
    images = packed(phantoms(16))
    pretrain(mixed, images, Run(tmp_path / "whole"), ENGINE, alone())
    pretrain(mixed, images, StopAfter(tmp_path / "parts", 5), ENGINE, alone())
    pretrain(mixed, images, Run(tmp_path / "parts"), ENGINE, alone())

    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    rows = np.arange(4)
    plain, drawn = (
        [CropDraw((0.5, 1.0), 4, mask_ratios=ratios)(rows, generator_of(0, step)) for step in range(40)]
        for ratios in ((), mixed.mask_ratios)
    )
    shares = [set(batch["mask_ratio"].tolist()) for batch in drawn]
    assert {0.25, 0.75} == set().union(*shares)
    assert all(len(share) == 1 for share in shares)
    assert all(torch.equal(one["noise"], other["noise"]) for one, other in zip(plain, drawn, strict=True))


@pytest.mark.parametrize("change", [{"workers": 2}, {"is_resident": True}])
def test_where_batches_are_prepared_changes_nothing(tmp_path, change):
    """Worker processes draw what this one would have drawn; images on the device are the same images."""
    images = packed(phantoms(16))
    pretrain(PRETRAIN, images, Run(tmp_path / "here"), ENGINE, alone())
    pretrain(PRETRAIN, images, Run(tmp_path / "there"), replace(ENGINE, **change), alone())

    assert losses(tmp_path / "here") == losses(tmp_path / "there")


def test_accumulating_a_step_changes_its_loss_by_rounding_alone(tmp_path):
    """Micro-batches of 3 cut a batch of 4 unevenly."""
    images = packed(phantoms(16))
    pretrain(PRETRAIN, images, Run(tmp_path / "whole"), ENGINE, alone())
    pretrain(PRETRAIN, images, Run(tmp_path / "parts"), replace(ENGINE, micro_batch=3), alone())

    assert losses(tmp_path / "whole") == pytest.approx(losses(tmp_path / "parts"), rel=1e-4)
    assert losses(tmp_path / "whole") != losses(tmp_path / "parts")


def test_momentum_contrast_takes_no_micro_batches(tmp_path):
    """Each forward pass moves the keys' encoder, so a step in parts would move it several times."""
    recipe = MocoRecipe(name="tiny", encoder="slim18", optim=replace(PRETRAIN.optim, batch=4))

    with pytest.raises(ValueError, match="micro-batch"):
        pretrain(recipe, packed(phantoms(16)), Run(tmp_path), replace(ENGINE, micro_batch=2), alone())


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(tmp_path):
    """Better no weights than broken ones: nothing is saved."""
    explosive = replace(PRETRAIN, optim=replace(PRETRAIN.optim, base_lr=1e30, warmup_epochs=0.01))

    with pytest.raises(FloatingPointError, match=r"step \d+ on row \d+, row \d+.*images\.json"):
        pretrain(explosive, packed(phantoms(16)), Run(tmp_path), ENGINE, alone())

    assert not (tmp_path / "checkpoint.pt").exists()
    assert 4 == len(json.loads((tmp_path / "images.json").read_text()))


def test_a_folder_smaller_than_a_batch_is_refused(tmp_path):
    """Before the first step."""
    with pytest.raises(ValueError, match="3 images do not fill one batch of 4"):
        pretrain(PRETRAIN, packed(phantoms(3)), Run(tmp_path), ENGINE, alone())


BASELINES = [
    InpaintRecipe(
        name="inpaint",
        optim=Optim(epochs=3, batch=4, base_lr=6e-2, warmup_epochs=1, beta2=0.95),
        image_size_px=SIDE_PX,
        packed_size_px=40,
    ),
    MocoRecipe(
        name="moco",
        optim=Optim(epochs=3, batch=4, base_lr=6e-2, warmup_epochs=1),
        queue=10,
        image_size_px=SIDE_PX,
        packed_size_px=40,
    ),
]


def test_inpainting_paints_better_with_time(tmp_path):
    """Phantoms are alike, for a U-Net, too."""
    longer = replace(BASELINES[0], optim=replace(BASELINES[0].optim, epochs=8))
    pretrain(longer, packed(phantoms(8)), Run(tmp_path), ENGINE, alone())

    values = losses(tmp_path)
    assert np.mean(values[-4:]) < 0.8 * np.mean(values[:4])


@pytest.mark.parametrize("recipe", BASELINES, ids=lambda recipe: recipe.name)
class TestBaselines:
    def test_it_goes_on_after_an_interruption(self, tmp_path, recipe):
        """Queue, key encoder and running statistics continue bit for bit."""
        images = packed(phantoms(8))
        pretrain(recipe, images, Run(tmp_path / "whole"), ENGINE, alone())
        pretrain(recipe, images, StopAfter(tmp_path / "parts", 3), ENGINE, alone())
        pretrain(recipe, images, Run(tmp_path / "parts"), ENGINE, alone())

        assert 6 == len(losses(tmp_path / "whole"))
        assert losses(tmp_path / "whole") == losses(tmp_path / "parts")

    def test_its_encoder_starts_a_classifier(self, tmp_path, recipe):
        """From the file that `pretrain` writes, by the door that `finetune` uses."""
        network = pretrain(
            replace(recipe, optim=replace(recipe.optim, epochs=2)), packed(phantoms(4)), Run(tmp_path), ENGINE, alone()
        )
        save(network, tmp_path / "network.safetensors")
        classifier = DenseNetClassifier(3)

        transfer = initialise_encoder(classifier, tmp_path / "network.safetensors")

        assert ("classifier.weight", "classifier.bias") == tuple(sorted(transfer.fresh, reverse=True))


def test_momentum_contrast_of_a_slim_resnet_starts_the_default_bundle_s_members(tmp_path):
    """The file that `pretrain moco_slim18` writes gives a member all but its head."""
    recipe = replace(
        moco_slim18.PRETRAIN,
        optim=Optim(epochs=1, batch=4, base_lr=6e-2, warmup_epochs=0),
        queue=8,
        splits=2,
        image_size_px=SIDE_PX,
        packed_size_px=40,
    )
    network = pretrain(recipe, packed(phantoms(4)), Run(tmp_path), ENGINE, alone())
    save(network, tmp_path / "network.safetensors")
    member = build_classifier(default_bundle.FINETUNE, 14)

    transfer = initialise_encoder(member, tmp_path / "network.safetensors")

    assert {"members.0.fc.weight", "members.0.fc.bias"} == set(transfer.fresh)
    learned = load(tmp_path / "network.safetensors").encoder_q.state_dict()
    assert torch.equal(learned["members.0.conv1.weight"], member.state_dict()["members.0.conv1.weight"])

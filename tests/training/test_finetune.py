"""Fine-tuning: unknown labels are masked, runs continue exactly."""

import json

import numpy as np
import pytest
import torch

from tests.training.test_pretrain import _StopAfter
from tests.training.tiny import FINETUNE, phantoms
from training.data.crops import normalise
from training.finetune import LabelledImages, build_classifier, finetune, masked_bce
from training.run import Run

CPU = torch.device("cpu")


def data(num: int = 16) -> LabelledImages:
    """Left half brighter means finding 0; finding 1 is unknown everywhere but once."""
    images = phantoms(num)
    labels = np.full((num, 2), np.nan, np.float32)
    labels[:, 0] = np.arange(num) % 2
    labels[0, 1] = 1
    images[::2] //= 3
    return LabelledImages(images, labels)


class TestMaskedBce:
    def test_unknown_labels_give_no_gradient(self):
        """A NaN must not leak into the weights either."""
        logits = torch.zeros(2, 2, requires_grad=True)
        labels = torch.tensor([[1.0, torch.nan], [0.0, torch.nan]])

        masked_bce(logits, labels).backward()

        assert [[-0.25, 0.0], [0.25, 0.0]] == logits.grad.tolist()

    def test_without_unknowns_it_is_the_ordinary_loss(self):
        """Mean over images and findings."""
        logits, labels = torch.randn(4, 3), torch.randint(0, 2, (4, 3)).float()

        ordinary = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

        assert ordinary.item() == pytest.approx(masked_bce(logits, labels).item())

    def test_a_batch_without_any_label_is_refused(self):
        """Its loss would be NaN."""
        with pytest.raises(ValueError, match="known label"):
            masked_bce(torch.zeros(2, 2), torch.full((2, 2), torch.nan))


def test_finetune__separates_what_it_was_shown(tmp_path):
    """Dark against bright is learnt in a dozen steps."""
    material = data()
    network = finetune(FINETUNE, build_classifier(FINETUNE, 2), material, Run(tmp_path), CPU)

    centre = np.ascontiguousarray(material.images[:, 4:36, 4:36])
    with torch.inference_mode():
        logits = network(normalise(torch.from_numpy(centre)))[:, 0].numpy()

    assert logits[material.labels[:, 0] == 1].mean() > logits[material.labels[:, 0] == 0].mean()


def test_finetune__an_interrupted_run_goes_on_with_the_same_losses(tmp_path):
    """DropPath and RandAugment draw again what they would have drawn."""
    material = data()
    finetune(FINETUNE, build_classifier(FINETUNE, 2), material, Run(tmp_path / "whole"), CPU)
    finetune(FINETUNE, build_classifier(FINETUNE, 2), material, _StopAfter(tmp_path / "parts", 7), CPU)
    finetune(FINETUNE, build_classifier(FINETUNE, 2), material, Run(tmp_path / "parts"), CPU)

    whole, parts = (
        [json.loads(line)["loss"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    )
    assert 12 == len(whole)
    assert whole == parts

"""Steps: who meets when, drawn alike wherever they are prepared."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.data.draws import generator_of, number_of, rows_of
from training.data.steps import CropDraw, LabelDraw, Plan, Steps
from training.loop import micro_batches


class TestRows:
    @given(num_images=st.integers(4, 60), batch=st.integers(1, 4), seed=st.integers(0, 3))
    def test_an_epoch_meets_no_image_twice(self, num_images, batch, seed):
        """Only the incomplete last batch is left out."""
        steps = num_images // batch
        met = np.concatenate([rows_of(step, num_images=num_images, batch=batch, seed=seed) for step in range(steps)])

        assert steps * batch == len(set(met.tolist()))
        assert set(met.tolist()) <= set(range(num_images))

    def test_each_epoch_has_its_own_order(self):
        """Two passes over ten images in threes."""
        first, second = (
            [rows_of(step, num_images=10, batch=3, seed=0).tolist() for step in steps]
            for steps in (range(3), range(3, 6))
        )

        assert first != second


class TestDraws:
    def test_steps_and_streams_do_not_share_numbers(self):
        """Neighbouring seeds and steps are no shifted copies of each other."""
        numbers = {number_of(seed, step, stream) for seed in range(5) for step in range(50) for stream in range(3)}

        assert 5 * 50 * 3 == len(numbers)

    def test_a_step_draws_the_same_again(self):
        """What resumption rests on."""
        assert torch.equal(torch.rand(4, generator=generator_of(1, 7)), torch.rand(4, generator=generator_of(1, 7)))


class TestPlan:
    def test_a_batch_larger_than_the_data_is_refused(self):
        """Before the first step."""
        with pytest.raises(ValueError, match="7 images do not fill one batch of 8"):
            Plan(7, 8, seed=0)

    def test_a_batch_that_processes_cannot_share_is_refused(self):
        """Shares of different size would weigh images differently."""
        with pytest.raises(ValueError, match="cannot be shared by 3"):
            Plan(64, 8, seed=0, world=3)


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_what_one_would_draw(world):
    """Dealt out in turn, their parts are the whole step, and each has its share of every data set."""
    labels = np.random.default_rng(0).integers(2, size=(30, 3)).astype(np.float32)
    labels[::4, 1] = np.nan
    draw = LabelDraw(labels, (0.5, 1.0))
    whole = Steps(Plan(30, 8, seed=3), draw)[5]
    parts = [Steps(Plan(30, 8, seed=3, rank=rank, world=world), draw)[5] for rank in range(world)]

    for name in ("rows", "theta", "seeds", "labels", "weight"):
        joined = torch.stack([part[name] for part in parts], dim=1).flatten(0, 1)
        assert torch.equal(whole[name].nan_to_num(9), joined.nan_to_num(9)), name
    assert {whole["weight"].sum().item()} == {part["total_weight"].item() for part in parts}


class TestMicroBatches:
    @given(
        counts=st.lists(st.integers(0, 5), min_size=4, max_size=12).filter(any),
        size=st.integers(1, 12),
        world=st.sampled_from([1, 2]),
    )
    def test_weighted_parts_make_the_mean_over_the_whole_step(self, counts, size, world):
        """Whatever the split: known labels of all processes count once each."""
        weight, value = torch.tensor(counts).float(), torch.arange(len(counts)).float()
        half = len(counts) // world
        shares = []
        for rank in range(world):
            mine = slice(rank * half, (rank + 1) * half)
            batch = {"rows": value[mine], "weight": weight[mine], "total_weight": weight[: world * half].sum()}
            for part, share in micro_batches(batch, size, world):
                mean = (part["rows"] * part["weight"]).sum() / part["weight"].sum().clamp(min=1)
                shares.append(float(mean) * share / world)
        expected = (value * weight)[: world * half].sum() / weight[: world * half].sum().clamp(min=1)

        assert expected.item() == pytest.approx(sum(shares), rel=1e-5, abs=1e-6)

    def test_each_part_has_its_share_of_every_data_set(self):
        """Rows come data set by data set; in blocks, batch norm would see one at a time."""
        batch = {"rows": torch.arange(12)}  # the last third from a second data set

        parts = [part["rows"] for part, _ in micro_batches(batch, 3, 1)]

        assert [1, 1, 1, 1] == [int((rows >= 8).sum()) for rows in parts]
        assert list(range(12)) == sorted(torch.cat(parts).tolist())

    def test_without_weights_every_image_counts_alike(self):
        """Masked autoencoders hide the same number of patches in each."""
        batch = CropDraw(None, num_patches=4)(np.arange(5), generator_of(0, 0)) | {"rows": torch.arange(5)}

        assert [0.4, 0.4, 0.2] == pytest.approx([share for _, share in micro_batches(batch, 2, 1)])

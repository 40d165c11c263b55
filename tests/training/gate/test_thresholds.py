"""Where the gate's thresholds are put, and what a picture weighs in the fit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.imaging import phantom
from models.imaging.gate_features import describe
from tests.training.gate.test_command import picture
from training.gate.examples import Pool, pool
from training.gate.judge import ALARM_SHARE, BLANK, COLOURED_REFUSED_SHARE, REFUSED_SHARE, thresholds
from training.gate.pictures import DRAWN_PREFIX, Picture
from training.gate.variants import view


def of_groups(*names: str, num: int = 101, is_chest: bool = True) -> list[Picture]:
    return [picture(name, is_chest=is_chest) for name in names for _ in range(num)]


class TestThresholds:
    """Three groups of chests, one a fold, each with upright logits 0, 0.01, ... 1 and `ahead` more for a turn."""

    PICTURES = (*of_groups("a", "b", "c"), *of_groups("x", num=5, is_chest=False))

    @staticmethod
    def logits(offsets: Sequence[float], ahead: float = 0.0) -> np.ndarray:
        upright = np.concatenate([np.linspace(0, 1, 101) + offset for offset in offsets])
        others = np.stack([upright, upright + ahead, upright - 1, upright - 1], axis=1)
        return np.concatenate([others, np.full((5, 4), 1e3)])

    def test_they_are_quantiles_of_left_out_chests(self):
        """Of the best view's logit, and of how far it is ahead of the upright one; other pictures count for nothing."""
        found = thresholds(self.PICTURES, self.logits((0, 0, 0), ahead=0.25))

        assert found["reject_below"] == pytest.approx(REFUSED_SHARE + 0.25)
        assert found["reject_coloured_below"] == pytest.approx(COLOURED_REFUSED_SHARE + 0.25)
        assert found["turn_margin"] == pytest.approx(0.25)

    def test_the_margin_is_a_quantile_from_above(self):
        """Few upright chests may be called turned."""
        logits = self.logits((0, 0, 0))
        logits[:, 1] += np.arange(len(logits)) % 101 / 100  # ahead by 0 to 1

        assert thresholds(self.PICTURES, logits)["turn_margin"] == pytest.approx(1 - ALARM_SHARE)

    def test_a_fold_s_network_is_judged_by_its_own_fold(self):
        """The median of three: one network that is far off moves nothing."""
        plain, one_off = (thresholds(self.PICTURES, self.logits(offsets)) for offsets in ((0, 0, 0), (0, 0, -50)))

        assert plain == pytest.approx(one_off)

    def test_drawn_chests_do_not_count(self):
        """They are easier, or harder, than any radiograph."""
        drawn = of_groups(*(f"{DRAWN_PREFIX}{place}" for place in range(3)))  # one a fold
        logits = np.concatenate([self.logits((0, 0, 0)), np.full((3 * 101, 4), -9.0)])

        assert thresholds([*self.PICTURES, *drawn], logits) == pytest.approx(
            thresholds(self.PICTURES, self.logits((0, 0, 0)))
        )

    def test_a_blank_picture_among_the_chests_does_not_count(self):
        """It is refused before the network sees it, so that it has no logits."""
        pictures, logits = (
            [*self.PICTURES, *of_groups("a")],
            np.concatenate([self.logits((0, 0, 0)), np.full((101, 4), BLANK)]),
        )

        assert thresholds(pictures, logits) == pytest.approx(thresholds(self.PICTURES, self.logits((0, 0, 0))))


class TestPool:
    def test_kinds_weigh_alike_and_a_group_as_the_root_of_its_size(self):
        """Upright chests as much as other pictures; chests that are turned a third of that."""
        pictures = [*of_groups("large", num=16), *of_groups("small", num=4), *of_groups("x", num=9, is_chest=False)]
        owner = np.concatenate([np.arange(29), np.arange(20)])
        turns = np.concatenate([np.zeros(29, np.int64), np.ones(20, np.int64)])
        examples = Pool(pictures, np.zeros((49, 1), np.float16), owner, turns).without(())

        upright, other, turned = examples.weights[:20], examples.weights[20:29], examples.weights[29:]
        assert [1, 1, 0.3] == pytest.approx([upright.sum(), other.sum(), turned.sum()])
        assert 2 == pytest.approx(upright[:16].sum() / upright[16:].sum())
        assert examples.labels.tolist() == [1.0] * 20 + [0.0] * 29

    def test_what_is_left_out_weighs_nothing(self):
        """A network is judged on groups that it has not seen."""
        pictures = [*of_groups("a", "b", num=2), *of_groups("x", num=2, is_chest=False)]
        features, turns = np.arange(6, dtype=np.float16)[:, None], np.array([0, 1, 0, 1, 0, 1])
        examples = Pool(pictures, features, np.arange(6), turns).without({"a"})

        assert [2, 3, 4, 5] == examples.features[:, 0].tolist()

    def test_without_both_kinds_nothing_can_be_fitted(self):
        pictures = of_groups("a", num=2)

        with pytest.raises(ValueError, match="chests and other pictures are both needed; there are a"):
            Pool(pictures, np.zeros((2, 1), np.float16), np.arange(2), np.zeros(2, np.int64)).without(())

    @pytest.mark.parametrize("seed", range(4))
    def test_a_picture_that_lies_on_its_side_has_its_width_for_its_height(self, seed):
        """The network reads the aspect; a turn by a quarter inverts it."""
        square = phantom.draw(3, 96, 96)
        made = pool([replace(picture("a", is_chest=True), square=square, aspect=2.0, is_tuning=True)], seed)

        for place in range(2):  # as it is, upright and turned; the others are varied
            turn = int(made.turns[place])
            seen = view(square, turn)
            assert seen is not None
            expected = describe(seen[None], np.array([0.5 if turn % 2 else 2.0]))
            assert np.array_equal(expected[0].astype(np.float16), made.features[place])

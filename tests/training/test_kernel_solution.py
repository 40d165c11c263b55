"""The kernel head that is solved: against scikit-learn, and what views, normals and unknown labels do to it."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from models.nets.kernel_head import KernelHead
from training.kernel_solution import Normals, solve_kernel_head
from training.overrides import override
from training.recipes.probe_types import ProbeRecipe

NONE = Normals(np.empty((0, 3)), 1.0)


def material(num: int = 200, seed: int = 0):
    """Two features tell the label equally well; changes move the second alone."""
    random = np.random.default_rng(seed)
    labels = (random.random((num, 2)) < 0.4).astype(np.float32)
    plain = 2 * np.stack([labels[:, 0], labels[:, 0], labels[:, 1]], axis=1) + random.normal(0, 1, (num, 3))
    moved = plain[:, None] + random.normal(0, 1, (num, 4, 3)) * np.array([0, 2, 0])
    return np.concatenate([plain[:, None], moved], axis=1), labels


def head_of(features, labels, normals=NONE, *, ridge=0.5, invariance=0.0, spread=1.0):
    state = solve_kernel_head(features, labels, normals, ridge=ridge, invariance=invariance, spread=spread)
    head = KernelHead(features.shape[2], len(features) + len(normals.features), labels.shape[1]).double()
    head.load_state_dict(state)
    return head


def logits_of(head, features):
    return head(torch.from_numpy(np.asarray(features, np.float64))).numpy()


def test_without_changes_it_is_a_gaussian_process():
    """scikit-learn's with the median distance as its length, but for scale and offset of each finding."""
    features, labels = material()
    plain = features[:, 0]
    standard = (plain - plain.mean(axis=0)) / (plain.std(axis=0) + 1e-6)
    squares = ((standard[:, None] - standard) ** 2).sum(axis=2)
    length = np.sqrt(np.median(squares[np.triu_indices(len(plain), 1)]))
    theirs = GaussianProcessRegressor(RBF(length), alpha=0.5, optimizer=None)
    other = material(num=50, seed=1)[0][:, 0]
    targets = labels[:, 1] - labels[:, 1].mean()
    theirs.fit(standard, targets)
    expected = theirs.predict((other - plain.mean(axis=0)) / (plain.std(axis=0) + 1e-6))

    logits = logits_of(head_of(features, labels), other)[:, 1]

    slope, offset = np.polyfit(expected, logits, 1)
    assert slope > 0
    assert slope * expected + offset == pytest.approx(logits, abs=1e-4)


def test_logits_have_the_spread_when_each_picture_is_left_out():
    """By solving anew without it, for a few of them; and they lie about the prevalence."""
    features, labels = material(num=60)
    head = head_of(features, labels, spread=0.7)
    state = head.state_dict()
    supports, weight = state["supports"].numpy(), state["weight"].numpy()
    likeness = np.exp(-((supports[:, None] - supports) ** 2).sum(axis=2))
    targets = labels[:, 0] - labels[:, 0].mean()
    solved = np.linalg.solve(likeness + 0.5 * np.eye(60), targets)
    scale = weight[0] @ solved / (solved @ solved)
    left_out = []
    for one in range(60):
        rest = np.arange(60) != one
        left_out.append(
            likeness[one, rest] @ np.linalg.solve(likeness[np.ix_(rest, rest)] + 0.5 * np.eye(59), targets[rest])
        )
    logits = np.array(left_out) * scale + state["bias"].numpy()[0]

    assert logits.std() == pytest.approx(0.7, rel=1e-3)
    share = labels[:, 0].mean()
    assert logits.mean() == pytest.approx(np.log(share / (1 - share)), abs=1e-3)


def test_it_leans_on_what_changes_do_not_move():
    """A step along the feature that changes move says less than the same step along the other."""
    features, labels = material()
    moves = {}
    for price in (0.0, 10.0):
        head = head_of(features, labels, invariance=price)
        middle = features[:, 0].mean(axis=0)
        middle_logits, *stepped = logits_of(head, [middle, middle + 0.5 * np.eye(3)[0], middle + 0.5 * np.eye(3)[1]])[
            :, 0
        ]
        moves[price] = (stepped[1] - middle_logits) / (stepped[0] - middle_logits)

    assert moves[0.0] == pytest.approx(1, abs=0.5)
    assert moves[10.0] < 0.5 * moves[0.0]


def test_a_change_counts_for_less_by_one_and_the_price_of_its_variance():
    """Of three views, one plain and one moved either way by a deviation: variance 1, so at a price of 3 a quarter."""
    plain = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    features = plain[:, None] + np.array([[0.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    labels = np.array([[1], [0], [0], [0]], np.float32)
    nobody = Normals(np.empty((0, 2)), 1.0)

    metric = solve_kernel_head(features, labels, nobody, ridge=0.5, invariance=3.0, spread=1.0)["metric"].numpy()

    still, moved = (metric**2).sum(axis=1)
    assert moved / still == pytest.approx(1 / 4, rel=1e-4)


class TestNormals:
    def test_their_origin_is_not_learned(self):
        """Moved as a whole, they say the same: only how they lie about their own mean counts."""
        features, labels = material()
        here = np.random.default_rng(2).normal(0, 1, (40, 3))
        other = material(num=50, seed=1)[0][:, 0]

        near, far = (logits_of(head_of(features, labels, Normals(here + by, 0.5)), other) for by in (0.0, 30.0))

        assert near == pytest.approx(far, abs=1e-4)

    def test_they_are_placed_where_pictures_without_a_finding_are(self):
        """Not amid all pictures, of which many have one."""
        features, labels = material()
        is_free = (labels == 0).all(axis=1)
        others = Normals(np.random.default_rng(2).normal(5, 1, (40, 3)), 0.5)

        supports = head_of(features, labels, others).state_dict()["supports"].numpy()

        assert supports[200:].mean(axis=0) == pytest.approx(supports[:200][is_free].mean(axis=0), abs=1e-5)

    def test_one_that_counts_twice_is_two_that_count_once(self):
        """A weight is a number of pictures."""
        features, labels = material()
        here, other = np.random.default_rng(2).normal(0, 1, (40, 3)), material(num=50, seed=1)[0][:, 0]

        one, two = (
            logits_of(head_of(features, labels, normals), other)
            for normals in (Normals(here, 2.0), Normals(np.repeat(here, 2, axis=0), 1.0))
        )

        assert one == pytest.approx(two, abs=1e-4)

    def test_those_that_resemble_no_picture_change_nothing(self):
        """Not even how common a finding is: that is its share of the pictures with labels."""
        features, labels = material()
        afar = Normals(np.array([[1e3, 0.0, 0.0], [-1e3, 0.0, 0.0]]), 1.0)
        other = material(num=50, seed=1)[0][:, 0]

        without, beside = (logits_of(head_of(features, labels, normals), other) for normals in (NONE, afar))

        assert without == pytest.approx(beside, abs=1e-4)

    def test_what_resembles_them_is_less_likely_anything(self):
        """The logit of a picture among them falls against that of one far from them."""
        features, labels = material()
        middle = features[(labels == 0).all(axis=1), 0].mean(axis=0)
        narrow = np.random.default_rng(2).normal(0, 0.1, (200, 3))
        among, away = middle, features[(labels == 1).all(axis=1), 0].mean(axis=0)

        def gap(normals):
            first, second = logits_of(head_of(features, labels, normals), [among, away])
            return second - first

        assert (gap(Normals(narrow, 1.0)) > gap(NONE)).all()

    def test_without_a_picture_free_of_findings_they_have_no_place(self):
        """Their shift would be measured against nothing."""
        features, labels = material()
        labels[(labels == 0).all(axis=1), 0] = 1

        with pytest.raises(ValueError, match="without a finding"):
            head_of(features, labels, Normals(np.zeros((4, 3)), 1.0))

    def test_a_linear_head_takes_none(self):
        """It would ignore them without a word."""
        with pytest.raises(ValueError, match="Gaussian kernel only"):
            ProbeRecipe(name="x", encoder="vit_tiny", normals=("somewhere",))

    def test_they_weigh_something(self):
        """A weight of 0 would divide by it."""
        with pytest.raises(ValueError, match="leave them out"):
            ProbeRecipe(name="x", encoder="vit_tiny", kernel="gaussian", normals=("somewhere",), normals_weight=0)


def test_unknown_labels_take_no_part():
    """Of one finding; the other's solution stays."""
    features, labels = material()
    hidden = labels.copy()
    hidden[::3, 1] = np.nan

    whole, parts = (head_of(features, one).state_dict() for one in (labels, hidden))

    assert torch.equal(whole["weight"][0], parts["weight"][0])
    assert torch.equal(parts["weight"][1, ::3], torch.zeros(len(labels[::3]), dtype=torch.float64))
    assert not torch.allclose(whole["weight"][1], parts["weight"][1])


def test_an_unknown_kernel_is_refused():
    """`--set kernel=...` takes any text."""
    with pytest.raises(ValueError, match="it is one of linear, gaussian"):
        override(ProbeRecipe(name="x", encoder="vit_tiny"), "kernel=cubic")

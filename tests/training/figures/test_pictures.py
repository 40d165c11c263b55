"""Pictures show what the bundle answers, in the right place."""

from typing import Any

import numpy as np
import pytest

from models.imaging.heatmap import largest_box, saliency_map
from models.imaging.preprocess import InputContract
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import load_bundle
from tests.dicom_samples import chest, plain
from tests.tiny_bundle import write_tiny_bundle
from tests.training.tiny import write_manifest_csv
from training.data.dataset import Row
from training.data.manifest import read_manifest
from training.data.packed import read_input
from training.evaluation.bundle_model import BundleModel
from training.figures.paintings import draw_anomalies, draw_reconstructions, hidden_pixels, visible_patches
from training.figures.saliency import draw_saliency
from training.figures.subjects import of_findings, of_rows, phantoms

SIDE_PX = 32


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    write_tiny_bundle(folder, SIDE_PX)
    return folder


@pytest.fixture(name="bundle", scope="module")
def _bundle(folder):
    return load_bundle(folder)


@pytest.fixture(name="subjects", scope="module")
def _subjects():
    return phantoms(2, InputContract(SIDE_PX))


def picture(axes) -> np.ndarray:
    """What a cell shows."""
    return np.asarray(axes.images[0].get_array())


class TestMasks:
    def test_of_one_seed_are_nested(self, bundle):
        """What 90 % leaves visible, 75 % does too; rounded down: 4 and 1 of 16 patches."""
        spec = bundle.manifest.reconstructor
        quarter, tenth = (visible_patches(spec, percent, seed=3) for percent in (75, 90))

        assert (4, 1) == (len(quarter), len(tenth))
        assert set(tenth) < set(quarter)

    def test_hide_whole_patches(self, bundle):
        """Patch 5 of a grid of 4 is the second of the second row."""
        hidden = hidden_pixels(bundle.manifest.reconstructor, np.array([5]))

        assert SIDE_PX**2 - 64 == hidden.sum()
        assert not hidden[8:16, 8:16].any()


def test_visible_patches_are_shown_as_they_are(bundle, subjects):
    """And hidden ones are painted; the third column is the second one's painting."""
    spec = bundle.manifest.reconstructor

    axes: Any = np.reshape(draw_reconstructions(bundle, subjects, "", threads=1).axes, (2, 5))

    for line, subject in enumerate(subjects):
        original = picture(axes[line, 0])
        assert np.array_equal(subject.image / 255, original)
        for column, percent in ((1, 75), (3, 90)):
            hidden = hidden_pixels(spec, visible_patches(spec, percent, seed=line))
            seen, painted = picture(axes[line, column]), picture(axes[line, column + 1])
            assert np.array_equal(original[~hidden], seen[~hidden])
            assert np.array_equal(original[~hidden], painted[~hidden])
            assert 1 == len(np.unique(seen[hidden]))
            assert 1 < len(np.unique(painted[hidden]))


def test_anomaly_maps_are_those_that_are_served(bundle, subjects):
    """Score and percentile above; the box of the shadow where it was put."""
    served = AnomalyDetector.open(bundle, threads=1).run(subjects[1].image[None, None])[0]

    axes: Any = np.reshape(draw_anomalies(bundle, subjects, "", threads=1).axes, (2, 4))

    assert np.allclose(served.reconstruction, picture(axes[1, 1]))
    assert f"score {served.score:.2f}, percentile {served.percentile:.0f}" == axes[1, 2].get_title()
    assert ([0, 0], [1, 1]) == (
        [len(axes[0, 0].patches), len(axes[0, 3].patches)],
        [len(axes[1, i].patches) for i in (0, 3)],
    )


def test_the_shadow_of_a_phantom_is_what_its_box_holds(subjects):
    """The picture with a shadow is brighter inside than the one without."""
    plain, shadowed = phantoms(2, InputContract(256))
    box = shadowed.box
    inside = slice(round(box.top), round(box.bottom)), slice(round(box.left), round(box.right))

    assert None is plain.box
    assert 30 < shadowed.image[inside].mean() - plain.image[inside].mean()


def test_the_dashed_box_is_that_of_the_map(folder, subjects):
    """Cut at the bundle's threshold, in pixels of the picture; the finding is the one furthest above its threshold."""
    model = BundleModel(folder, threads=1)
    probabilities = model.probabilities(model.logits(subjects[1].image[None]))[0]
    column = int(np.argmax(probabilities - model.thresholds.values))
    heat = saliency_map(model.saliency(subjects[1].image[None])[0, column], subjects[1].prepared.letterbox)
    expected = largest_box(heat, model.manifest.classifier.map_threshold)

    axes: Any = np.reshape(draw_saliency(model, subjects, "").axes, (2, 3))

    drawn = next(patch for patch in axes[1, 2].patches if patch.get_linestyle() == "--")
    top, left = drawn.get_y() + 0.5, drawn.get_x() + 0.5
    assert (expected.top, expected.left) == (top, left)
    assert (expected.bottom, expected.right) == (top + drawn.get_height(), left + drawn.get_width())
    assert f"{probabilities[column]:.2f}, threshold" in axes[1, 1].get_title()


class TestSubjects:
    def test_are_of_different_patients(self, tmp_path):
        """Evenly spread over the rows, whatever they look like."""
        rows = read_manifest(write_manifest_csv(tmp_path))

        chosen = of_rows([*rows, *rows], 4, InputContract(SIDE_PX))

        assert 4 == len({one.image.tobytes() for one in chosen})

    def test_are_laid_out_as_they_are_served(self, tmp_path):
        """Pixels of a DICOM that are twice as high as wide make a higher picture."""
        (tmp_path / "a.dcm").write_bytes(plain(chest(height=40, width=80), PixelAspectRatio=[2, 1]))
        row = Row(tmp_path / "a.dcm", frozenset(), frozenset(), "a")
        contract = InputContract(SIDE_PX)

        (chosen,) = of_rows([row], 1, contract)

        assert (0, 0, SIDE_PX, SIDE_PX) == chosen.prepared.letterbox.content
        assert np.array_equal(read_input(row.file, contract).image, chosen.image)

    def test_show_the_most_frequent_findings_first(self, tmp_path):
        """One picture a finding, labelled with it."""
        rows = read_manifest(write_manifest_csv(tmp_path))
        rows = [row for row in rows if "Mass" in row.labels] + rows[:1]

        chosen = of_findings(rows, ("Nodule", "Mass"), 2, InputContract(SIDE_PX))

        assert "Mass" == chosen[0].finding
        assert all(one.finding in one.caption for one in chosen)

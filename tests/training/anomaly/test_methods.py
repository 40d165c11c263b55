"""What the product has to beat, and the references under which it is measured."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.imaging.phantom import draw
from models.imaging.preprocess import InputContract, prepare
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import load_bundle
from models.runtime.manifest import BandsSpec
from models.runtime.session import open_session
from tests.tiny_bundle import write_tiny_bundle
from training.anomaly.methods import BANDS_ALONE, EDGES, INTENSITY, MEAN_NORMAL, one_mask_methods, simple_methods
from training.anomaly.shuffled import shuffle_weights
from training.reference import fit_reference


@pytest.fixture(name="bundle", scope="module")
def _bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    write_tiny_bundle(folder)
    return load_bundle(folder)


@pytest.fixture(name="inputs", scope="module")
def _inputs():
    """Portrait phantoms: there is padding left and right."""
    return [prepare(draw(seed, 96, 60), InputContract(32)) for seed in range(4)]


def test_shuffle_weights__keeps_values_and_loses_their_order():
    """Each is a permutation of itself; whole numbers, which are places, and a graph's few constants stay."""
    scale = np.array([1, 2, 3, 4], np.float32)
    weights: dict[str, np.ndarray] = {
        "w": np.arange(400, dtype=np.float32).reshape(20, 20),
        "i": np.arange(400),
        "s": scale,
    }
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = onnx.helper.make_graph([], "g", [], [], initializer=tensors)
    content = onnx.helper.make_model(graph).SerializeToString()
    shuffled: dict[str, np.ndarray] = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load_model_from_string(shuffle_weights(content, 1)).graph.initializer
    }

    np.testing.assert_array_equal(np.sort(shuffled["w"].ravel()), weights["w"].ravel())
    assert (shuffled["w"] != weights["w"]).mean() > 0.9
    np.testing.assert_array_equal(shuffled["i"], weights["i"])
    np.testing.assert_array_equal(shuffled["s"], scale)
    assert shuffle_weights(content, 1) == shuffle_weights(content, 1) != shuffle_weights(content, 2)


class _Grey:
    """A reconstructor that paints every hidden patch grey; what it shows it does not paint, as the contract has it."""

    def run(self, inputs, outputs):
        painted = np.full((len(inputs["image"]), 1, 16, 8, 8), 0.5, np.float32)
        painted[:, :, inputs["keep"][0]] = np.nan
        square = painted.reshape(-1, 1, 4, 4, 8, 8).transpose(0, 1, 2, 4, 3, 5).reshape(-1, 1, 32, 32)
        return [square for _ in outputs]


def test_one_mask__is_zero_where_it_shows(bundle, inputs):
    """At 75 % four of sixteen patches are seen, and another seed sees others."""
    spec = bundle.manifest.reconstructor.model_copy(update={"smoothing_px": 0.0})
    methods = one_mask_methods(_Grey(), spec, 0.75, 2)
    maps = [draw(inputs) for draw in methods.values()]

    assert ["one mask 0", "one mask 1"] == list(methods)
    for one in maps:
        assert (4, 32, 32) == one.shape
        patches = one.reshape(4, 4, 8, 4, 8).transpose(0, 1, 3, 2, 4).reshape(4, 16, -1)
        assert 4 <= (patches == 0).all(axis=2).sum(axis=1).min()
        assert (patches != 0).any()
    assert (maps[0] != maps[1]).any()


def test_simple_methods__are_smoothed_and_dark_in_the_padding(bundle, inputs):
    """Brightness, edges, distance from the mean normal, and the measure without a network."""
    methods = simple_methods(inputs[:3], bundle.manifest)

    assert {INTENSITY, EDGES, MEAN_NORMAL, BANDS_ALONE} == set(methods)
    for draw_map in methods.values():
        maps = draw_map(inputs)
        left, right = inputs[0].letterbox.content[1], inputs[0].letterbox.content[3]
        assert maps.dtype == np.float32
        assert np.isfinite(maps).all()
        assert maps[:, :, left:right].any()
        assert not maps[:, :, :left].any()
        assert not maps[:, :, right:].any()


class TestFitReference:
    def test_of_bands_has_one_map_a_band(self, bundle, inputs):
        """Signed, and scores are those of the pictures given for them, as serving measures these."""
        bands = BandsSpec(widths_px=(0, 4, 8), darker=0.5)
        spec = bundle.manifest.reconstructor.model_copy(update={"bands": bands, "reference": None})
        manifest = bundle.manifest.model_copy(update={"reconstructor": spec})
        session = open_session(bundle.files[spec.file])
        reference = fit_reference(manifest, session, inputs[:3], inputs[3:])

        assert (3, 32, 32) == reference.mean.shape == reference.std.shape
        assert 1 == len(reference.scores)
        assert (reference.mean < 0).any()
        (anomaly,) = AnomalyDetector(manifest, session, reference).run(
            inputs[3].image[None, None], [inputs[3].letterbox.content]
        )
        assert anomaly.score == pytest.approx(float(reference.scores[0]), rel=1e-5)

    def test_maps_of_normals_are_as_often_above_normal_here_as_there(self, bundle):
        """Rare large differences on the left, frequent small ones on the right: equal deviations, unequal maps."""
        spec = bundle.manifest.reconstructor.model_copy(
            update={"bands": BandsSpec(widths_px=(0,), darker=0.5), "reference": None, "smoothing_px": 1.0}
        )
        manifest = bundle.manifest.model_copy(update={"reconstructor": spec})
        session = open_session(bundle.files[spec.file])
        random = np.random.default_rng(0)
        noise = random.normal(0, 10, (80, 32, 32))
        noise[:, :, :16] *= random.choice([0.5, 6], (80, 32, 16), p=[0.9, 0.1])
        normals = [prepare(np.clip(128 + one, 0, 255).astype(np.uint8), InputContract(32)) for one in noise]
        reference = fit_reference(manifest, session, normals[:60])
        images = np.stack([one.image for one in normals[60:]])[:, None]

        gaps = []
        for used in (replace(reference, log_map=None), reference):
            maps = np.stack([one.calibrated for one in AnomalyDetector(manifest, session, used).run(images)])
            is_high = maps > np.median(maps)
            gaps.append(abs(is_high[:, :, :12].mean() - is_high[:, :, 20:].mean()))
        assert gaps[1] < gaps[0] / 2

    def test_without_bands_is_of_the_absolute_difference(self, bundle, inputs):
        """As bundles without bands have it: not negative, and every normal has a score."""
        session = open_session(bundle.files[bundle.manifest.reconstructor.file])
        reference = fit_reference(bundle.manifest, session, inputs)

        assert (32, 32) == reference.mean.shape
        assert (reference.mean >= 0).all()
        assert 4 == len(reference.scores)

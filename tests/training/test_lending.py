"""What two graphs have in common is stored once, and computed as before."""

import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

from models.errors import InvalidBundleError
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.runtime.anomaly import AnomalyDetector, complementary_keeps
from models.runtime.bundle import load_bundle, write_manifest
from models.runtime.onnx_borrow import borrow_weights
from models.runtime.session import open_session
from models.runtime.verify import verify
from tests.tiny_bundle import write_tiny_bundle
from tests.training.tiny import SIDE_PX, autoencoder, phantoms, spread
from training import lending
from training.graph_files import CLASSIFIER, RECONSTRUCTOR, Networks, write_graphs
from training.lending import lend_weights
from training.quantisation.bundle import Candidate, write_bundle
from training.quantisation.schemes import WEIGHTS
from training.recipes.types import ExportRecipe


@pytest.fixture(name="written", scope="module", params=["float16", "int8"])
def _written(tmp_path_factory, request):
    """Both graphs of one encoder: a masked autoencoder's, and that of a head upon it."""
    folder = tmp_path_factory.mktemp("graphs")
    painter = spread(autoencoder())
    classifier = ProbeClassifier(ProbeConfig(painter.config.encoder, 14, image_size_px=SIDE_PX))
    encoder = {name: painter.state_dict()[name] for name in classifier.trunk.state_dict()}
    classifier.trunk.load_state_dict(encoder)
    recipe = ExportRecipe(name="tiny", version="0", masks=(2, 4), weights=request.param)
    write_graphs(Networks(classifier.eval(), painter.eval()), phantoms(2, SIDE_PX)[:, None], recipe, folder)
    return folder


@pytest.fixture(name="folder")
def _folder(written, tmp_path, monkeypatch):
    """To be changed; that the tiny ones have little in common does not count."""
    monkeypatch.setattr(lending, "_LEAST_BYTES", 2**10)
    for name in (CLASSIFIER, RECONSTRUCTOR):
        shutil.copy(written / name, tmp_path)
    return tmp_path


def paint(graph: bytes) -> np.ndarray:
    """Of two phantoms."""
    keep = complementary_keeps((SIDE_PX // 16) ** 2, 2, 1, 0)
    return open_session(graph).run({"image": phantoms(2, SIDE_PX)[:, None], "keep": keep}, ["reconstruction"])[0]


def test_a_shared_encoder_is_stored_once_and_paints_the_same(folder):
    """To the bit; without the classifier's file the graph is no graph."""
    classifier, complete = (folder / CLASSIFIER).read_bytes(), (folder / RECONSTRUCTOR).read_bytes()

    assert lend_weights(folder / CLASSIFIER, folder / RECONSTRUCTOR)

    lean = (folder / RECONSTRUCTOR).read_bytes()
    assert len(lean) < 0.8 * len(complete)
    assert classifier == (folder / CLASSIFIER).read_bytes()
    np.testing.assert_array_equal(paint(complete), paint(borrow_weights(lean, classifier)))
    with pytest.raises(InvalidBundleError):
        open_session(lean)


def test_what_was_put_together_lends_again_to_the_same_file(folder):
    """A bundle that keeps both graphs of another one gets the same bytes."""
    lend_weights(folder / CLASSIFIER, folder / RECONSTRUCTOR)
    lean = (folder / RECONSTRUCTOR).read_bytes()
    (folder / RECONSTRUCTOR).write_bytes(borrow_weights(lean, (folder / CLASSIFIER).read_bytes()))

    assert lend_weights(folder / CLASSIFIER, folder / RECONSTRUCTOR)

    assert lean == (folder / RECONSTRUCTOR).read_bytes()


def test_for_little_in_common_files_stay_as_they_are(folder, monkeypatch):
    """They can be used by themselves."""
    monkeypatch.setattr(lending, "_LEAST_BYTES", 2**30)
    before = (folder / RECONSTRUCTOR).read_bytes()

    assert not lend_weights(folder / CLASSIFIER, folder / RECONSTRUCTOR)
    assert before == (folder / RECONSTRUCTOR).read_bytes()


class TestBundle:
    @pytest.fixture(name="bundle")
    @staticmethod
    def _bundle(tmp_path):
        """The tiny bundle, one of whose reconstructor's weights lies in its classifier's file alone."""
        manifest = write_tiny_bundle(tmp_path)
        painter, classifier = (onnx.load_model(tmp_path / name) for name in (RECONSTRUCTOR, CLASSIFIER))
        (moved,) = (one for one in painter.graph.initializer if one.name == "own_share")
        classifier.graph.initializer.append(moved)
        painter.graph.initializer.remove(moved)
        for model, name in ((painter, RECONSTRUCTOR), (classifier, CLASSIFIER)):
            (tmp_path / name).write_bytes(model.SerializeToString())
        spec = manifest.reconstructor.model_copy(update={"borrows_weights": True})
        write_manifest(tmp_path, manifest.model_copy(update={"reconstructor": spec}))
        return tmp_path

    def test_it_opens_and_maps_as_the_complete_one(self, bundle, tmp_path_factory):
        """And is sound by `bundle verify`."""
        complete = tmp_path_factory.mktemp("complete")
        write_tiny_bundle(complete)
        images = phantoms(2, 32)[:, None]
        maps = [AnomalyDetector.open(load_bundle(folder), threads=1).run(images) for folder in (bundle, complete)]

        assert [] == verify(bundle)
        for ours, theirs in zip(*maps, strict=True):
            np.testing.assert_array_equal(ours.calibrated, theirs.calibrated)

    def test_a_classifier_that_lacks_them_is_refused(self, bundle):
        """Another classifier in its place, hashed and all: a reason, not a crash in the first request."""
        manifest = load_bundle(bundle).manifest
        other = onnx.load_model(bundle / CLASSIFIER)
        del other.graph.initializer[-1]
        (bundle / CLASSIFIER).write_bytes(other.SerializeToString())
        write_manifest(bundle, manifest)

        with pytest.raises(InvalidBundleError, match="own_share"):
            load_bundle(bundle)
        assert any("own_share" in line for line in verify(bundle))

    def test_with_another_classifier_it_is_complete(self, bundle, tmp_path_factory):
        """A quantised one has no weights to lend: its bundle's reconstructor stands by itself, and maps as before."""
        original, folder = load_bundle(bundle), tmp_path_factory.mktemp("int8")
        without = onnx.load_model(bundle / CLASSIFIER)
        del without.graph.initializer[-1]
        files = {**original.files, CLASSIFIER: without.SerializeToString()}

        write_bundle(original, Candidate(replace(original, files=files), WEIGHTS, 0), {}, [], folder)

        images, made = phantoms(1, 32)[:, None], load_bundle(folder)
        ours, theirs = (AnomalyDetector.open(one, threads=1).run(images)[0] for one in (made, original))
        assert not made.manifest.reconstructor.borrows_weights
        np.testing.assert_array_equal(ours.calibrated, theirs.calibrated)

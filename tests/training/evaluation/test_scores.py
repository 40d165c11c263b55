"""Scores: the bundle's own, the network's own, of every file or of none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.imaging.decode import decode
from models.imaging.preprocess import Geometry, InputContract, prepare
from models.labels import CHESTXRAY14
from models.nets.checkpoint import save
from models.nets.densenet import DenseNetClassifier, DenseNetShape
from models.runtime.bundle import load_bundle
from models.runtime.classifier import Classifier
from tests.tiny_bundle import write_tiny_bundle
from tests.training.tiny import SIDE_PX, autoencoder, classifier, spread, write_manifest_csv
from training.data.crops import normalise
from training.data.dataset import DataError, Dataset
from training.data.manifest import read_folder
from training.evaluation.bundle_model import BundleModel
from training.evaluation.network_model import NetworkModel, Stated, View, open_checkpoint
from training.evaluation.scores import Scores, score

LOGIT_TOLERANCE = 1e-5  # the same network on batches of another size


@pytest.fixture(name="dataset")
def _dataset(tmp_path) -> Dataset:
    """Twelve phantoms, not square."""
    return read_folder(write_manifest_csv(tmp_path))


@pytest.fixture(name="files")
def _files(dataset) -> list[Path]:
    return [row.file for row in dataset.rows]


class TestBundle:
    def test_is_scored_as_it_is_served(self, tmp_path, files):
        """Decoded, laid out and calibrated by the bundle's contract."""
        write_tiny_bundle(tmp_path / "bundle", geometry=Geometry.CENTER_CROP, untrained=("Mass",))

        scores = score(BundleModel(tmp_path / "bundle"), files, tmp_path / "cache")

        bundle = load_bundle(tmp_path / "bundle")
        contract = bundle.manifest.input.contract
        images = np.stack([prepare(decode(file.read_bytes()), contract).image for file in files])
        served = Classifier.open(bundle)
        logits = served.predict(images[:, None], saliency=False).logits
        assert logits == pytest.approx(scores.logits, abs=LOGIT_TOLERANCE)
        assert np.allclose(served.probabilities(logits), scores.probabilities, equal_nan=True)

    def test_says_what_it_was_not_trained_for(self, tmp_path, files):
        """Its column is NaN, and its threshold too."""
        write_tiny_bundle(tmp_path / "bundle", untrained=("Mass",))

        scores = score(BundleModel(tmp_path / "bundle"), files, tmp_path / "cache")

        mass = CHESTXRAY14.index("Mass")
        assert [mass] == np.flatnonzero(~scores.trained).tolist()
        assert [mass] == np.flatnonzero(np.isnan(scores.thresholds.values)).tolist()
        assert "the bundle (tiny-thresholds)" == scores.thresholds.origin

    def test_is_known_by_name_and_hash(self, tmp_path):
        """A report names what it measured."""
        write_tiny_bundle(tmp_path / "bundle")
        model = BundleModel(tmp_path / "bundle")

        assert ("thorascope-tiny 0.0.1", load_bundle(tmp_path / "bundle").sha256) == (model.name, model.sha256)


class TestNetwork:
    def test_gives_its_own_logits(self, tmp_path, files):
        """Normalised as in training, in float32, uncalibrated."""
        network = classifier()
        scores = score(NetworkModel("tiny", network, CHESTXRAY14, View(SIDE_PX)), files, tmp_path / "cache")

        contract = InputContract(SIDE_PX)
        images = np.stack([prepare(decode(file.read_bytes()), contract).image for file in files])
        with torch.inference_mode():
            logits = network(normalise(torch.from_numpy(images))).numpy()
        assert logits == pytest.approx(scores.logits, abs=LOGIT_TOLERANCE)
        assert (np.dtype(np.float32), None, None) == (scores.logits.dtype, scores.probabilities, scores.thresholds)

    def test_of_a_checkpoint_is_the_one_that_was_saved(self, tmp_path, dataset, files):
        """By its file; name and hash go into the report."""
        network = classifier()
        save(network, tmp_path / "network.safetensors")
        model = open_checkpoint(tmp_path / "network.safetensors", dataset)

        one = score(model, files, tmp_path / "cache")

        two = score(NetworkModel("tiny", network, CHESTXRAY14, View(SIDE_PX)), files, tmp_path / "cache")
        assert np.array_equal(two.logits, one.logits)
        assert f"{tmp_path.name}/network.safetensors" == model.name
        assert 64 == len(model.sha256)

    def test_sees_pictures_as_its_run_did(self, tmp_path, dataset):
        """What stands in the run.json beside it counts, unless the caller says otherwise."""
        save(classifier(), tmp_path / "network.safetensors")
        recipe = {"geometry": "center-crop", "normalisation": "imagenet", "image_size_px": SIDE_PX}
        (tmp_path / "run.json").write_text(json.dumps({"recipe": recipe}))

        path = tmp_path / "network.safetensors"
        told, overruled = (
            open_checkpoint(path, dataset),
            open_checkpoint(path, dataset, Stated(Geometry.LETTERBOX, "grey")),
        )

        assert (Geometry.CENTER_CROP, Geometry.LETTERBOX) == (told.contract.geometry, overruled.contract.geometry)
        white = np.full((1, SIDE_PX, SIDE_PX), 255, np.uint8)
        assert (1 - 0.485) / 0.229 == pytest.approx(float(told.normalised(white)[0, 0, 0, 0]))
        assert (1 - 0.5056) / 0.252 == pytest.approx(float(overruled.normalised(white)[0, 0, 0, 0]))

    def test_may_be_convolutional(self, tmp_path, dataset):
        """Its side is the run's, or 224."""
        network = spread(DenseNetClassifier(14, DenseNetShape(8, (1, 1, 1, 1), 8)))
        save(network, tmp_path / "network.safetensors")
        path = tmp_path / "network.safetensors"
        without = open_checkpoint(path, dataset).contract.side
        (tmp_path / "run.json").write_text(json.dumps({"recipe": {"image_size_px": 64}}))

        assert (224, 64) == (without, open_checkpoint(path, dataset).contract.side)

    def test_with_other_outputs_is_refused(self):
        """A column taken for another one would be scored without a word."""
        with pytest.raises(ValueError, match="14 outputs, the data name 2 findings"):
            NetworkModel("tiny", classifier(), ("A", "B"), View(SIDE_PX))

    def test_that_is_no_classifier_is_refused(self, tmp_path, dataset):
        """A masked autoencoder has no logits."""
        save(autoencoder(), tmp_path / "mae.safetensors")

        with pytest.raises(ValueError, match="MaskedAutoencoder classifies nothing"):
            open_checkpoint(tmp_path / "mae.safetensors", dataset)

    def test_that_overflows_is_named_with_its_file(self, tmp_path, files):
        """NaN cannot be ranked; the first file that has it is told."""
        network = classifier()
        with torch.no_grad():
            network.head.bias[3] = torch.inf

        with pytest.raises(DataError, match=r"0\.png: tiny gives a logit that is NaN or infinite, as for 12"):
            score(NetworkModel("tiny", network, CHESTXRAY14, View(SIDE_PX)), files, tmp_path / "cache")


class TestFiles:
    def test_one_that_does_not_decode_stops_the_run(self, tmp_path, files):
        """It is named; a mean over the others would be a mean over fewer."""
        files[5].write_bytes(b"not an image")

        with pytest.raises(DataError, match=r"5\.png"):
            score(NetworkModel("tiny", classifier(), CHESTXRAY14, View(SIDE_PX)), files, tmp_path / "cache")

    def test_one_that_is_missing_stops_the_run(self, tmp_path, files):
        """Likewise."""
        files[5].unlink()

        with pytest.raises(DataError, match=r"1 of 12 images are missing: .*5\.png"):
            score(NetworkModel("tiny", classifier(), CHESTXRAY14, View(SIDE_PX)), files, tmp_path / "cache")

    def test_more_than_a_batch_keep_their_order(self, tmp_path, files):
        """Thirty-six files are two batches."""
        model = NetworkModel("tiny", classifier(), CHESTXRAY14, View(SIDE_PX))
        once, thrice = (score(model, part, tmp_path / "cache").logits for part in (files, files * 3))

        assert np.tile(once, (3, 1)) == pytest.approx(thrice, abs=LOGIT_TOLERANCE)

    def test_pictures_are_letterboxed_not_squashed(self, tmp_path):
        """A wide white picture leaves rows of padding."""
        Image.fromarray(np.full((32, 64), 255, np.uint8)).save(tmp_path / "wide.png")
        seen = []

        class Witness(NetworkModel):
            def logits(self, images):
                seen.append(images)
                return super().logits(images)

        score(Witness("tiny", classifier(), CHESTXRAY14, View(SIDE_PX)), [tmp_path / "wide.png"], tmp_path / "cache")

        assert {0} == set(seen[0][0, : SIDE_PX // 4].ravel().tolist())


def test_scores__without_probabilities_are_all_trained():
    """A network does not say what it cannot do."""
    assert [True, True] == Scores(("A", "B"), np.zeros((1, 2), np.float32)).trained.tolist()

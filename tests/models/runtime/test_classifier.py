"""Findings of a batch, from a bundle."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import InvalidBundleError
from models.runtime.bundle import Bundle, load_bundle, load_manifest, write_manifest
from models.runtime.classifier import Classifier
from tests.tiny_bundle import classifier_graph, write_onnx, write_tiny_bundle


@pytest.fixture
def classifier(bundle: Bundle) -> Classifier:
    return Classifier.open(bundle, threads=1)


class TestClassifier:
    def test_answers_every_image_and_finding(self, classifier: Classifier, images: np.ndarray) -> None:
        """Shapes and types of the contract."""
        output = classifier.predict(images, saliency=True)

        assert output.logits.shape == (3, 14)
        assert output.logits.dtype == np.float32
        assert output.saliency is not None
        assert output.saliency.shape == (3, 14, 4, 4)
        assert output.saliency.min() >= 0

    def test_logits_do_not_depend_on_whether_maps_are_wanted(self, classifier: Classifier, images: np.ndarray) -> None:
        """The graph without maps is the same graph."""
        without = classifier.predict(images, saliency=False)

        assert without.saliency is None
        np.testing.assert_array_equal(without.logits, classifier.predict(images, saliency=True).logits)

    def test_an_image_is_answered_alike_alone_and_in_a_batch(self, classifier: Classifier, images: np.ndarray) -> None:
        """Micro-batching must not change answers."""
        alone = classifier.predict(images[1:2], saliency=True)
        batch = classifier.predict(images, saliency=True)

        np.testing.assert_allclose(alone.logits[0], batch.logits[1], rtol=1e-6)

    def test_thresholds_are_probabilities(self, tmp_path: Path) -> None:
        """A threshold of 0.24 is met by a calibrated probability of 0.24, not by a logit of 0.24."""
        write_tiny_bundle(tmp_path, findings=["Mass", "Nodule"])  # Nodule: slope 1.1, intercept -0.05, threshold 0.24
        classifier = Classifier.open(load_bundle(tmp_path))
        at_threshold = (np.log(0.24 / 0.76) + 0.05) / 1.1

        logits = np.array([[0, at_threshold - 1e-4], [0, at_threshold + 1e-4]], np.float32)
        probabilities = classifier.probabilities(logits)

        assert probabilities[:, 1] == pytest.approx(0.24, abs=1e-4)
        assert classifier.positive(probabilities)[:, 1].tolist() == [False, True]

    def test_a_probability_that_reaches_its_threshold_is_positive(self, folder: Path) -> None:
        """Whatever thresholds are in force."""
        classifier = Classifier.open(load_bundle(folder))
        thresholds = np.full(len(classifier.findings), 0.25)
        own = np.array([[finding.threshold for finding in classifier.findings]])

        assert classifier.positive(own).all()
        assert classifier.positive(thresholds[None], thresholds).all()
        assert not classifier.positive(np.nextafter(thresholds[None], 0), thresholds).any()

    def test_an_untrained_finding_has_no_probability_and_is_never_positive(
        self, tmp_path: Path, images: np.ndarray
    ) -> None:
        """Its column is NaN and keeps its place."""
        write_tiny_bundle(tmp_path, untrained=["Effusion"])
        classifier = Classifier.open(load_bundle(tmp_path))

        probabilities = classifier.probabilities(classifier.predict(images, saliency=False).logits + 100)

        assert np.isnan(probabilities[:, 2]).all()
        assert np.isfinite(np.delete(probabilities, 2, axis=1)).all()
        assert not classifier.positive(probabilities)[:, 2].any()
        assert np.delete(classifier.positive(probabilities), 2, axis=1).all()

    def test_a_graph_with_other_findings_is_refused(self, folder: Path) -> None:
        """Thirteen columns under fourteen names would answer for the wrong finding."""
        write_onnx(folder / "classifier.onnx", classifier_graph(32, 13))
        write_manifest(folder, load_manifest(folder)[0])

        with pytest.raises(InvalidBundleError, match="logits"):
            Classifier.open(load_bundle(folder))

"""A bundle comes out whole and true, or not at all."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from models.errors import InvalidBundleError
from models.imaging.decode import decode
from models.imaging.preprocess import InputContract, prepare
from models.labels import CHESTXRAY14
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.slim_resnet import SlimClassifier, SlimConfig, SlimShape
from models.nets.vit import VitShape
from models.runtime.anomaly import AnomalyDetector, complementary_keeps
from models.runtime.bundle import load_bundle, write_manifest
from models.runtime.calibration_fit import fit_calibration
from models.runtime.classifier import Classifier
from models.runtime.session import open_session
from tests.tiny_bundle import write_tiny_bundle
from tests.training.tiny import SIDE_PX, autoencoder, classifier, phantoms, spread, write_manifest_csv
from training import parity
from training.commands.export import classifier_of, reconstructor_of, scores_of
from training.committee import Committee
from training.data.crops import normalise
from training.data.dataset import DataError, label_matrix
from training.data.manifest import read_manifest
from training.export import Material, export
from training.graph_files import KeptClassifier, Networks, write_graphs
from training.graphs import ClassifierGraph, ReconstructorGraph
from training.onnx_file import to_onnx
from training.out_of_fold import OUT_OF_FOLD, OutOfFold, write_out_of_fold
from training.recipes.types import ExportRecipe
from training.sections import threshold_sets

RECIPE = ExportRecipe(name="tiny", version="0", masks=(2, 4))
DESCRIPTION = {
    "recipe": {
        "name": "tiny", "encoder": "e", "decoder": "d", "mask_ratio": 0.5, "head": "token", "drop_path": 0.0,
        "rand_augment": "none", "optim": {"epochs": 1, "batch": 1, "layer_decay": 1.0},
    },
    "num_images": 6,
    "sources": {"phantom": 6},
}  # fmt: skip


def _images(rows):
    return np.stack([prepare(decode(row.file.read_bytes()), InputContract(SIDE_PX)).image for row in rows])


@pytest.fixture(name="networks", scope="module")
def _networks():
    return Networks(classifier(), autoencoder())


@pytest.fixture(name="material", scope="module")
def _material(tmp_path_factory, networks):
    """Held-out rows whose labels follow the network's logits three times out of four: calibration needs a trend."""
    rows = [
        row for row in read_manifest(write_manifest_csv(tmp_path_factory.mktemp("images"), 48)) if row.split == "val"
    ]
    with torch.inference_mode():
        logits = networks.classifier(normalise(torch.from_numpy(_images(rows)))).numpy()
    present = (logits > np.median(logits, axis=0)) ^ (np.arange(len(rows))[:, None] % 4 == 0)
    present[1::6] = False
    names = np.array(CHESTXRAY14)
    held_out = [replace(row, labels=frozenset(names[line].tolist())) for row, line in zip(rows, present, strict=True)]
    return Material(held_out, None, DESCRIPTION, [DESCRIPTION])


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory, networks, material):
    folder = tmp_path_factory.mktemp("bundle")
    export(RECIPE, networks, material, folder)
    return folder


class TestBundle:
    def test_serving_opens_it_and_sees_what_the_network_sees(self, folder, networks, material):
        """From the file on disk to probabilities, without torch in between."""
        bundle = load_bundle(folder)
        images = _images(material.held_out)
        with torch.inference_mode():
            expected = networks.classifier(normalise(torch.from_numpy(images))).numpy()

        logits = Classifier.open(bundle, threads=1).predict(images[:, None], saliency=True).logits

        assert logits == pytest.approx(expected, abs=parity.STORED_LOGIT_TOLERANCES["float16"])
        assert logits.std() > 0.01

    def test_the_anomaly_map_has_references(self, folder):
        """A percentile is a statement about the held-out normals."""
        detector = AnomalyDetector.open(load_bundle(folder), threads=1)

        (result,) = detector.run(phantoms(1, SIDE_PX)[:, None])

        assert 0 <= result.percentile <= 100

    def test_every_file_is_listed_and_the_card_is_written(self, folder):
        """TorchScript is listed as optional."""
        files = json.loads((folder / "bundle.json").read_text())["files"]

        assert {"classifier.onnx", "reconstructor.onnx", "anomaly_reference.npz", "classifier.torchscript.pt"} == set(
            files
        )
        assert files["classifier.torchscript.pt"]["optional"]
        assert "not for clinical use" in (folder / "README.md").read_text()

    def test_its_images_are_called_what_they_are(self, folder):
        """Phantoms are not ChestX-ray14."""
        description = load_bundle(folder).manifest.reconstructor.reference.description

        assert "AUROC on 24 held-out images of 24 patients." in (folder / "README.md").read_text()
        assert "held-out images labelled No Finding" == description

    def test_no_path_of_the_building_machine_is_inside(self, folder):
        """The exporter leaves stack traces in the graph unless told not to."""
        for name in ("classifier.onnx", "reconstructor.onnx"):
            assert b"site-packages" not in (folder / name).read_bytes()
            assert b".py" not in (folder / name).read_bytes()


def test_a_card_says_where_encoder_and_painter_are_one_and_flatters_no_more_than_the_numbers_do(
    tmp_path, networks, material
):
    """A classifier that started from the reconstructor's own run; calibration from scores out of fold."""
    rows = material.held_out
    scores = networks.classifier(normalise(torch.from_numpy(_images(rows)))).detach().numpy()
    names, patients = tuple(row.file.name for row in rows), tuple(row.patient for row in rows)
    known = OutOfFold(CHESTXRAY14, names, patients, label_matrix(rows), scores[None])
    started = DESCRIPTION | {"start": {"sha256": "0" * 64, "run": DESCRIPTION}}

    export(RECIPE, networks, replace(material, out_of_fold=known, finetuning=[started]), tmp_path)

    card = (tmp_path / "README.md").read_text()
    assert "- Classifier: " in card
    assert "It started from the masked autoencoder that also paints." in card
    assert "flatters" not in card


def test_export__leaves_a_bundle_alone_where_nothing_was_held_out(tmp_path, networks, material):
    """No number could be put on its card."""
    (tmp_path / "bundle.json").write_text("{}")

    with pytest.raises(DataError, match="held-out"):
        export(RECIPE, networks, replace(material, held_out=[]), tmp_path)

    assert (tmp_path / "bundle.json").exists()


def test_export__refuses_images_of_which_nobody_knows_that_they_were_held_out(tmp_path, networks, material):
    """Without splits, all images were trained on, and the card would call them held-out."""
    (tmp_path / "bundle.json").write_text("{}")
    unsplit = [replace(row, split="") for row in material.held_out]

    with pytest.raises(DataError, match=r"unsplit.*a column `split` that says `train` or `val`"):
        export(RECIPE, networks, replace(material, held_out=unsplit), tmp_path)

    assert (tmp_path / "bundle.json").exists()


class TestScoresThatCalibrate:
    """They are of the networks that are served, one folder each."""

    @pytest.fixture(name="runs")
    @staticmethod
    def _runs(tmp_path):
        """Folders of crossval of two recipes, and a bundle that was made of both."""
        labels, runs = np.zeros((2, 14), np.float32), {}
        for place, name in enumerate(("slim", "probe")):
            folder = tmp_path / name
            folder.mkdir()
            runs[name] = DESCRIPTION | {"recipe": DESCRIPTION["recipe"] | {"name": name}}
            (folder / "run.json").write_text(json.dumps(runs[name]))
            logits = np.full((1, 2, 14), place, np.float32)
            write_out_of_fold(
                OutOfFold(CHESTXRAY14, ("x", "y"), ("x", "y"), labels, logits), (0,), folder / OUT_OF_FOLD
            )
        manifest = write_tiny_bundle(tmp_path / "bundle")
        stated = {"provenance": {"finetuning": list(runs.values())}, "files": {}}
        write_manifest(tmp_path / "bundle", manifest.model_copy(update=stated))
        return tmp_path

    def test_a_bundle_counts_for_all_its_networks(self, runs):
        """In any order: what is taken is a mean."""
        scores = scores_of([runs / "bundle"], [runs / "probe", runs / "slim"])

        assert scores is not None
        assert 0.5 == scores.mean_logits.mean()
        with pytest.raises(ValueError, match="1 folders for 2 members"):
            scores_of([runs / "bundle"], [runs / "slim"])

    def test_one_network_takes_no_mean_of_several(self, runs):
        """It would be calibrated on scores that nothing gives."""
        with pytest.raises(ValueError, match="2 folders for 1 members"):
            scores_of([runs / "slim"], [runs / "slim", runs / "probe"])

    def test_scores_of_another_recipe_are_refused(self, runs):
        """By name, where all folders say theirs."""
        with pytest.raises(ValueError, match="scores of probe for a classifier of slim"):
            scores_of([runs / "slim"], [runs / "probe"])
        (runs / "probe" / "run.json").unlink()

        assert scores_of([runs / "slim"], [runs / "probe"]) is not None


@pytest.mark.parametrize(("name", "value"), [("normalisation", "imagenet"), ("geometry", "center-crop")])
def test_a_run_that_saw_otherwise_than_a_bundle_shows_is_not_exported(tmp_path, name, value):
    """Its graph would agree with its network, and both with nothing that was measured."""
    described = DESCRIPTION | {"recipe": DESCRIPTION["recipe"] | {name: value}}
    (tmp_path / "run.json").write_text(json.dumps(described))

    with pytest.raises(ValueError, match=f"{name} .*; this run had {value}"):
        classifier_of(tmp_path)


def test_export__without_parity_writes_no_manifest(tmp_path, networks, material, monkeypatch):
    """A folder without a manifest is no bundle; an older manifest does not survive either."""
    (tmp_path / "bundle.json").write_text("{}")
    monkeypatch.setattr(parity, "STORED_LOGIT_TOLERANCES", {"float16": 0.0})

    with pytest.raises(parity.ParityError, match="float16"):
        export(RECIPE, networks, material, tmp_path)

    with pytest.raises(InvalidBundleError):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("tolerance", "allowed"),
    [("RECONSTRUCTION_TOLERANCE", -1.0), ("STORED_RECONSTRUCTION_TOLERANCES", {"float16": 0.0})],
)
def test_write_graphs__lets_no_painter_through_that_differs(
    tmp_path, networks, folder, monkeypatch, tolerance, allowed
):
    """As it is exported, and as it is stored."""
    bundle = load_bundle(folder)
    kept = KeptClassifier(bundle.files["classifier.onnx"], bundle.manifest.classifier)
    monkeypatch.setattr(parity, tolerance, allowed)

    with pytest.raises(parity.ParityError, match="reconstruction differs"):
        write_graphs(Networks(kept, networks.autoencoder), phantoms(2, SIDE_PX)[:, None], RECIPE, tmp_path)

    assert not (tmp_path / "reconstructor.onnx").exists()


def test_an_ensemble_is_calibrated_on_out_of_fold_scores(tmp_path, material):
    """Its graph says what it says; its calibration follows from the scores that were handed in."""
    torch.manual_seed(0)
    ensemble = spread(SlimClassifier(SlimConfig(SlimShape((1, 1, 1, 1), 8), 14, num_members=2, image_size_px=64)))
    generator = np.random.default_rng(0)
    labels = (generator.random((400, 14)) < 0.3).astype(np.float32)
    logits = (labels + generator.normal(size=(2, 400, 14))).astype(np.float32)
    files = tuple(f"{index}.png" for index in range(400))
    scores = OutOfFold(CHESTXRAY14, files, files, labels, logits)
    member = DESCRIPTION["recipe"] | {"image_size_px": 64}
    repeated = DESCRIPTION | {"recipe": member, "crossval": {"folds": 2, "seeds": [0], "networks": 2}}
    manifest = export(
        RECIPE,
        Networks(ensemble, autoencoder()),
        replace(material, out_of_fold=scores, finetuning=[repeated]),
        tmp_path,
    )
    images = _images(material.held_out)
    with torch.inference_mode():
        expected, maps = ensemble.saliency(normalise(torch.from_numpy(images)))

    output = Classifier.open(load_bundle(tmp_path), threads=1).predict(images[:, None], saliency=True)

    assert output.logits == pytest.approx(expected.numpy(), abs=parity.STORED_LOGIT_TOLERANCES["float16"])
    assert output.saliency.shape == tuple(maps.shape)
    assert manifest.findings[0].calibration == fit_calibration(scores.mean_logits, labels)[0]
    assert "400 training images" in manifest.threshold_sets[0].description
    assert "2 networks" in (tmp_path / "README.md").read_text()


def test_a_committee_serves_the_mean_of_its_members(tmp_path, material):
    """A narrow ResNet and a probe, their large weights as int8: logits, and maps on the finer of their grids."""
    torch.manual_seed(0)
    slim = spread(SlimClassifier(SlimConfig(SlimShape((1, 1, 1, 1), 8), 14, image_size_px=64)))
    probe = spread(ProbeClassifier(ProbeConfig(VitShape(64, 2, 2), 14, image_size_px=48, num_supports=600)))
    compared = {"supports": torch.randn(600, 128) / 9, "weight": torch.randn(14, 600)}  # far more than 65,536 values
    probe.head.load_state_dict(probe.head.state_dict() | compared)
    network = Committee([slim, probe]).eval()
    started = DESCRIPTION | {"start": {"sha256": "0" * 64, "run": DESCRIPTION | {"sources": {"unseen": 9}}}}
    solved = {"name": "solved", "encoder": "vit_small", "ridge": 1.0, "invariance": 10.0, "image_size_px": 48}
    solved |= {"kernel": "gaussian", "normals": ["healthy"], "normals_weight": 0.5}
    contrast = {"name": "contrast", "encoder": "slim18", "queue": 4096, "optim": {"epochs": 7, "batch": 4}}
    contrasted = DESCRIPTION | {"recipe": contrast, "sources": {"unnamed": 5}, "note": "It was cut short."}
    counted = {"num_images": 30, "sources": {"labelled": 20, "healthy": 10}}
    runs = [DESCRIPTION | {"start": {"sha256": "1" * 64, "run": contrasted}}, started | {"recipe": solved} | counted]
    recipe = replace(RECIPE, weights="int8")
    manifest = export(recipe, Networks(network, autoencoder()), replace(material, finetuning=runs), tmp_path)
    images = _images(material.held_out)
    with torch.inference_mode():
        expected, maps = network.saliency(normalise(torch.from_numpy(images)))

    output = Classifier.open(load_bundle(tmp_path), threads=1).predict(images[:, None], saliency=True)

    assert output.logits == pytest.approx(expected.numpy(), abs=parity.STORED_LOGIT_TOLERANCES["float16"])
    assert output.saliency.shape == tuple(maps.shape) == (len(images), 14, 3, 3)
    assert output.saliency == pytest.approx(
        maps.numpy(), abs=parity.STORED_MAP_TOLERANCES["float16"] * float(maps.max())
    )
    assert 2 == len(manifest.provenance["finetuning"])
    card = (tmp_path / "README.md").read_text()
    assert "mean of those parts' logits" in card
    assert "- Classifier, part 1 of 2: " in card
    assert "- Classifier, part 2 of 2: ridge regression" in card
    assert "fitted on these images, so it flatters" in card
    assert "frozen `vit_small` at 48 px" in card
    assert "20 images with all 14 labels, and 10 read as normal" in card
    stored = {one.name for one in onnx.load(tmp_path / "classifier.onnx").graph.initializer}
    assert {"network.members.1.head.supports.half", "network.members.1.head.metric.half"} <= stored  # neither as int8
    assert "It started from: masked autoencoder" in card
    assert "It started from: momentum contrast, encoder `slim18`, 4096 keys, a schedule of 7 epochs" in card
    assert "- It was cut short." in card
    assert "| `unnamed` | 5 | 0 |" in card
    assert "| `unseen` | 9 | 0 |" in card


def test_the_classifier_of_a_bundle_is_kept_byte_for_byte(tmp_path, folder, networks, material):
    """Beside a new reconstructor; the card says whose it is."""
    kept, finetuning = classifier_of(folder)
    painter = Networks(kept, networks.autoencoder)
    export(replace(RECIPE, version="1"), painter, replace(material, finetuning=finetuning), tmp_path)
    old, new = load_bundle(folder), load_bundle(tmp_path)

    assert old.files["classifier.onnx"] == new.files["classifier.onnx"]
    assert old.manifest.classifier == new.manifest.classifier
    assert "1" == new.manifest.version
    assert "that of tiny 0, byte for byte" in (tmp_path / "README.md").read_text()


def test_the_reconstructor_of_a_bundle_is_kept_byte_for_byte(tmp_path, folder, networks, material):
    """Beside another classifier. From the same pictures its references come out the same; the card says whose it is."""
    kept, pretraining = reconstructor_of(folder)
    torch.manual_seed(1)
    other = Networks(spread(classifier("avg")), kept)
    export(replace(RECIPE, version="1"), other, replace(material, pretraining=pretraining), tmp_path)
    old, new = load_bundle(folder), load_bundle(tmp_path)

    for name in ("reconstructor.onnx", "anomaly_reference.npz"):
        assert old.files[name] == new.files[name]
    assert old.files["classifier.onnx"] != new.files["classifier.onnx"]
    assert old.manifest.reconstructor == new.manifest.reconstructor
    assert "The reconstructor is that of tiny 0, byte for byte" in (tmp_path / "README.md").read_text()


class TestReconstructorGraph:
    def test_a_checkpoint_with_norm_pix_loss_draws_no_map(self):
        """Un-normalising takes mean and contrast from the very patch that is to be judged."""
        with pytest.raises(ValueError, match="norm_pix_loss"):
            ReconstructorGraph(autoencoder(norm_pix_loss=True))

    def test_the_mean_is_over_passes_that_hid_the_patch(self):
        """Against the autoencoder's own forward, pass by pass."""
        network = autoencoder()
        images = torch.from_numpy(phantoms(2, SIDE_PX))[:, None]
        keep = complementary_keeps(network.num_patches, 2, rounds=3, seed=1)

        with torch.inference_mode():
            mean, spread = ReconstructorGraph(network)(images, torch.from_numpy(keep))
            sums, squares, counts = (torch.zeros(2, 1, SIDE_PX, SIDE_PX) for _ in range(3))
            for row in keep:
                noise = torch.ones(2, network.num_patches)
                noise[:, torch.from_numpy(row)] = 0
                result = network(normalise(images), noise, 0.5)
                patches = result.pred.unflatten(2, (16, 16, 3)).mean(dim=-1) * 0.252 + 0.5056
                for patch in range(network.num_patches):
                    if row.tolist().count(patch):
                        continue
                    y, x = divmod(patch, network.grid)
                    place = (slice(None), 0, slice(16 * y, 16 * y + 16), slice(16 * x, 16 * x + 16))
                    sums[place] += patches[:, patch]
                    squares[place] += patches[:, patch] ** 2
                    counts[place] += 1
        expected = sums / counts

        assert torch.allclose(mean, expected, atol=1e-5)
        assert torch.allclose(spread, (squares / counts - expected**2).clamp(min=0).sqrt(), atol=1e-3)

    def test_a_patch_that_is_never_hidden_is_nan(self):
        """Nothing was painted there, and no number is made up."""
        network = autoencoder()
        images = torch.from_numpy(phantoms(1, SIDE_PX))[:, None]

        with torch.inference_mode():
            mean, _ = ReconstructorGraph(network)(images, torch.tensor([[0, 1], [0, 2]]))

        assert mean[0, 0, :16, :16].isnan().all()
        assert not mean[0, 0, 16:, 16:].isnan().any()


class TestParity:
    def test_a_changed_logit_is_found(self):
        """The check must be able to fail."""
        logits, maps = np.zeros((1, 2), np.float32), np.ones((1, 2, 3, 3), np.float32)

        with pytest.raises(parity.ParityError):
            parity.classifier_deviation((logits, maps), (logits + 1e-3, maps)).require(1e-4, 1e-4, "test")

    def test_maps_are_compared_relative_to_their_own_maximum(self):
        """A raw map peaks near 1e-3: an absolute tolerance would prove nothing."""
        logits, maps = np.zeros((1, 2), np.float32), np.full((1, 2, 3, 3), 1e-3, np.float32)

        deviation = parity.classifier_deviation((logits, maps), (logits, maps * np.float32(1.01)))

        assert 0.01 == pytest.approx(deviation.maps, rel=1e-3)

    def test_only_faint_maps_are_no_proof(self):
        """Nothing compared, nothing passed."""
        logits, maps = np.zeros((1, 2), np.float32), np.zeros((1, 2, 3, 3), np.float32)

        with pytest.raises(parity.ParityError):
            parity.classifier_deviation((logits, maps), (logits, maps)).require(1e-4, 1e-4, "test")

    def test_nan_in_other_places_is_no_parity(self):
        """A reconstruction that is missing is not equal to one that is there."""
        one = (np.array([np.nan, 1.0], np.float32),)

        assert np.isinf(parity.reconstruction_deviation(one, (np.array([1.0, 1.0], np.float32),)))


def test_average_pool_heads_are_exported_too():
    """The other closed form goes through the same door: batch of one from a graph traced with two."""
    graph, images = ClassifierGraph(classifier("avg")).eval(), phantoms(3, SIDE_PX)[:, None]

    model = to_onnx(graph, {"image": torch.from_numpy(images[:2])}, ("logits", "saliency"), {"image": {0: "batch"}})
    logits, maps = parity.run_session(open_session(model.SerializeToString()), ("logits", "saliency"), images)
    expected_logits, expected_maps = parity.run_module(graph, images)

    deviation = parity.classifier_deviation((expected_logits, expected_maps), (logits, maps))
    deviation.require(parity.LOGIT_TOLERANCE, parity.MAP_TOLERANCE, "average pool")


def test_threshold_sets__refuse_a_finding_with_one_kind_of_label():
    """By its name."""
    labels = np.array([[1, 0], [0, 0]])

    with pytest.raises(ValueError, match="Hernia"):
        threshold_sets(np.full((2, 2), 0.5), labels, ("Effusion", "Hernia"), "2 images")

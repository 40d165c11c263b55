"""Several kinds of classifiers as one: means of logits, evidence that adds up, and who may not sit on it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.nets.checkpoint import save
from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.slim_resnet import SlimClassifier, SlimConfig, SlimShape
from models.nets.vit import VitShape
from models.runtime.bundle import write_manifest
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from tests.training.tiny import classifier, spread
from training.commands.export import committee_of, scores_of
from training.committee import Committee
from training.description import DESCRIPTION, NETWORK
from training.out_of_fold import OUT_OF_FOLD, OutOfFold, joint_scores, write_out_of_fold

FINDINGS = ("a", "b")


def members(num_findings=14):
    torch.manual_seed(0)
    slim = SlimClassifier(SlimConfig(SlimShape((1, 1, 1, 1), 8), num_findings, image_size_px=64))
    return [spread(slim), spread(ProbeClassifier(ProbeConfig(VitShape(64, 2, 2), 14, image_size_px=64)))]


def test_logits_are_the_mean_and_maps_add_up_to_them():
    """On the finer grid of the two; what is cut off below 0 is what speaks against."""
    slim, probe = members()
    both = Committee([slim, probe]).eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))

    with torch.inference_mode():
        logits, maps = both.saliency(images)
        (slim_logits, slim_added), (probe_logits, probe_added) = slim.evidence(images), probe.evidence(images)
        assert torch.allclose((slim_logits + probe_logits) / 2, logits, atol=1e-5)
        assert torch.allclose(both(images), logits, atol=1e-5)
    finer = torch.nn.functional.interpolate(slim_added, size=(4, 4), mode="bilinear")

    assert (2, 2) == tuple(slim_added.shape[2:])
    assert torch.allclose(maps, ((finer + probe_added) / 2).relu(), atol=1e-4)
    assert torch.allclose(slim_added.mean(dim=(2, 3)) + slim.members[0].fc.bias, slim_logits, atol=1e-4)


def test_a_transformer_with_an_average_head_may_sit_on_it():
    """What its patches add up to is the logit, less what its head adds to every picture."""
    vit = classifier(head="avg")
    side_px = vit.config.image_size_px
    images = torch.randn(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits, added = vit.evidence(images)
        constant = vit.head(vit.fc_norm.bias)
        both, maps = Committee([vit, vit]).eval().saliency(images)

        assert torch.allclose(vit(images), logits, atol=1e-5)
        assert torch.allclose(logits, added.mean(dim=(2, 3)) + constant, atol=1e-4)
        assert torch.allclose(logits, both, atol=1e-5)
        assert torch.allclose(added.relu(), maps, atol=1e-5)


def test_a_network_whose_maps_are_no_sum_cannot_sit_on_it():
    """No patch adds to a class token's logit by itself."""
    with pytest.raises(ValueError, match="VitClassifier: its maps do not add up"):
        Committee([classifier(head="token"), *members()])
    with pytest.raises(ValueError, match="no sum over patches"):
        classifier(head="token").evidence(torch.zeros(1, 3, 32, 32))


def test_members_of_other_findings_are_refused():
    """Their columns mean something else."""
    with pytest.raises(ValueError, match="same findings"):
        Committee(members(num_findings=3))


class TestFolders:
    @pytest.fixture(name="runs")
    @staticmethod
    def _runs(tmp_path):
        """Two runs with a network and out-of-fold scores each."""
        folders = [tmp_path / name for name in ("slim", "probe")]
        for folder, network in zip(folders, members(), strict=True):
            folder.mkdir()
            save(network, folder / NETWORK)
            (folder / DESCRIPTION).write_text(json.dumps({"made": folder.name}))
            write_out_of_fold(outcome("xy", [[[1, 2], [3, 4]]]), (0,), folder / OUT_OF_FOLD)
        return folders

    def test_one_is_itself_and_several_are_a_committee(self, runs):
        """With what each run says of itself, in order."""
        one, described = committee_of(runs[1:])
        both, said = committee_of(runs)

        assert (ProbeClassifier, [{"made": "probe"}]) == (type(one), list(described))
        assert (Committee, [{"made": "slim"}, {"made": "probe"}]) == (type(both), list(said))

    def test_a_bundle_cannot_be_one_of_several(self, runs, tmp_path):
        """Its classifier is a graph, not a network."""
        manifest = write_tiny_bundle(tmp_path / "bundle")
        stated = manifest.model_copy(update={"provenance": {"finetuning": {}}, "files": {}})
        write_manifest(tmp_path / "bundle", stated)

        with pytest.raises(ValueError, match="kept alone"):
            committee_of([*runs, tmp_path / "bundle"])

    def test_scores_are_of_every_member_or_of_none(self, runs):
        """A part of them would calibrate another network than the one that is served."""
        (runs[1] / OUT_OF_FOLD).unlink()

        assert scores_of(runs, None) is None
        assert scores_of(runs[:1], None) is not None
        with pytest.raises(ValueError, match="1 folders for 2 members"):
            scores_of(runs, runs[:1])


def outcome(files, logits):
    labels = np.zeros((len(files), 2), np.float32)
    return OutOfFold(FINDINGS, tuple(files), tuple(files), labels, np.array(logits, np.float32))


class TestJointScores:
    def test_they_are_the_mean_by_image_whatever_the_order(self):
        """The first of them states the order; seeds of each are averaged before."""
        first = outcome("xy", [[[1, 2], [3, 4]], [[3, 2], [5, 4]]])
        second = outcome("yx", [[[0, 0], [10, 20]]])

        joint = joint_scores([first, second])

        assert ("x", "y") == joint.files
        np.testing.assert_allclose([[[6, 11], [2, 2]]], joint.logits)

    def test_those_of_one_are_its_own(self):
        """A bundle of one network is calibrated as ever."""
        first = outcome("xy", [[[1, 2], [3, 4]]])

        np.testing.assert_array_equal(first.logits, joint_scores([first]).logits)

    def test_what_is_said_of_an_image_stays_with_it(self):
        """Scores, labels, patient and fold: comparisons draw patients and judge by labels."""
        labels = np.array([[0, 1], [1, 0]], np.float32)
        other = replace(outcome("yx", [[[1, 2], [3, 4]]]), labels=labels, patients=("q", "p"), folds=np.array([7, 8]))
        aligned = outcome("xy", [[[0, 0], [0, 0]]]).aligned(other)

        assert (("x", "y"), ("p", "q"), [8, 7]) == (aligned.files, aligned.patients, aligned.folds.tolist())
        assert ([[1, 0], [0, 1]], [[[3, 4], [1, 2]]]) == (aligned.labels.tolist(), aligned.logits.tolist())

    def test_other_images_are_refused(self):
        """A missing one would be calibrated on half of the committee."""
        with pytest.raises(ValueError, match="same images"):
            joint_scores([outcome("xy", [[[1, 2], [3, 4]]]), outcome("xz", [[[1, 2], [3, 4]]])])


class TestCommand:
    @pytest.fixture(name="runs")
    @staticmethod
    def _runs(tmp_path):
        """Of 40 pictures: a run that knows the first finding, one that knows it half, and that in another order."""
        rng = np.random.default_rng(0)
        labels = np.stack([np.arange(40) % 2, np.arange(40) % 4 == 0], axis=1).astype(np.float32)
        noise = rng.normal(size=(1, 40, 2)).astype(np.float32)
        files, patients = tuple(f"{i}.png" for i in range(40)), tuple(f"p{i // 2}" for i in range(40))
        order = rng.permutation(40)
        outcomes = {
            "knows": OutOfFold(FINDINGS, files, patients, labels, labels[None] * 9 + noise),
            "half": OutOfFold(FINDINGS, files, patients, labels, labels[None] + noise),
            "turned": OutOfFold(
                FINDINGS,
                tuple(files[i] for i in order),
                tuple(patients[i] for i in order),
                labels[order],
                (labels[None] + noise)[:, order],
            ),
        }
        for name, one in outcomes.items():
            (tmp_path / name).mkdir()
            write_out_of_fold(one, (0,), tmp_path / name / OUT_OF_FOLD)
        return tmp_path

    def test_scores_are_measured_and_compared_by_picture_whatever_the_order(self, runs, capsys):
        """The lead is that of the AUROCs, and is the same over rows that were shuffled."""
        content = {}
        for name in ("half", "turned"):
            target = runs / f"{name}.json"
            run("out_of_fold", runs / "knows", "--against", runs / name, "--resamples", 50, "--json", target)
            content[name] = json.loads(target.read_text())

        text = capsys.readouterr().out
        comparison = content["half"]["against"]["comparison"]
        assert "40 images of 20 patients" in text
        assert comparison["mean_auroc_a"] == 1
        assert 0.5 < comparison["mean_auroc_b"] < 0.95
        assert comparison == content["turned"]["against"]["comparison"]

    def test_of_several_runs_the_mean_of_logits_counts(self, runs):
        """Twice the same is that; with another it is neither."""
        report = {}
        for names in (("half",), ("half", "turned"), ("half", "knows")):
            run("out_of_fold", *(runs / name for name in names), "--resamples", 5, "--json", runs / "report.json")
            report[names] = json.loads((runs / "report.json").read_text())["report"]

        assert report["half",] == report["half", "turned"]
        assert report["half",] != report["half", "knows"]

    def test_other_pictures_are_refused(self, runs):
        """A difference over them would be none."""
        (runs / "other").mkdir()
        write_out_of_fold(outcome("xy", [[[1, 2], [3, 4]]]), (0,), runs / "other" / OUT_OF_FOLD)

        with pytest.raises(ValueError, match="same images"):
            run("out_of_fold", runs / "half", "--against", runs / "other")
        with pytest.raises(ValueError, match=r"half has 40 images, .*other has 2, 0 in common"):
            run("out_of_fold", runs / "half", runs / "other")

    def test_a_folder_without_scores_is_named(self, runs):
        """Not a file that nobody has heard of."""
        with pytest.raises(ValueError, match="nowhere is no folder of crossval"):
            run("out_of_fold", runs / "half", "--against", runs / "nowhere")

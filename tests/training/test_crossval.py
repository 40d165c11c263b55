"""Cross-validation: nobody is scored by a network that has seen them, and what is done is not done again."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.nets.checkpoint import load, save
from models.nets.mae import mae
from tests.training.evaluation.console import run
from tests.training.execution import ENGINE, alone
from tests.training.tiny import write_manifest_csv
from training.crossval import Execution, crossval, member_of
from training.data.crops import IMAGENET_MEAN, IMAGENET_STD
from training.data.manifest import read_manifest
from training.data.splits import fold_of
from training.description import DESCRIPTION, NETWORK
from training.material import Sources, labelled, plain
from training.out_of_fold import OUT_OF_FOLD, SUMMARY, read_out_of_fold
from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe, Optim
from training.run import Run

RECIPE = CrossvalRecipe(
    name="tiny",
    member=FinetuneRecipe(
        name="tiny",
        encoder="slim18",
        optim=Optim(epochs=1, batch=4, base_lr=1e-2, warmup_epochs=0),
        image_size_px=32,
        packed_size_px=40,
        drop_path=0.0,
        rand_augment="none",
        average=0.9,
    ),
    folds=2,
    seeds=(0, 1),
    score_side_px=48,
)


def execution() -> Execution:
    """Not at import: launching makes the process flush subnormal numbers, which tests that run before need."""
    return Execution(ENGINE, alone())


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory):
    """Sources of 16 training phantoms, and a folder in which the recipe was carried out."""
    root = tmp_path_factory.mktemp("crossval")
    sources = Sources({"manifest": write_manifest_csv(root, 32)}, root / "cache")
    outcome = crossval(RECIPE, sources, None, root / "out", execution())
    return sources, root / "out", outcome


class TestFolds:
    def test_every_training_image_is_held_out_once(self, place):
        """By the members of each seed."""
        sources, _, outcome = place
        rows = [row for row in read_manifest(sources.roots["manifest"]) if row.split == "train"]

        assert sorted(row.file.name for row in rows) == sorted(outcome.files)
        assert (2, 16, 14) == outcome.logits.shape

    @pytest.mark.parametrize("fold", [0, 1])
    def test_no_patient_is_on_both_sides(self, place, fold):
        """A member's fold holds the patients of its hash, and the member sees the others."""
        member = member_of(RECIPE, 0, fold)
        held, seen = (labelled(member, place[0], held_out=side) for side in (True, False))

        assert {fold} == {fold_of(row.patient, 2) for row in held.rows}
        assert not {row.patient for row in held.rows} & {row.patient for row in seen.rows}

    def test_members_have_seeds_of_their_own(self):
        """Else the folds of one seed would begin alike, and those of two seeds be the same."""
        seeds = {member_of(RECIPE, seed, fold).seed for seed in RECIPE.seeds for fold in range(RECIPE.folds)}

        assert 4 == len(seeds)

    @pytest.mark.parametrize(("folds", "held"), [(1, 0), (3, 3), (3, -1)])
    def test_a_fold_that_does_not_exist_is_refused(self, folds, held):
        """One fold alone leaves nothing to train on."""
        with pytest.raises(ValueError, match="no fold"):
            replace(RECIPE.member, folds=folds, held_fold=held)


class TestFiles:
    def test_scores_come_back_as_they_were(self, place):
        """Six digits; unknown labels stay unknown."""
        read, outcome = read_out_of_fold(place[1] / OUT_OF_FOLD), place[2]

        assert (outcome.findings, outcome.files, outcome.patients) == (read.findings, read.files, read.patients)
        assert [fold_of(patient, 2) for patient in outcome.patients] == list(read.folds) == list(outcome.folds)
        assert np.array_equal(read.labels, outcome.labels, equal_nan=True)
        assert read.logits == pytest.approx(outcome.logits, rel=1e-5)

    def test_the_ensemble_is_the_mean_of_all_members(self, place):
        """Two seeds by two folds."""
        assert 4 == load(place[1] / NETWORK).config.num_members

    def test_the_summary_has_a_number_a_seed(self, place):
        """And `run.json` says what was trained on what."""
        summary, described = (json.loads((place[1] / name).read_text()) for name in (SUMMARY, DESCRIPTION))

        assert 2 == len(summary["mean_auroc_by_seed"])
        assert {"phantom": 16} == described["sources"]
        assert summary == described["crossval"]

    def test_a_file_of_another_kind_is_refused(self, tmp_path):
        """Not read as no scores."""
        (tmp_path / "other.csv").write_text("a,b\n1,2\n")
        with pytest.raises(ValueError, match="no out-of-fold scores"):
            read_out_of_fold(tmp_path / "other.csv")


def test_members_that_are_done_are_not_trained_again(place):
    """Their networks stay what they are; the scores are the same."""
    sources, folder, outcome = place
    times = [path.stat().st_mtime_ns for path in sorted(folder.glob("*/network.safetensors"))]
    again = crossval(RECIPE, sources, None, folder, execution())

    assert 4 == len(times)
    assert times == [path.stat().st_mtime_ns for path in sorted(folder.glob("*/network.safetensors"))]
    assert np.array_equal(again.logits, outcome.logits)


def test_members_of_another_recipe_are_not_taken_for_this_one_s(place):
    """Of other folds, they would have seen what they are scored on."""
    sources, folder, _ = place

    with pytest.raises(ValueError, match="begun otherwise"):
        crossval(replace(RECIPE, folds=4), sources, None, folder, execution())


def test_scores_that_name_two_images_alike_are_not_laid_beside_others(place):
    """Every frontal image of CheXpert has the same name."""
    twice = replace(place[2], files=("view1_frontal.jpg",) * len(place[2].files))

    with pytest.raises(ValueError, match="two images alike"):
        twice.aligned(twice)


def test_some_folds_may_never_be_held_out(place):
    """Then their images have no scores, and the ensemble is of the members that there are."""
    sources, folder, _ = place
    fewer = crossval(replace(RECIPE, held_folds=(1,)), sources, None, folder, execution())

    assert {1} == {fold_of(patient, 2) for patient in fewer.patients}
    assert 2 == load(folder / NETWORK).config.num_members
    assert 16 == json.loads((folder / DESCRIPTION).read_text())["num_images"]


class StopAtEnd(Run):
    """A run that SIGTERM reaches after its last step."""

    def save(self, state):
        super().save(state)
        self.stopping = True


def test_what_asks_to_stop_is_heard_between_members(place, tmp_path):
    """The member in hand is finished, none is begun; what is done is not done again."""
    sources, recipe = place[0], replace(RECIPE, seeds=(0,))
    stopped = replace(execution(), open_run=StopAtEnd)
    for num in (1, 2):
        assert crossval(recipe, sources, None, tmp_path, stopped) is None
        assert num == len(list(tmp_path.glob(f"*/{NETWORK}")))
        assert not (tmp_path / OUT_OF_FOLD).exists()

    assert (1, 16, 14) == crossval(recipe, sources, None, tmp_path, stopped).logits.shape


def test_a_member_scores_as_it_was_trained(place, tmp_path):
    """By the recipe's normalisation, here not the usual one, on the picture as it is."""
    sources, held = place[0], 1
    member = replace(RECIPE.member, normalisation="imagenet")
    recipe = replace(RECIPE, member=member, seeds=(0,), held_folds=(held,))
    outcome = crossval(recipe, sources, None, tmp_path, execution())
    rows = [row for row in read_manifest(sources.roots["manifest"]) if row.file.name in set(outcome.files)]
    network = load(tmp_path / member_of(recipe, 0, held).name / NETWORK)

    images = plain(rows, replace(member, image_size_px=48), sources)
    pixels = torch.from_numpy(np.array(images)[:, None]).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.inference_mode():
        logits = network((pixels - mean) / std).numpy()

    assert [row.file.name for row in rows] == list(outcome.files)
    assert outcome.logits[0] == pytest.approx(logits, abs=1e-5)


class TestProbe:
    @pytest.fixture(name="outcome", scope="class")
    @staticmethod
    def _outcome(tmp_path_factory):
        """A probe on the trunk of a masked autoencoder with random weights, cross-validated over 32 phantoms."""
        root = tmp_path_factory.mktemp("probe")
        table = write_manifest_csv(root, 32)
        table.write_text(table.read_text().replace(",val,", ",train,"))  # every finding has both kinds then
        torch.manual_seed(0)
        network = mae("vit_tiny", "128x2h4", image_size_px=32)
        (root / "start").mkdir()
        save(network, root / "start" / NETWORK)
        recipe = CrossvalRecipe(
            name="probe",
            member=ProbeRecipe(name="probe", encoder="vit_tiny", image_size_px=32, packed_size_px=40, given_px=48),
            folds=2,
            seeds=(0,),
            score_side_px=48,
        )
        sources = Sources({"manifest": table}, root / "cache")
        scores = crossval(recipe, sources, root / "start" / NETWORK, root / "out", execution())
        return root, network, scores

    def test_it_scores_every_image_without_having_seen_it(self, outcome):
        """As members that are trained by steps do."""
        assert (1, 32, 14) == outcome[2].logits.shape
        assert outcome[2].logits.std() > 0

    def test_its_trunk_is_the_autoencoder_s(self, outcome):
        """Untouched, its last norm included; only the head differs between folds."""
        root, network, _ = outcome
        first, second = (load(root / f"out/seed-0-fold-{fold}" / NETWORK) for fold in (0, 1))
        encoder = network.state_dict()

        for name, value in first.trunk.state_dict().items():
            assert torch.equal(value, encoder[name]), name
            assert torch.equal(value, second.trunk.state_dict()[name]), name
        assert not torch.equal(first.head.weight, second.head.weight)

    def test_its_description_names_the_start(self, outcome):
        """By its hash; there is no run beside it here."""
        described = json.loads((outcome[0] / "out" / DESCRIPTION).read_text())

        assert (64, None) == (len(described["start"]["sha256"]), described["start"]["run"])

    def test_it_may_compare_with_pictures_instead(self, outcome, tmp_path):
        """A kernel head of every fold has that fold's pictures and all normals as supports; files and scores agree."""
        root, _, linear = outcome
        table = tmp_path / "manifest.csv"
        header, *lines = (root / "manifest.csv").read_text().splitlines()
        healthy = [f"{index}.png,Unlabelled,train,healthy,p{index},,yes" for index in range(4)]
        table.write_text("\n".join([header, *healthy, *lines[4:]]) + "\n")
        for picture in root.glob("*.png"):
            (tmp_path / picture.name).symlink_to(picture)
        member = ProbeRecipe(
            name="probe", encoder="vit_tiny", image_size_px=32, packed_size_px=40, given_px=48, kernel="gaussian",
            normals=("healthy",),
        )  # fmt: skip
        recipe = CrossvalRecipe(name="probe", member=member, folds=2, seeds=(0,), score_side_px=48)
        scores = crossval(
            recipe, Sources({"manifest": table}, tmp_path / "cache"), root / "start" / NETWORK, tmp_path, execution()
        )
        supports = [load(tmp_path / f"seed-0-fold-{fold}" / NETWORK).state_dict()["head.supports"] for fold in (0, 1)]

        assert (1, 28, 14) == scores.logits.shape
        assert linear.logits.shape[1] == 32
        assert 28 + 2 * 4 == sum(map(len, supports))
        assert scores.logits.std() > 0.1
        described = json.loads((tmp_path / "seed-0-fold-0" / DESCRIPTION).read_text())
        assert 4 == described["sources"]["healthy"]

    def test_alone_it_lets_sigterm_end_it(self, outcome, tmp_path):
        """It has no steps to stop between, and nothing to keep: a handler would make it deaf."""
        root, before = outcome[0], signal.getsignal(signal.SIGTERM)
        changes = ["encoder=vit_tiny", "image_size_px=32", "packed_size_px=40", "given_px=48", "normals=()"]
        arguments = ["--data", root / "manifest.csv", "--init", root / "start" / NETWORK, "--cache", root / "cache"]
        try:
            assert run(
                "probe", "frozen_probe", *arguments, "--out", tmp_path, "--device", "cpu",
                *(word for change in changes for word in ("--set", change)),
            )  # fmt: skip
            assert before == signal.getsignal(signal.SIGTERM)
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_without_a_trunk_there_is_no_probe(self, outcome, tmp_path):
        """Random weights say little of a picture."""
        root, _, _ = outcome
        recipe = CrossvalRecipe(name="probe", member=ProbeRecipe(name="probe", encoder="vit_tiny"), folds=2)

        with pytest.raises(ValueError, match="needs a trunk"):
            crossval(recipe, Sources({"manifest": root / "manifest.csv"}, root / "cache"), None, tmp_path, execution())

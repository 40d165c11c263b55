"""AUROC within folds: networks that differ by an offset are not ranked against each other."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.training.evaluation.console import run
from training.data.splits import fold_of
from training.evaluation.bootstrap import Resampling
from training.evaluation.within_folds import Estimate, beside, folded_aurocs, mean_auroc
from training.metrics import auroc
from training.out_of_fold import OUT_OF_FOLD, SUMMARY, OutOfFold, joint_scores, read_out_of_fold, write_out_of_fold

FINDINGS = ("a", "b")
NUM = 60


@pytest.fixture(name="outcome")
def _outcome():
    """Of 30 patients in three folds; the last fold has the most of both kinds."""
    rng = np.random.default_rng(0)
    patients = tuple(f"p{i // 2}" for i in range(NUM))
    labels = (rng.random((NUM, 2)) < 0.4).astype(np.float32)
    labels[::7, 1] = np.nan
    logits = (labels.copy() * 1.5 + rng.normal(size=(NUM, 2))).astype(np.float32)
    folds = np.array([fold_of(patient, 3) for patient in patients])
    files = tuple(f"{i}.png" for i in range(NUM))
    return OutOfFold(FINDINGS, files, patients, labels, np.nan_to_num(logits)[None], folds)


def resampling(outcome) -> Resampling:
    """Few draws."""
    return Resampling.by_patient(outcome.patients, 20, 0)


def folded(outcome):
    """Its AUROC within folds."""
    return folded_aurocs(outcome.labels, outcome.mean_logits, outcome.folds, resampling(outcome))


class TestNumbers:
    def test_it_is_the_share_of_ordered_pairs_within_folds(self, outcome):
        """Counted one by one, in the data and in a draw of patients."""

        def by_hand(rows):
            right = pairs = 0.0
            for i in rows:
                for j in rows:
                    if outcome.folds[i] == outcome.folds[j] and outcome.labels[i, 1] == 1 and outcome.labels[j, 1] == 0:
                        ahead = outcome.logits[0, i, 1] - outcome.logits[0, j, 1]
                        right, pairs = right + (1.0 if ahead > 0 else 0.5 if ahead == 0 else 0.0), pairs + 1
            return right / pairs

        aurocs = folded(outcome)

        assert by_hand(range(NUM)) == pytest.approx(aurocs.values[1])
        assert by_hand(resampling(outcome).rows(3)) == pytest.approx(aurocs.draws[3, 1])

    def test_an_offset_of_a_fold_changes_the_pooled_number_alone(self, outcome):
        """It says nothing of an image."""
        moved = replace(outcome, logits=outcome.logits + 3 * outcome.folds[None, :, None].astype(np.float32))

        before, after = (
            beside(one.labels, [(one.mean_logits, one.folds)], resampling(one))[0] for one in (outcome, moved)
        )

        assert before.within == after.within
        assert before.pooled.value > after.pooled.value + 0.05

    def test_one_fold_is_the_pooled_number(self, outcome):
        """That of `auroc`."""
        alone = folded(replace(outcome, folds=np.zeros(NUM, np.int64)))

        assert auroc(outcome.labels[:, 0] == 1, outcome.mean_logits[:, 0]) == pytest.approx(alone.values[0])

    def test_a_finding_without_pairs_in_any_fold_is_undefined(self, outcome):
        """And is not in the mean."""
        labels = outcome.labels.copy()
        labels[:, 1] = 0
        aurocs = folded(replace(outcome, labels=labels))

        assert np.isnan(aurocs.values[1])
        assert aurocs.values[0] == mean_auroc(aurocs).value

    def test_of_a_model_and_itself_the_difference_is_none(self, outcome):
        """Both see the same draws."""
        assert Estimate(0, None) == mean_auroc(folded(outcome), folded(outcome))


class TestFolds:
    def test_they_come_back_from_the_file(self, outcome, tmp_path):
        """Whatever lies beside it."""
        (tmp_path / SUMMARY).write_text(json.dumps({"folds": 5}))
        write_out_of_fold(outcome, (0,), tmp_path / OUT_OF_FOLD)

        assert np.array_equal(outcome.folds, read_out_of_fold(tmp_path / OUT_OF_FOLD).folds)

    def test_a_file_without_them_has_those_of_its_patients(self, outcome, tmp_path):
        """By the number of folds in the summary beside it; without one, nobody knows."""
        write_out_of_fold(replace(outcome, folds=None), (0,), tmp_path / OUT_OF_FOLD)
        assert read_out_of_fold(tmp_path / OUT_OF_FOLD).folds is None

        (tmp_path / SUMMARY).write_text(json.dumps({"folds": 3}))
        assert np.array_equal(outcome.folds, read_out_of_fold(tmp_path / OUT_OF_FOLD).folds)

    def test_those_of_a_mean_are_in_one_fold_of_each(self, outcome):
        """By picture, whatever the order; where one does not tell, the mean does not."""
        halves = np.arange(NUM) % 2
        order = np.random.default_rng(1).permutation(NUM)
        other = OutOfFold(
            FINDINGS,
            tuple(outcome.files[i] for i in order),
            tuple(outcome.patients[i] for i in order),
            outcome.labels[order],
            outcome.logits[:, order],
            halves[order],
        )
        joint = joint_scores([outcome, other]).folds

        pairs = list(zip(outcome.folds, halves, strict=True))
        assert len(set(pairs)) == len(set(joint)) == len({*zip(pairs, joint, strict=True)})
        assert np.array_equal(outcome.folds, joint_scores([outcome, outcome]).folds)
        assert joint_scores([outcome, replace(outcome, folds=None)]).folds is None


class TestCommand:
    def test_both_numbers_are_printed_and_their_differences(self, outcome, tmp_path, capsys):
        """An offset of one fold is a lead of the pooled number alone."""
        moved = replace(outcome, logits=outcome.logits + 3 * outcome.folds[None, :, None].astype(np.float32))
        for name, one in (("level", outcome), ("moved", moved)):
            (tmp_path / name).mkdir()
            write_out_of_fold(one, (0,), tmp_path / name / OUT_OF_FOLD)

        target = tmp_path / "report.json"
        run(
            "out_of_fold", tmp_path / "level", "--against", tmp_path / "moved", "--resamples", 20, "--json", target
        )  # fmt: skip

        report = json.loads(target.read_text())
        lead = report["pooled_and_within_folds"]["difference"]
        assert report["report"]["mean_auroc"]["value"] == pytest.approx(
            report["pooled_and_within_folds"]["a"]["pooled"]["mean_auroc"]
        )
        assert report["against"]["comparison"]["interval"] == pytest.approx(lead["pooled"]["interval"])
        assert 0 < lead["pooled"]["interval"][0]
        assert 0 == pytest.approx(lead["within_folds"]["mean_auroc"], abs=1e-9)
        assert "| A - B " in capsys.readouterr().out

    def test_without_folds_it_says_so(self, outcome, tmp_path, capsys):
        """The pooled numbers are printed all the same."""
        write_out_of_fold(replace(outcome, folds=None), (0,), tmp_path / OUT_OF_FOLD)

        run("out_of_fold", tmp_path, "--resamples", 20)

        text = capsys.readouterr().out
        assert "No AUROC within folds" in text
        assert "mean of 2 of 2 defined" in text

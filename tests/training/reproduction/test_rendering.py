"""A report as a table that reads in a terminal, in Markdown, and as JSON."""

import json

from training.recipes.table import Number, PaperRow, Table
from training.recipes.table1 import TABLE as TABLE1
from training.reproduction.contrasts import Difference
from training.reproduction.metrics import Measured
from training.reproduction.rendering import as_json, as_text
from training.reproduction.report import FAILED, Report, cited_lines, lines_of
from training.reproduction.smoke import table_of

ROW = PaperRow("vit", "ViT | S", TABLE1.row("vit-mae").recipe, (Number("mAUC", "mean_auroc", 82.3),), "a remark")


def report(*lines, differences=()):
    return Report(Table("table1", "A title", (ROW,)), ("nih, split test: 9 images of 4 patients",), lines, differences)


def cells(text: str) -> list[list[str]]:
    """Of the table's lines, without the rule."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert 1 == len({len(line) for line in lines})
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


class TestText:
    def test_a_measured_number_has_its_interval_and_its_count(self):
        """One decimal, as in the paper."""
        text = as_text(report(*lines_of(ROW, [Measured(81.23, 80.1, 82.34, 9)], "this run")))
        header, line = cells(text)

        assert ["row", "what", "column", "paper", "measured", "95 % interval", "n", "note"] == header
        assert ["vit", "ViT / S", "mAUC", "82.3", "81.2", "80.1 to 82.3", "9", "a remark"] == line

    def test_what_was_not_measured_is_no_number(self):
        """The reason stands in the note."""
        text = as_text(report(*lines_of(ROW, [None], "", ("missing: data set chexpert",))))

        assert ["-", "", "", "missing: data set chexpert; a remark"] == cells(text)[1][4:]

    def test_an_undefined_number_is_none_either(self):
        """No finding with both kinds: no AUROC."""
        text = as_text(report(*lines_of(ROW, [Measured(None, n=9, note="undefined")], "this run")))

        assert ["-", "", "9", "a remark; undefined"] == cells(text)[1][4:]

    def test_a_number_of_an_earlier_run_says_so(self):
        """What this call trained and what it found are told apart."""
        text = as_text(report(*lines_of(ROW, [Measured(81.2, n=9)], "an earlier run")))

        assert "a remark; found finished" == cells(text)[1][-1]

    def test_a_difference_is_a_sentence(self):
        """With its sign and its interval."""
        difference = Difference("vit", "cnn", "mean AUROC", 1.25, -0.5, 3.0, 9)

        assert "vit minus cnn: +1.2 points of mean AUROC (-0.5 to +3.0, paired bootstrap), 9 images." in as_text(
            report(differences=(difference,))
        )

    def test_cited_rows_are_printed_and_said_to_be_cited(self):
        """Nobody trains them here."""
        table = table_of("table6")
        text = as_text(Report(table, (), tuple(cited_lines(table)), ()))

        assert ["", "Wang et al., RN50", "mAUC", "74.5", "-", "", "", "cited by the paper"] == cells(text)[1]


class TestJson:
    def test_keeps_every_digit(self):
        """What is rounded is rounded for people alone."""
        content = json.loads(as_json(report(*lines_of(ROW, [Measured(81.23456, 80.1, 82.3, 9)], "this run"))))

        (line,) = content["lines"]
        assert 81.23456 == line["measured"]["value"]
        assert "this run" == line["origin"]

    def test_nothing_measured_is_null(self):
        """And never NaN, which is no JSON."""
        content = json.loads(as_json(report(*lines_of(ROW, [None], "", ("missing: data set x",)))))

        assert None is content["lines"][0]["measured"]


def test_a_report_with_a_failed_row_has_failed():
    """What is missing is no failure; what could run and did not is one."""
    assert report(*lines_of(ROW, [None], "", (f"{FAILED}disk",))).has_failed
    assert not report(*lines_of(ROW, [None], "", ("missing: data set x",))).has_failed

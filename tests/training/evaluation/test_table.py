"""Tables: aligned, Markdown, and honest about what is undefined."""

import pytest

from training.evaluation.table import ends, number, p_value, table


def test_table__is_aligned_markdown():
    """The first column to the left, numbers to the right, every line as wide as the others."""
    lines = table(["finding", "n"], [["Mass", "7"], ["Pleural effusion", "1234"]])

    assert [
        "| finding          |    n |",
        "| :--------------- | ---: |",
        "| Mass             |    7 |",
        "| Pleural effusion | 1234 |",
    ] == lines


def test_table__refuses_a_row_that_does_not_fit():
    """A missing cell would move all behind it."""
    with pytest.raises(ValueError, match="several lengths"):
        table(["a", "b"], [["1"]])


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (number(0.12349), "0.123"),
        (number(None), "undefined"),
        (ends((0.1, 0.25), 2), "0.10 to 0.25"),
        (ends(None), ""),
        (ends((None, None)), ""),
        (p_value(0.0004), "< 0.001"),
        (p_value(0.0312), "0.031"),
        (p_value(None), ""),
    ],
)
def test_numbers__are_rounded_and_never_made_up(shown, text):
    """Undefined is a word; no p is 0."""
    assert text == shown

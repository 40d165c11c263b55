"""Named sets of thresholds: one model, several ways to cut its probabilities."""

from models.runtime.graph_spec import Section, Share, Text


class ThresholdSet(Section):
    """One threshold a finding, under a name that a request may ask for and that answers carry.

    Attributes:
        description: the rule that chose the values, and on what.
        values: calibrated probabilities in the order of the bundle's findings, positive from there on. Empty where they
            stand with the findings instead: of the set that is in force.
    """

    name: Text
    description: str = ""
    values: tuple[Share, ...] = ()

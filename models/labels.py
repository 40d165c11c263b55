"""The 14 findings of ChestX-ray14: their spelling, their order and how to show them."""

from types import MappingProxyType

# The order of the published label lists, hence of the outputs of imported checkpoints.
CHESTXRAY14: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)

# One finding under the names of different collections; CheXpert and MIMIC-CXR spell it the second way.
SYNONYMS = MappingProxyType({"Effusion": "Pleural Effusion", "Pleural Effusion": "Effusion"})

_DISPLAY = MappingProxyType(
    {
        "Effusion": "Pleural effusion",
        "Infiltration": "Infiltrate",
        "Edema": "Pulmonary edema",
        "Fibrosis": "Pulmonary fibrosis",
        "Pleural_Thickening": "Pleural thickening",
        "Hernia": "Hiatal hernia",
    }
)


def display_name(finding: str) -> str:
    """Name of a finding for people; of a finding outside ChestX-ray14, its own name with spaces."""
    return _DISPLAY.get(finding, finding.replace("_", " "))

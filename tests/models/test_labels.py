"""The findings of ChestX-ray14."""

from models.labels import CHESTXRAY14, display_name


def test_there_are_fourteen_in_the_order_of_the_published_lists():
    assert len(set(CHESTXRAY14)) == len(CHESTXRAY14) == 14
    assert ("Atelectasis", "Hernia") == (CHESTXRAY14[0], CHESTXRAY14[-1])


def test_display_names_are_for_people():
    assert all("_" not in display_name(finding) for finding in CHESTXRAY14)
    assert display_name("Pleural_Thickening") == "Pleural thickening"
    assert display_name("Lung_Lesion") == "Lung Lesion"

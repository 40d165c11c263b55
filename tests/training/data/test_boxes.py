"""Radiologists' boxes, as shares of the image."""

import pytest

from models.imaging.geometry import Box
from training.data.boxes import LabelledBox, read_boxes
from training.data.dataset import DataError

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\r\n"


def test_read_boxes__turns_pixels_of_1024_into_shares(tmp_path):
    """x and y come first in the file; the published spelling of Infiltration is another one there."""
    path = tmp_path / "boxes.csv"
    path.write_text(HEADER + "00000001_000.png,Infiltrate,256,512,128,64\r\n", newline="")

    assert (LabelledBox("00000001_000.png", "Infiltration", Box(0.5, 0.25, 0.5625, 0.375)),) == read_boxes(path)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        pytest.param("a.png,Opacity,1,2,3,4", "'Opacity' is none of the 14", id="another finding"),
        pytest.param("a.png,Mass,1,2,3", "5 fields", id="a field is missing"),
        pytest.param("a.png,Mass,1,2,3,4,5", "7 fields", id="a field too many"),
        pytest.param("a.png,Mass,1,2,x,4", "not four numbers", id="no number"),
        pytest.param("a.png,Mass,1,2,nan,4", "no box inside", id="not a number"),
        pytest.param("a.png,Mass,1,2,0,4", "no box inside", id="empty"),
        pytest.param("a.png,Mass,1000,2,30,4", "no box inside", id="over the edge"),
        pytest.param("a.png,Mass,1,-2,3,4", "no box inside", id="above the edge"),
    ],
)
def test_read_boxes__names_the_line_of(tmp_path, row, complaint):
    """Every kind of row that is no box."""
    path = tmp_path / "boxes.csv"
    path.write_text(f"{HEADER}a.png,Mass,1,2,3,4\r\n{row}\r\n", newline="")

    with pytest.raises(DataError, match=f"line 3: .*{complaint}"):
        read_boxes(path)


@pytest.mark.parametrize("text", ["", "file,finding,x,y,w,h\r\n"])
def test_read_boxes__refuses_another_header(tmp_path, text):
    """Columns in another order would be boxes elsewhere."""
    path = tmp_path / "boxes.csv"
    path.write_text(text, newline="")

    with pytest.raises(DataError, match="header"):
        read_boxes(path)


def test_the_published_boxes(shared):
    """NIH publishes 984 boxes on 880 images; the shared copy leaves some out. All 8 findings are there."""
    boxes = read_boxes(shared / "data/cxr/labels/BBox_List_2017.csv")

    assert (970, 866) == (len(boxes), len({box.file for box in boxes}))
    assert {
        "Atelectasis",
        "Cardiomegaly",
        "Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
    } == {box.finding for box in boxes}

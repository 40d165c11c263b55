"""Pictures of figures: drawn by released networks on phantoms, or by fine-tuned ones beside boxes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from models.nets.mae import mae
from training.recipes import weights
from training.recipes.table import Table
from training.reproduction.conduct import picked, preview
from training.reproduction.panel_differences import mean_painting
from training.reproduction.panels import draw_panel
from training.reproduction.pictures import Paint
from training.reproduction.smoke import table_of
from training.reproduction.stand_ins import write_stand_in
from training.reproduction.tiny import tiny_row

CPU = torch.device("cpu")


class ShowsTheMean(torch.nn.Module):
    """Stands in for a painter: paints every patch with what it sees, on average, of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.real = mae("vit_tiny", "128x2h4", image_size_px=32)
        self.config, self.grid, self.num_patches = self.real.config, self.real.grid, self.real.num_patches

    def forward(self, images, noise, mask_ratio):
        painted = self.real(images, noise, mask_ratio)
        patches = self.real.target(images)
        seen = (1 - painted.mask).unsqueeze(-1)
        mean = (patches * seen).sum(dim=(1, 2), keepdim=True) / (seen.sum(dim=1, keepdim=True) * patches.shape[-1])
        return painted._replace(pred=mean.expand_as(patches))


def drawn(table: Table, workshop) -> Image.Image:
    """The picture that a table's rows draw."""
    report = draw_panel(preview(table, workshop), workshop)
    assert f"{table.name}.png" == report.panel, report.remarks
    return Image.open(workshop.out / report.panel).convert("RGB")


@pytest.mark.parametrize(
    ("name", "rows"), [("figure2", ["vit-released", "cnn-released"]), ("figure3", ["vit-released"])]
)
def test_released_networks_draw_phantoms_where_no_data_are(name, rows, workshop_on, tmp_path):
    """Nothing is trained, nothing is needed but the files."""
    files = {file.key.replace("-", "_"): write_stand_in(file, tmp_path) for file in (
        weights.VIT_S_XRAY_MAE, weights.DENSENET121_XRAY_MAE,
    )}  # fmt: skip
    picture = np.asarray(drawn(picked(table_of(name), rows), workshop_on(**files)))

    assert min(picture.shape[:2]) > 300
    assert 30 < picture.std()


def test_a_figure_without_a_network_says_so(workshop_on):
    """And draws none."""
    report = draw_panel(preview(table_of("figure2"), workshop_on("chestxray14")), workshop_on("chestxray14"))

    assert "" == report.panel
    assert ("No picture: not one network is there to draw it.",) == report.remarks


def test_every_patch_is_painted_from_what_surrounds_it():
    """A patch that is white alone among black ones is never seen while it is painted, and comes out black."""
    images = np.zeros((1, 32, 32), np.uint8)
    images[0, :16, :16] = 255

    painted = mean_painting(Paint(ShowsTheMean(), "grey", CPU), images, 0.75)

    assert 0.0 == pytest.approx(painted[0, :16, :16].max(), abs=1e-6)
    assert 1 / 3 == pytest.approx(painted[0, 16:, 16:].mean(), abs=1e-6)


def test_hidden_patches_are_those_of_the_mask():
    """One of four stays visible at 75 %: the one with the least noise."""
    _, hidden = Paint(ShowsTheMean(), "grey", CPU)(
        np.zeros((1, 32, 32), np.uint8), torch.tensor([[0.9, 0.1, 0.5, 0.7]]), 0.75
    )

    assert not hidden[0, :16, 16:].any()
    assert 3 * 16 * 16 == hidden.sum()


def test_a_network_of_standardised_patches_draws_nothing():
    """What it paints are no grey levels."""
    network = mae("vit_tiny", "128x2h4", image_size_px=32, norm_pix_loss=True)

    with pytest.raises(ValueError, match="norm_pix_loss"):
        Paint(network, "grey", CPU)


def test_tiny_rows_of_a_figure_are_rows_of_a_figure():
    """They draw, too."""
    table = table_of("figure2")

    assert () == replace(table, rows=tuple(tiny_row(row) for row in table.rows)).rows[0].numbers

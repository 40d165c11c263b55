"""POST /anomaly-map, through real decoder processes and sessions."""

import base64
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from models.imaging import phantom
from models.imaging.heatmap import png_bytes
from models.runtime.anomaly_map import AnomalyMap
from models.runtime.bundle import load_bundle
from service.api.app import create_app
from service.inference.anomaly_schema import AnomalyBody
from service.inference.decode_pool import DecodePool
from service.inference.local_engine import EngineLimits, LocalEngine
from tests.service.conftest import LIMITS
from tests.tiny_bundle import write_tiny_bundle


def ask(client, content, accept="application/json", path="/anomaly-map", **query):
    return client.post(path, params=query, headers={"accept": accept}, files={"image": ("x", content)})


def picture(url: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))))


class TestBody:
    def test_it_has_the_promised_members(self, client, chest_png):
        """docs/interface.md, `POST /anomaly-map`."""
        anomaly = ask(client, chest_png).json()["anomaly"]

        assert {"score", "percentile", "masks", "rounds", "seed", "boxes", "map", "reconstruction"} == set(anomaly)
        assert (4, 1, 0) == (anomaly["masks"], anomaly["rounds"], anomaly["seed"])
        assert 0 <= anomaly["percentile"] <= 100
        assert (32, 32) == picture(anomaly["map"]).shape == picture(anomaly["reconstruction"]).shape

    def test_its_map_is_the_calibrated_one_over_the_scale_that_the_model_states(self, client, chest_png):
        """So who multiplies has the unit of the score."""
        (model,) = client.get("/v1/models").json()["models"]
        calibrated = np.load(BytesIO(ask(client, chest_png, accept="application/x-npz").content))["calibrated"]
        scale = model["anomaly"]["map_scale"] or calibrated.max()

        shown = picture(ask(client, chest_png).json()["anomaly"]["map"]) / 255

        assert np.abs(shown - (calibrated / scale).clip(0, 1)).max() <= 0.5 / 255 + 1e-6

    def test_a_percentile_has_one_decimal(self):
        """Tens of references tell no more."""
        nothing = np.zeros((8, 8), np.float32)
        found = AnomalyMap(nothing, nothing, nothing, nothing, nothing, score=0.5, percentile=100 * 68 / 79)
        anomaly = SimpleNamespace(map=found, masks=4, rounds=1, seed=0, boxes=())

        assert 86.1 == AnomalyBody.of(anomaly).percentile

    def test_the_same_seed_gives_the_same_map_and_another_one_another(self, client, chest_png):
        """Under both addresses."""
        first = ask(client, chest_png).json()["anomaly"]
        again = ask(client, chest_png, path="/v1/anomaly-map", seed=0).json()["anomaly"]
        other = ask(client, chest_png, seed=5).json()["anomaly"]

        assert first == again
        assert first["reconstruction"] != other["reconstruction"]

    def test_boxes_are_inside_the_picture(self, client, chest_png):
        """In source space, as in /predict."""
        for box in ask(client, chest_png).json()["anomaly"]["boxes"]:
            assert 0 <= box["top"] < box["bottom"] <= 120
            assert 0 <= box["left"] < box["right"] <= 90


class TestFormats:
    def test_a_png_is_the_map_at_source_size(self, client, chest_png):
        """In colours."""
        image = Image.open(BytesIO(ask(client, chest_png, accept="image/png").content))

        assert ((90, 120), "RGB") == (image.size, image.mode)

    def test_a_png_says_what_it_is(self, client, chest_png):
        """In its text chunks, and where the gate warns, for all to see."""
        upright, inverted = phantom.draw(3, 240, 200), 255 - phantom.draw(3, 240, 200)
        plain, warned = (
            Image.open(BytesIO(ask(client, png_bytes(pixels), accept="image/png").content))
            for pixels in (upright, inverted)
        )

        assert {"Description", "Software", "Bundle", "Gate"} == set(plain.info)
        assert ("accepted", "suspicious (inverted)") == (plain.info["Gate"], warned.info["Gate"])
        assert [False, True] == [bool((np.asarray(image)[220:] == 255).all(axis=2).any()) for image in (plain, warned)]

    def test_an_npz_holds_the_float_maps(self, client, chest_png):
        """Without a pickle; `content` and `source` place them."""
        response = ask(client, chest_png, accept="application/x-npz")
        arrays = np.load(BytesIO(response.content), allow_pickle=False)

        assert {"difference", "spread", "calibrated", "reconstruction", "content", "source"} == set(arrays)
        assert all(arrays[name].shape == (32, 32) for name in ("difference", "spread", "calibrated"))
        top, left, bottom, right = arrays["content"]
        assert 0 == np.abs(arrays["calibrated"][:, :left]).max()
        assert [0, 0, 120, 90] == pytest.approx(list(arrays["source"]))
        score = ask(client, chest_png).json()["anomaly"]["score"]
        assert score == pytest.approx(arrays["calibrated"][top:bottom, left:right].mean(), rel=1e-5)


class TestOptions:
    @pytest.mark.parametrize(
        "query",
        [{"masks": 3}, {"masks": -1}, {"rounds": 0}, {"rounds": 9}, {"seed": -1}, {"seed": 2**63}, {"seed": "x"}],
    )
    def test_a_value_out_of_range_is_422(self, client, chest_png, query):
        """The parameter is named."""
        response = ask(client, chest_png, **query)

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert next(iter(query)) in response.json()["detail"]
        assert [("query", next(iter(query)))] == [(error["in"], error["name"]) for error in response.json()["errors"]]

    def test_as_many_rounds_as_the_operator_allows_are_accepted(self, client, chest_png, settings):
        """The last one, too."""
        anomaly = ask(client, chest_png, rounds=settings.rounds_limit).json()["anomaly"]

        assert settings.rounds_limit == anomaly["rounds"]

    def test_other_masks_of_the_bundles_list_are_accepted(self, client, chest_png):
        """The references know the default alone, so there is no percentile."""
        anomaly = ask(client, chest_png, masks=2, rounds=3).json()["anomaly"]

        assert (2, 3, None) == (anomaly["masks"], anomaly["rounds"], anomaly["percentile"])


def test_a_bundle_without_reconstructor__refuses_clearly(tmp_path, settings, chest_png):
    """It still predicts; /v1/models says that it draws no maps."""
    write_tiny_bundle(tmp_path, reconstructor=False)
    engine = LocalEngine(load_bundle(tmp_path), DecodePool(LIMITS, size=1), EngineLimits(threads=1))
    with TestClient(create_app(settings, engine=engine)) as client:
        response = ask(client, chest_png)

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert None is client.get("/v1/models").json()["models"][0]["anomaly"]

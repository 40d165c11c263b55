"""POST /predict, through real decoder processes and sessions."""

import base64
import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.imaging import phantom
from models.imaging.heatmap import png_bytes
from models.labels import CHESTXRAY14
from service.version import VERSION
from tests import dicom_samples


def ask(client, content, accept="application/json", path="/predict", **query):
    return client.post(path, params=query, headers={"accept": accept}, files={"image": ("x", content)})


@pytest.fixture(scope="module")
def answer(client, chest_png):
    return ask(client, chest_png).json()


@pytest.fixture(scope="module")
def dicom():
    return dicom_samples.plain(dicom_samples.chest(), Modality="CR", PhotometricInterpretation="MONOCHROME2")


class TestBody:
    def test_it_has_the_promised_members(self, answer):
        """docs/interface.md, `POST /predict`."""
        assert {"request_id", "model", "image", "gate", "geometry", "findings", "timings_ms"} == set(answer)
        assert {"name", "version", "sha256", "thresholds"} == set(answer["model"])
        assert {"decode", "queue", "infer", "total"} == set(answer["timings_ms"])
        assert {"format": "png", "height": 120, "width": 90}.items() <= answer["image"].items()
        assert "score" in answer["gate"]

    def test_every_finding_is_listed_in_the_bundles_order(self, answer):
        """Clients may index as well as look up."""
        assert list(CHESTXRAY14) == [finding["name"] for finding in answer["findings"]]

    def test_a_probability_is_calibrated_and_compared_with_its_threshold(self, answer, bundle):
        """sigmoid(slope * logit + intercept), by the bundle's numbers."""
        for finding, spec in zip(answer["findings"], bundle.manifest.findings, strict=True):
            if not spec.trained:
                continue
            z = spec.calibration.slope * finding["logit"] + spec.calibration.intercept
            assert finding["probability"] == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-6)
            assert finding["positive"] == (finding["probability"] >= spec.threshold)
            assert finding["threshold"] == spec.threshold

    def test_a_finding_that_was_not_trained_has_a_reason_and_no_numbers(self, answer):
        """Half would look like an opinion."""
        hernia = answer["findings"][-1]

        assert (None, None, None) == (hernia["logit"], hernia["probability"], hernia["positive"])
        assert hernia["reason"]
        assert [] == hernia["boxes"]

    def test_boxes_are_inside_the_picture_and_only_for_positive_findings(self, answer):
        """Whole pixel edges, half-open, not empty."""
        assert any(finding["boxes"] for finding in answer["findings"])
        for finding in answer["findings"]:
            assert bool(finding["boxes"]) == bool(finding["positive"])
            for box in finding["boxes"]:
                assert 0 <= box["top"] < box["bottom"] <= 120
                assert 0 <= box["left"] < box["right"] <= 90
                assert 0 < box["score"] <= 1

    def test_the_raw_maximum_comes_without_a_picture(self, answer):
        """The default pays for no PNG."""
        trained = [finding for finding in answer["findings"] if finding["probability"] is not None]

        assert all(finding["saliency"]["max"] >= 0 and finding["saliency"]["png"] is None for finding in trained)

    def test_the_same_upload_gets_the_same_answer(self, client, chest_png, answer):
        """But for its id and its timings."""
        again = ask(client, chest_png, path="/v1/predict").json()
        ours = {"request_id", "timings_ms"}

        assert {k: v for k, v in again.items() if k not in ours} == {k: v for k, v in answer.items() if k not in ours}
        assert again["request_id"] != answer["request_id"]

    def test_a_dicom_header_is_told_in_four_values(self, client, dicom):
        """None of them says who the patient is."""
        image = ask(client, dicom).json()["image"]

        assert {
            "format": "dicom",
            "height": 96,
            "width": 80,
            "modality": "CR",
            "view_position": "PA",
            "photometric_interpretation": "MONOCHROME2",
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        } == image


class TestOptions:
    def test_heatmaps_come_at_model_size_for_all_findings(self, client, chest_png):
        """`geometry` places them; the padding is black."""
        body = ask(client, chest_png, saliency="heatmaps").json()
        trained = [finding for finding in body["findings"] if finding["probability"] is not None]
        content = body["geometry"]["content"]

        for finding in trained:
            kind, _, data = finding["saliency"]["png"].partition(",")
            image = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
            assert "data:image/png;base64" == kind
            assert (32, 32) == image.shape
            assert 0 == image[:, : int(content["left"])].max()
            assert bool(finding["boxes"]) == bool(image.max())
        assert {"top": 0, "left": 0, "bottom": 120, "right": 90} == body["geometry"]["source"]

    def test_without_saliency_there_is_none(self, client, chest_png, answer):
        """Same probabilities, no maps, no boxes."""
        body = ask(client, chest_png, saliency="none").json()

        assert all(finding["saliency"] is None and not finding["boxes"] for finding in body["findings"])
        assert [f["probability"] for f in answer["findings"]] == pytest.approx(
            [f["probability"] for f in body["findings"]]
        )

    def test_findings_may_be_chosen(self, client, chest_png):
        """In the bundle's order, whatever the request's."""
        body = ask(client, chest_png, findings="Effusion, Cardiomegaly").json()

        assert ["Cardiomegaly", "Effusion"] == [finding["name"] for finding in body["findings"]]

    def test_thresholds_may_be_chosen(self, client, chest_png, answer, bundle):
        """Same probabilities, cut elsewhere; the answer says by which set."""
        body = ask(client, chest_png, thresholds="sensitive").json()
        trained = [finding for finding in body["findings"] if finding["probability"] is not None]

        assert ("tiny-thresholds", "sensitive") == (answer["model"]["thresholds"], body["model"]["thresholds"])
        assert [spec.threshold / 2 for spec in bundle.manifest.findings] == [f["threshold"] for f in body["findings"]]
        assert [f["probability"] for f in answer["findings"]] == [f["probability"] for f in body["findings"]]
        assert all(finding["positive"] == (finding["probability"] >= finding["threshold"]) for finding in trained)
        assert sum(f["positive"] for f in trained) > sum(bool(f["positive"]) for f in answer["findings"])

    def test_unknown_thresholds_are_answered_with_those_there_are(self, client, chest_png):
        """The name that was sent is not repeated."""
        response = ask(client, chest_png, thresholds="lenient")

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert response.json()["detail"].endswith("tiny-thresholds, sensitive, specific")
        assert [("query", "thresholds")] == [(e["in"], e["name"]) for e in response.json()["errors"]]
        assert "lenient" not in response.text

    @pytest.mark.parametrize(
        "query", [{"findings": "Gout"}, {"findings": "\0"}, {"saliency": "some"}, {"gate": "ajar"}, {"findings": ","}]
    )
    def test_a_value_that_is_none_of_the_choices_is_422(self, client, chest_png, query):
        """And the parameter is named, to programs too."""
        response = ask(client, chest_png, **query)

        assert 422 == response.status_code
        assert "/problems/invalid-request" == response.json()["type"]
        assert [("query", next(iter(query)))] == [(error["in"], error["name"]) for error in response.json()["errors"]]

    @pytest.mark.parametrize(("findings", "named"), [("effusion", "effusion"), ("Mass,Jane Doe", "(not shown)")])
    def test_a_finding_that_the_model_does_not_know_is_named(self, client, chest_png, findings, named):
        """Where it is an identifier; anything else could be anything."""
        detail = ask(client, chest_png, findings=findings).json()["detail"]

        assert f"the model does not know {named}; it knows Atelectasis, " in detail
        assert "Jane" not in detail


class TestOverlay:
    def test_it_has_the_size_of_the_source(self, client, chest_png):
        """In colours."""
        response = ask(client, chest_png, accept="image/png")

        assert "image/png" == response.headers["content-type"]
        image = Image.open(BytesIO(response.content))
        assert ((90, 120), "RGB") == (image.size, image.mode)

    def test_without_maps_it_is_the_picture(self, client):
        """Nothing is painted over what nobody asked about."""
        pixels = phantom.draw(2, 64, 50)
        response = ask(client, png_bytes(pixels), accept="image/png", saliency="none")

        assert np.array_equal(
            np.repeat(pixels[..., None], 3, axis=2), np.asarray(Image.open(BytesIO(response.content)))
        )

    def test_its_text_chunks_say_what_it_is_and_nothing_of_the_patient(self, client, dicom, bundle):
        """A picture travels without its headers; positive findings without a box are in no other place of it."""
        findings = ask(client, dicom, thresholds="sensitive").json()["findings"]
        with Image.open(BytesIO(ask(client, dicom, accept="image/png", thresholds="sensitive").content)) as image:
            text = dict(image.info)

        positives = [f"{found['name']} {found['probability']:.4f}" for found in findings if found["positive"]]
        assert {
            "Description": "For research only. Not for clinical use.",
            "Software": f"Thorascope {VERSION}",
            "Bundle": f"{bundle.manifest.name} {bundle.manifest.version} {bundle.sha256}",
            "Thresholds": "sensitive",
            "Positive": ", ".join(positives) or "none",
        } == {keyword: text[keyword] for keyword in text if keyword != "Gate"}
        assert text["Gate"].split(" ")[0] in ("accepted", "suspicious")
        assert "Canary" not in str(text)

    def test_a_format_nobody_offers_is_406(self, client, chest_png):
        """DICOM objects come with their own issue."""
        response = ask(client, chest_png, accept="application/dicom")

        assert (406, "/problems/not-acceptable") == (response.status_code, response.json()["type"])


class TestGate:
    def test_another_modality_is_refused_and_says_why(self, client):
        """Told from the header, without decoding."""
        response = ask(client, dicom_samples.plain(dicom_samples.chest(), Modality="CT"))

        assert (422, "/problems/not-a-chest-radiograph") == (response.status_code, response.json()["type"])
        assert ["modality"] == response.json()["reasons"]

    def test_gate_off_answers_all_the_same(self, client):
        """And still says what the gate thinks."""
        response = ask(client, dicom_samples.plain(dicom_samples.chest(), Modality="CT"), gate="off")

        assert (200, "rejected") == (response.status_code, response.json()["gate"]["verdict"])

    def test_an_inverted_picture_is_answered_with_a_warning(self, client):
        """The client decides."""
        response = ask(client, png_bytes(255 - phantom.draw(3, 240, 200)))

        assert (200, "suspicious") == (response.status_code, response.json()["gate"]["verdict"])
        assert ["inverted"] == response.json()["gate"]["reasons"]


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "status", "slug"),
        [
            pytest.param(b"not an image", 415, "unsupported-media", id="text"),
            pytest.param(b"\0" * 1000, 415, "unsupported-media", id="zeros"),
            pytest.param(b"\x89PNG\r\n\x1a\nrest", 422, "undecodable-image", id="broken PNG"),
            pytest.param(b"\xff\xd8\xff\xe0" + b"x" * 99, 422, "undecodable-image", id="broken JPEG"),
            pytest.param(b"\0" * 128 + b"DICM" + b"\xff" * 99, 422, "undecodable-image", id="broken DICOM"),
            pytest.param(png_bytes(np.zeros((1001, 1000), np.uint8)), 413, "image-too-large", id="too many pixels"),
            pytest.param(b"segfault", 422, "undecodable-image", id="decoder crash"),
            pytest.param(b"raise", 422, "undecodable-image", id="decoder bug"),
        ],
    )
    def test_a_bad_file_gets_its_problem(self, client, chest_png, content, status, slug):
        """And nobody else notices."""
        response = ask(client, content)

        assert (status, f"/problems/{slug}") == (response.status_code, response.json()["type"])
        assert "application/problem+json" == response.headers["content-type"]
        assert 200 == ask(client, chest_png, saliency="none").status_code

    def test_no_number_is_written_that_json_does_not_know(self, client, chest_png):
        """NaN and Infinity are JavaScript."""

        def refuse(constant):
            raise AssertionError(constant)

        json.loads(ask(client, chest_png, saliency="heatmaps").text, parse_constant=refuse)

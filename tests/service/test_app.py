"""The application as a whole: addresses, headers, documentation, what it loads."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service.version import VERSION

ROOT = Path(__file__).parents[2]


class TestServing:
    def test_it_loads_no_torch(self):
        """Serving and calibrating must install and start without it, and without scikit-learn and training."""
        program = (
            "import service.api.app, service.__main__, service.commands.calibrate, sys;"
            "sys.exit(not {'torch', 'sklearn', 'training'}.isdisjoint(sys.modules))"
        )

        assert 0 == subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode  # noqa: S603

    def test_its_version_is_the_projects(self):
        """One number, in two places that cannot read each other."""
        assert VERSION == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


class TestHealth:
    def test_it_is_alive_and_ready(self, fake_client):
        """For whoever supervises the service."""
        assert {"status": "alive"} == fake_client.get("/livez").json()
        assert {"status": "ready"} == fake_client.get("/readyz").json()

    @pytest.mark.parametrize(
        "path", ["/livez", "/readyz", "/problems", "/problems/overloaded", "/docs", "/openapi.json", "/v1/models"]
    )
    def test_a_look_without_a_body_is_answered_alike(self, fake_client, path):
        """HEAD is what some load balancers ask with."""
        assert fake_client.get(path).status_code == fake_client.head(path).status_code == 200

    def test_an_engine_that_is_closing_is_alive_and_not_ready(self, fake_client, fake_engine):
        """And takes no more uploads."""
        fake_engine.is_ready = False

        assert 200 == fake_client.get("/livez").status_code
        for response in (fake_client.get("/readyz"), fake_client.post("/predict", files={"image": ("x", b"x")})):
            assert (503, "/problems/not-ready") == (response.status_code, response.json()["type"])
            assert response.headers["retry-after"]


class TestQueries:
    @pytest.mark.parametrize("path", ["/predict", "/v1/predict", "/anomaly-map"])
    def test_a_parameter_that_nobody_knows_is_422(self, fake_client, chest_png, path):
        """A slip of the pen must not be answered by default."""
        response = fake_client.post(path, params={"tresholds": "sensitive"}, files={"image": chest_png})

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert [("query", "tresholds")] == [(error["in"], error["name"]) for error in response.json()["errors"]]

    @pytest.mark.parametrize(
        ("path", "name", "values"),
        [
            ("/predict", "saliency", ["none", "boxes"]),
            ("/predict", "findings", ["Mass", "Edema"]),
            ("/anomaly-map", "seed", [1, 1]),
        ],
    )
    def test_a_parameter_that_is_repeated_is_422(self, fake_client, chest_png, path, name, values):
        """None of its values is silently dropped; several findings are one value."""
        response = fake_client.post(path, params={name: values}, files={"image": chest_png})

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert [("query", name)] == [(error["in"], error["name"]) for error in response.json()["errors"]]
        assert (name == "findings") == ("commas" in response.json()["detail"])


class TestModels:
    def test_it_describes_what_is_served(self, fake_client, bundle):
        """Findings with thresholds, and what an anomaly map may be asked for."""
        (model,) = fake_client.get("/v1/models").json()["models"]

        assert (bundle.manifest.name, bundle.sha256) == (model["name"], model["sha256"])
        assert len(bundle.manifest.findings) == len(model["findings"])
        part = bundle.manifest.reconstructor
        assert {"masks": [2, 4], "default_masks": 4, "has_reference": True}.items() <= model["anomaly"].items()
        assert (part.map_scale, part.map_threshold) == (
            model["anomaly"]["map_scale"],
            model["anomaly"]["map_threshold"],
        )
        sets = {found["name"]: found["values"] for found in model["threshold_sets"]}
        assert ["tiny-thresholds", "sensitive", "specific"] == list(sets)
        assert sets["tiny-thresholds"] == {finding["name"]: finding["threshold"] for finding in model["findings"]}
        assert sets["sensitive"]["Edema"] == sets["tiny-thresholds"]["Edema"] / 2


class TestHeaders:
    @pytest.mark.parametrize("path", ["/livez", "/nowhere", "/docs", "/v1/models"])
    def test_every_response_has_an_id_of_our_own(self, fake_client, path):
        """One from the client could carry anything into the log."""
        response = fake_client.get(path, headers={"x-request-id": "Canary"})

        assert 32 == len(response.headers["x-request-id"])
        assert "nosniff" == response.headers["x-content-type-options"]

    def test_answers_about_patients_are_not_cached(self, fake_client):
        """Not by browsers, not by proxies."""
        response = fake_client.post("/predict", files={"image": ("x", b"x")})

        assert "no-store" == response.headers["cache-control"]


class TestDocumentation:
    def test_it_speaks_of_maps_as_the_bundles_differ(self, fake_client):
        """Not every classifier's map is Grad-CAM; the operator decides on the thresholds in force."""
        text = fake_client.get("/openapi.json").text

        assert "Grad-CAM" not in text
        assert "THORASCOPE_THRESHOLDS" in text
        assert "EXIF" in text

    def test_the_front_door_leads_somewhere(self, fake_client):
        """Until there is a viewer."""
        assert "/docs" == fake_client.get("/", follow_redirects=False).headers["location"]

    def test_its_page_needs_nobody_else(self, fake_client):
        """Every asset is served from here; hospitals have no content delivery network."""
        page = fake_client.get("/docs").text
        assets = [part.split('"')[0] for part in page.replace('href="', 'src="').split('src="')[1:]]

        assert assets
        assert all(asset.startswith("/docs/") for asset in assets)
        assert all(200 == fake_client.get(asset).status_code for asset in assets)

    def test_the_description_names_problems_and_uploads(self, fake_client):
        """Generated clients know the file field and the shape of errors."""
        paths = fake_client.get("/openapi.json").json()["paths"]

        for path in ("/predict", "/v1/predict", "/anomaly-map", "/v1/anomaly-map"):
            post = paths[path]["post"]
            properties = post["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
            assert "binary" == properties["image"]["format"]
            assert {"200", "406", "413", "415", "422", "503", "507"} <= set(post["responses"])
            assert "store-unavailable" in post["responses"]["503"]["description"]
            for status, response in post["responses"].items():
                assert status == "200" or ["application/problem+json"] == list(response["content"])

    def test_the_description_names_what_a_problems_page_is_refused_with(self, fake_client):
        """Such a page has a media type to choose, too."""
        paths = fake_client.get("/openapi.json").json()["paths"]
        refused = fake_client.get("/problems", headers={"accept": "image/png"})

        assert 406 == refused.status_code
        assert "not-acceptable" in paths["/problems"]["get"]["responses"]["406"]["description"]
        assert "not-acceptable" in paths["/problems/{slug}"]["get"]["responses"]["4XX"]["description"]
        assert "not-ready" in paths["/v1/jobs/{job_id}/results"]["get"]["responses"]["503"]["description"]

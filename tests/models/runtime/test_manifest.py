"""What `bundle.json` may say."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.imaging.preprocess import Geometry, InputContract
from models.runtime.manifest import Manifest
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture
def document(folder: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((folder / "bundle.json").read_text())
    return parsed


def parse(document: dict[str, Any]) -> Manifest:
    return Manifest.model_validate_json(json.dumps(document), strict=True)


class TestManifest:
    def test_survives_the_trip_through_json(self, tmp_path: Path) -> None:
        """With and without its optional parts."""
        variants: list[dict[str, Any]] = [{}, {"reference": False}, {"reconstructor": False}, {"untrained": ["Mass"]}]
        variants.append({"threshold_sets": True})
        for number, parts in enumerate(variants):
            manifest = write_tiny_bundle(tmp_path / str(number), **parts)
            assert Manifest.model_validate_json(manifest.model_dump_json(), strict=True) == manifest

    def test_input_is_the_contract_of_preprocessing(self, document: dict[str, Any]) -> None:
        """Training and serving prepare pictures from the same value."""
        document["input"] = {"side": 32, "geometry": "center-crop", "padding": 7}

        assert parse(document).input.contract == InputContract(32, Geometry.CENTER_CROP, 7)

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("schema_version",), 2),
            (("findings",), []),
            (("findings", 0, "name"), ""),
            (("findings", 0, "name"), "Hernia"),  # the last one's
            (("findings", 0, "threshold"), 1.5),
            (("findings", 0, "threshold"), "0.5"),
            (("findings", 0, "threshold"), float("nan")),
            (("findings", 0, "calibration", "slope"), 0.0),
            (("findings", 0, "calibration", "slope"), -1.0),
            (("findings", 0, "calibration", "intercept"), float("inf")),
            (("findings", 0, "trained"), False),  # without a reason
            (("findings", 0, "reason"), "though trained"),
            (("input", "side"), 0),
            (("input", "side"), 40),  # not patch_size * grid
            (("input", "geometry"), "squash"),
            (("classifier", "file"), "classifier.pkl"),
            (("classifier", "head"), "none"),
            (("reconstructor", "default_masks"), 3),
            (("reconstructor", "masks"), [1, 4]),
            (("reconstructor", "masks"), [4, 17]),  # more than patches
            (("reconstructor", "norm_pix_loss"), True),
            (("reconstructor", "smoothing_px"), -1.0),
            (("files", "classifier.onnx", "sha256"), "0" * 63),
            (("files", "classifier.onnx", "bytes"), -1),
            (("classifier", "threshhold"), 0.5),
        ],
    )
    def test_refuses(self, document: dict[str, Any], place: tuple[str | int, ...], value: object) -> None:
        """One wrong value at a time, in an otherwise valid manifest."""
        parse(document)
        target: Any = document
        for step in place[:-1]:
            target = target[step]
        target[place[-1]] = value

        with pytest.raises(ValidationError):
            parse(document)


class TestThresholdSets:
    @pytest.fixture
    def sets(self, tmp_path: Path) -> dict[str, Any]:
        """The document of a bundle with three sets."""
        write_tiny_bundle(tmp_path / "sets", threshold_sets=True)
        parsed: dict[str, Any] = json.loads((tmp_path / "sets" / "bundle.json").read_text())
        return parsed

    def test_a_bundle_of_one_set_needs_no_more(self, document: dict[str, Any]) -> None:
        """As bundles were written before there were several."""
        del document["threshold_sets"]
        manifest = parse(document)

        assert ("tiny-thresholds",) == manifest.threshold_names
        assert manifest is manifest.with_thresholds("tiny-thresholds")

    def test_a_set_comes_into_force_with_its_name_and_values(self, sets: dict[str, Any]) -> None:
        """There and back; the rest of the manifest stays."""
        manifest = parse(sets)
        sensitive = manifest.with_thresholds("sensitive")

        assert ("tiny-thresholds", "sensitive", "specific") == manifest.threshold_names
        assert ("sensitive", "low") == (sensitive.thresholds.name, sensitive.thresholds.description)
        assert [one.threshold / 2 for one in manifest.findings] == [one.threshold for one in sensitive.findings]
        assert manifest == sensitive.with_thresholds("tiny-thresholds")

    @pytest.mark.parametrize("name", ["balanced", ""])
    def test_an_unknown_name_is_answered_with_those_there_are(self, sets: dict[str, Any], name: str) -> None:
        """Whoever asks may choose again."""
        with pytest.raises(ValueError, match=r"tiny-thresholds, sensitive, specific$"):
            parse(sets).with_thresholds(name)

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("thresholds", "name"), "other"),  # none of the sets
            (("thresholds", "values"), [0.5] * 14),  # they stand with the findings
            (("threshold_sets", 1, "name"), "specific"),  # twice
            (("threshold_sets", 1, "values"), [0.5] * 13),
            (("threshold_sets", 1, "values"), [0.5] * 13 + [1.5]),
            (("threshold_sets", 0, "values", 3), 0.123),  # not the finding's
        ],
    )
    def test_refuses(self, sets: dict[str, Any], place: tuple[str | int, ...], value: object) -> None:
        """One wrong value at a time, in an otherwise valid manifest."""
        parse(sets)
        target: Any = sets
        for step in place[:-1]:
            target = target[step]
        target[place[-1]] = value

        with pytest.raises(ValidationError):
            parse(sets)

"""What may be served, and what is refused before anything interprets it."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models.errors import InvalidBundleError
from models.labels import CHESTXRAY14
from models.runtime.bundle import load_bundle, write_manifest
from models.runtime.classifier import Classifier
from models.runtime.manifest import Manifest
from tests.tiny_bundle import write_tiny_bundle

Json = dict[str, Any]


def edit(folder: Path, change: Callable[[Json], object]) -> None:
    """Change `bundle.json` as JSON, so that the manifest's own checks cannot be in the way."""
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def put(folder: Path, name: str, content: bytes) -> None:
    """Put a file there and list it with the right hash: what an attacker who packs bundles would do."""
    (folder / name).write_bytes(content)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    edit(folder, lambda manifest: manifest["files"].update({name: entry}))


def refused(folder: Path, match: str) -> None:
    with pytest.raises(InvalidBundleError, match=match):
        load_bundle(folder)


class TestLoadBundle:
    def test_what_was_written_is_what_is_loaded(self, folder: Path) -> None:
        """Findings in order, every served file, and the identity of the whole."""
        bundle = load_bundle(folder)

        assert tuple(finding.name for finding in bundle.manifest.findings) == CHESTXRAY14
        assert set(bundle.files) == {"classifier.onnx", "reconstructor.onnx", "anomaly_reference.npz"}
        assert bundle.sha256 == hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()

    def test_the_folder_is_not_looked_at_again(self, folder: Path, images: np.ndarray) -> None:
        """What was hashed is what runs, also where the files change in between."""
        bundle = load_bundle(folder)
        (folder / "classifier.onnx").write_bytes(b"something else")

        assert Classifier.open(bundle).predict(images, saliency=False).logits.shape == (3, 14)

    def test_a_link_to_the_folder_is_followed(self, folder: Path, tmp_path: Path) -> None:
        """`current -> v2` is how versions are switched; only files inside must be real."""
        (tmp_path / "current").symlink_to(folder)

        assert load_bundle(tmp_path / "current").sha256 == load_bundle(folder).sha256

    def test_a_changed_byte_is_refused(self, folder: Path) -> None:
        """Same length, one bit."""
        content = bytearray((folder / "classifier.onnx").read_bytes())
        content[-1] ^= 1
        (folder / "classifier.onnx").write_bytes(bytes(content))

        refused(folder, "classifier.onnx: not the file")

    @pytest.mark.parametrize("name", ["bundle.json", "classifier.onnx", "reconstructor.onnx", "anomaly_reference.npz"])
    def test_a_missing_file_is_refused(self, folder: Path, name: str) -> None:
        """Every file that inference reads is needed."""
        (folder / name).unlink()

        refused(folder, name)

    def test_a_file_without_hash_is_refused(self, folder: Path) -> None:
        """A file nobody vouches for is not served."""
        edit(folder, lambda manifest: manifest["files"].pop("reconstructor.onnx"))

        refused(folder, r"reconstructor\.onnx: used by the manifest, but not listed")

    def test_a_longer_file_is_not_read_to_its_end(self, folder: Path) -> None:
        """The listed size bounds what is read."""
        with (folder / "classifier.onnx").open("ab") as stream:
            stream.truncate(2**40)  # sparse: nothing is written

        refused(folder, "more than the")

    @pytest.mark.parametrize(
        "name", ["../classifier.onnx", "/etc/passwd", "sub/classifier.onnx", "..", "C:\\x.onnx", ".hidden.onnx", ""]
    )
    def test_a_name_that_leaves_the_folder_is_refused(self, folder: Path, name: str) -> None:
        """Wherever the name stands: in a section or in the list of files."""
        edit(folder, lambda manifest: manifest["classifier"].update(file=name))
        refused(folder, "classifier.file")

    def test_a_listed_name_that_leaves_the_folder_is_refused(self, folder: Path) -> None:
        """Also where nothing uses it."""
        entry = {"sha256": "0" * 64, "bytes": 1}
        edit(folder, lambda manifest: manifest["files"].update({"../x.onnx": entry}))

        refused(folder, "files")

    @pytest.mark.parametrize("inside", [True, False])
    def test_a_link_instead_of_a_file_is_refused(self, folder: Path, tmp_path: Path, *, inside: bool) -> None:
        """Even to the right bytes: a link may point elsewhere tomorrow."""
        target = (folder if inside else tmp_path) / "elsewhere.onnx"
        (folder / "classifier.onnx").rename(target)
        (folder / "classifier.onnx").symlink_to(target)

        refused(folder, "links are not followed")

    def test_a_pipe_instead_of_a_file_is_refused_without_waiting(self, folder: Path) -> None:
        """Opening a pipe for reading would wait for a writer, for ever."""
        (folder / "classifier.onnx").unlink()
        os.mkfifo(folder / "classifier.onnx")

        refused(folder, "not a plain file")

    def test_a_folder_instead_of_a_file_is_refused(self, folder: Path) -> None:
        """As the pipe."""
        (folder / "classifier.onnx").unlink()
        (folder / "classifier.onnx").mkdir()

        refused(folder, "classifier.onnx")

    def test_external_data_is_refused_though_its_hash_is_right(self, folder: Path) -> None:
        """The hash of the graph does not cover what the graph points at."""
        model = onnx.load_model_from_string((folder / "classifier.onnx").read_bytes())
        onnx.external_data_helper.set_external_data(model.graph.initializer[0], location="../../etc/passwd")
        put(folder, "classifier.onnx", model.SerializeToString())

        refused(folder, "external data")

    def test_a_custom_operator_is_refused_though_its_hash_is_right(self, folder: Path) -> None:
        """Its code would come from outside the bundle."""
        model = onnx.load_model_from_string((folder / "reconstructor.onnx").read_bytes())
        model.graph.node[0].domain = "com.example"
        put(folder, "reconstructor.onnx", model.SerializeToString())

        refused(folder, "com.example")

    def test_a_pickle_in_place_of_a_graph_is_refused(self, folder: Path) -> None:
        """Whatever the suffix says, and without unpickling it."""
        put(folder, "classifier.onnx", pickle.dumps({"weights": [1.0, 2.0]}))

        refused(folder, "not a")

    @pytest.mark.parametrize("name", ["weights.pkl", "weights.pth", "weights.ckpt", "weights.pt", "plugin.so"])
    def test_a_kind_of_file_that_bundles_do_not_hold_is_refused(self, folder: Path, name: str) -> None:
        """Listed or served: a pickle has no place in a bundle."""
        put(folder, name, b"x")

        refused(folder, name)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}', b"[" * 100_000]
    )
    def test_a_manifest_that_is_none_is_refused(self, folder: Path, content: bytes) -> None:
        """Junk, cut short, of another shape, nested without end."""
        (folder / "bundle.json").write_bytes(content)

        refused(folder, "bundle.json")

    def test_a_huge_manifest_is_refused_unread(self, folder: Path) -> None:
        """Its size is bounded too."""
        with (folder / "bundle.json").open("ab") as stream:
            stream.truncate(2**40)

        refused(folder, "bundle.json")


class TestWriteManifest:
    def test_hashes_what_lies_there(self, folder: Path) -> None:
        """Sizes and sha256 of the bytes on disk."""
        entry = load_bundle(folder).manifest.files["classifier.onnx"]
        content = (folder / "classifier.onnx").read_bytes()

        assert (entry.sha256, entry.bytes) == (hashlib.sha256(content).hexdigest(), len(content))

    def test_returns_what_it_wrote(self, tmp_path: Path) -> None:
        """The JSON round trip loses nothing."""
        written = write_tiny_bundle(tmp_path / "bundle", untrained=["Hernia"])

        assert load_bundle(tmp_path / "bundle").manifest == written

    def test_equal_folders_make_equal_bundles(self, tmp_path: Path) -> None:
        """No clock and no path goes into a bundle's identity."""
        for name in ("one", "two"):
            write_tiny_bundle(tmp_path / name)

        assert load_bundle(tmp_path / "one").sha256 == load_bundle(tmp_path / "two").sha256

    def test_a_missing_graph_leaves_no_manifest(self, folder: Path) -> None:
        """A folder without `bundle.json` is no bundle, so nothing half made is served."""
        manifest = load_bundle(folder).manifest
        (folder / "bundle.json").unlink()
        (folder / "reconstructor.onnx").unlink()

        with pytest.raises(InvalidBundleError, match=r"reconstructor\.onnx"):
            write_manifest(folder, manifest)

        assert not list(folder.glob("*bundle.json*"))

    def test_lists_exchange_formats_as_optional(self, folder: Path) -> None:
        """They are hashed, and may be left out of a copy."""
        (folder / "classifier.torchscript.pt").write_bytes(b"for other software")
        manifest: Manifest = write_manifest(folder, load_bundle(folder).manifest)
        (folder / "classifier.torchscript.pt").unlink()

        assert manifest.files["classifier.torchscript.pt"].optional
        assert "classifier.torchscript.pt" not in load_bundle(folder).files

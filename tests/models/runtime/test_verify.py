"""Everything that is wrong with a bundle, at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.runtime.bundle import load_manifest, write_manifest
from models.runtime.verify import verify
from tests.tiny_bundle import classifier_graph, write_onnx, write_tiny_bundle


class TestVerify:
    @pytest.mark.parametrize("parts", [{}, {"reference": False}, {"reconstructor": False}])
    def test_a_whole_bundle_has_no_fault(self, tmp_path: Path, parts: dict[str, Any]) -> None:
        """A model card needs no hash."""
        write_tiny_bundle(tmp_path / "bundle", **parts)
        (tmp_path / "bundle" / "README.md").write_text("# A model card")

        assert verify(tmp_path / "bundle") == []

    def test_names_every_fault(self, folder: Path) -> None:
        """`load_bundle` stops at the first."""
        for name in ("classifier.onnx", "reconstructor.onnx"):
            (folder / name).write_bytes(b"changed")
        (folder / "weights.pkl").write_bytes(b"")

        faults = verify(folder)

        assert len(faults) == 3
        for name in ("classifier.onnx", "reconstructor.onnx", "weights.pkl"):
            assert sum(fault.startswith(name) for fault in faults) == 1

    def test_a_folder_without_manifest_is_one_fault(self, tmp_path: Path) -> None:
        """Also one that is not there."""
        assert len(verify(tmp_path)) == 1
        assert len(verify(tmp_path / "nowhere")) == 1

    def test_a_changed_exchange_file_is_a_fault_an_absent_one_is_not(self, folder: Path) -> None:
        """Serving does not read it, but whoever does relies on its hash."""
        exchange = folder / "model.safetensors"
        exchange.write_bytes(b"weights")
        write_manifest(folder, load_manifest(folder)[0])
        exchange.write_bytes(b"others")
        (fault,) = verify(folder)
        exchange.unlink()

        assert fault.startswith("model.safetensors")
        assert verify(folder) == []

    def test_a_graph_of_another_contract_is_a_fault(self, folder: Path) -> None:
        """Its hash is right, its columns are not."""
        write_onnx(folder / "classifier.onnx", classifier_graph(32, 13))
        write_manifest(folder, load_manifest(folder)[0])

        (fault,) = verify(folder)
        assert "logits" in fault

    def test_a_graph_that_answers_nan_is_a_fault(self, folder: Path) -> None:
        """As a broken export does, or float16 that overflows."""
        graph = classifier_graph(32, 14)
        (gain,) = (tensor for tensor in graph.initializer if tensor.name == "gain")
        gain.raw_data = np.float32(np.nan).tobytes()
        write_onnx(folder / "classifier.onnx", graph)
        write_manifest(folder, load_manifest(folder)[0])

        (fault,) = verify(folder)
        assert "NaN" in fault

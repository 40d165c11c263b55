"""Files of weights from anywhere: opened without running anything, or refused."""

import os
import pickle
from argparse import Namespace
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from models.errors import CheckpointError
from models.nets.weights import read_weights, write_weights
from tests import goldens

STATE = {"head.weight": torch.ones(2, 3), "head.bias": torch.zeros(2)}


def _same(expected, actual):
    return expected.keys() == actual.keys() and all(torch.equal(expected[name], actual[name]) for name in expected)


class TestFormats:
    def test_the_official_container(self):
        """Weights and command line come out; optimizer and scaler need nothing more to be unpickled."""
        weights = read_weights(goldens.OFFICIAL_CONTAINER)

        assert 50 == len(weights.state)
        assert "mae_vit_small_patch16_dec512d2b" == weights.arguments["model"]
        assert weights.is_pickle
        assert weights.metadata is None

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(STATE, id="bare"),
            pytest.param(OrderedDict(STATE), id="ordered"),
            pytest.param({"model": STATE}, id="facebookresearch/mae"),
            pytest.param({"state_dict": STATE, "epoch": 3, "arch": "vit"}, id="timm's training script"),
        ],
    )
    @pytest.mark.parametrize("is_zip", [True, False])
    def test_pickles_of_pytorch(self, content, is_zip, tmp_path):
        """With and without a container, in the format since PyTorch 1.6 and in the one before."""
        torch.save(content, tmp_path / "file.pth", _use_new_zipfile_serialization=is_zip)

        assert _same(STATE, read_weights(tmp_path / "file.pth").state)

    def test_safetensors_of_other_people(self, tmp_path):
        """timm's carry a metadata of their own, which says nothing to us."""
        save_file(STATE, tmp_path / "file.safetensors", metadata={"format": "pt"})
        weights = read_weights(tmp_path / "file.safetensors")

        assert _same(STATE, weights.state)
        assert weights.metadata is None
        assert not weights.is_pickle

    def test_our_own_come_back_with_their_metadata(self, tmp_path):
        """Also views and parameters are written; nothing but the file is left behind."""
        state = {"head.weight": torch.nn.Parameter(torch.ones(3, 2)).t(), "head.bias": torch.zeros(4)[:2]}
        write_weights(tmp_path / "own.safetensors", state, "note")
        weights = read_weights(tmp_path / "own.safetensors")

        assert _same(STATE, weights.state)
        assert "note" == weights.metadata
        assert [tmp_path / "own.safetensors"] == list(tmp_path.iterdir())

    def test_densenet_names_from_before_torchvision_0_3(self, tmp_path):
        """`norm.1` is `norm1` now, and each batch norm counts its batches; other names stay."""
        layer = "features.denseblock1.denselayer1"
        old = {
            f"{layer}.norm.1.running_mean": torch.ones(2),
            f"{layer}.conv.2.weight": torch.ones(1),
            "conv.1.x": torch.ones(1),
        }
        torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)

        assert {
            f"{layer}.norm1.running_mean",
            f"{layer}.norm1.num_batches_tracked",
            f"{layer}.conv2.weight",
            "conv.1.x",
        } == set(read_weights(tmp_path / "old.pth").state)

    @pytest.mark.parametrize("counted", [True, False])
    def test_counters_of_batches_are_nought_where_a_file_has_none(self, counted, tmp_path):
        """As files had none before PyTorch 0.4.1; a file that has some and lacks others is left as it is."""
        state = {f"{norm}.running_mean": torch.ones(2) for norm in ("bn1", "layer1.0.bn1")}
        if counted:
            state["bn1.num_batches_tracked"] = torch.tensor(7)
        torch.save(state, tmp_path / "file.pth")
        read = read_weights(tmp_path / "file.pth").state

        added = (
            {} if counted else {name.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for name in state}
        )
        assert _same(state | added, read)


class Command:
    """Unpickled without care, it runs a shell command that leaves a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


MALICE = {
    "the content": lambda command: command,
    "a weight": lambda command: {"model": {"head.weight": command}},
    "beside the weights": lambda command: {"model": STATE, "optimizer": command},
    "the command line": lambda command: {"model": STATE, "args": command},
    "inside the command line": lambda command: {"model": STATE, "args": Namespace(output_dir=command)},
    "a name": lambda command: {"model": {command: torch.ones(1)}},
}


class TestRefusals:
    @pytest.mark.parametrize("is_zip", [True, False])
    @pytest.mark.parametrize("place", MALICE)
    def test_a_pickle_that_runs_code_is_refused_before_it_does(self, place, is_zip, tmp_path):
        """Wherever the code hides; and the same file does run it where nobody takes care."""
        trace, path = tmp_path / "trace", tmp_path / "evil.pth"
        torch.save(MALICE[place](Command(trace)), path, _use_new_zipfile_serialization=is_zip)

        with pytest.raises(CheckpointError, match="more than tensors") as refusal:
            read_weights(path)

        assert isinstance(refusal.value.__cause__, pickle.UnpicklingError)
        assert not trace.exists()
        torch.load(path, weights_only=False)
        assert trace.exists()

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_plain_pickle_that_runs_code_is_refused(self, protocol, tmp_path):
        """Whatever the protocol."""
        trace, path = tmp_path / "trace", tmp_path / "evil.pth"
        path.write_bytes(pickle.dumps(Command(trace), protocol))

        with pytest.raises(CheckpointError):
            read_weights(path)

        assert not trace.exists()

    def test_the_allowance_ends_with_the_file(self):
        """Nobody else's `torch.load` admits a Namespace afterwards."""
        read_weights(goldens.OFFICIAL_CONTAINER)

        with pytest.raises(pickle.UnpicklingError):
            torch.load(goldens.OFFICIAL_CONTAINER, weights_only=True)

    @given(share=st.floats(0, 0.999))
    @pytest.mark.parametrize("name", ["mae_official_container.pth", "vit_token_rand.safetensors"])
    def test_a_file_cut_short_is_refused(self, name, share, tmp_path_factory):
        """Wherever the download ended."""
        whole = (goldens.FOLDER / name).read_bytes()
        path = tmp_path_factory.mktemp("cut") / name
        path.write_bytes(whole[: int(share * len(whole))])

        with pytest.raises(CheckpointError):
            read_weights(path)

    @pytest.mark.parametrize(
        "content", [b"", b"PK", b"<html>not found</html>", b"\x93NUMPY\x01\x00", b"\x80\x02", b"\x00" * 8 + b"{"]
    )
    def test_a_file_of_another_kind_is_refused(self, content, tmp_path):
        """Told by what is in it, not by its name."""
        (tmp_path / "file.pth").write_bytes(content)

        with pytest.raises(CheckpointError, match=r"file\.pth"):
            read_weights(tmp_path / "file.pth")

    def test_a_missing_file_and_a_folder_are_refused(self, tmp_path):
        """With the reason the system gives."""
        with pytest.raises(CheckpointError, match="No such file"):
            read_weights(tmp_path / "nowhere.pth")
        with pytest.raises(CheckpointError, match="directory"):
            read_weights(tmp_path)

    @pytest.mark.parametrize(
        "content", [[torch.ones(1)], torch.ones(1), {"head.weight": 1.0}, {"network": STATE, "step": 3}]
    )
    def test_content_that_is_no_state_dict_is_refused(self, content, tmp_path):
        """A run's own `checkpoint.pt` is one of these: it holds more than weights."""
        torch.save(content, tmp_path / "file.pth")

        with pytest.raises(CheckpointError, match="holds"):
            read_weights(tmp_path / "file.pth")

"""How runs are executed: what differs between machines, and what must not."""

import os

import pytest
import torch
from torch.backends.cuda import flash_sdp_enabled, math_sdp_enabled

from training.engine import Engine, _processes, devices_of_processes


@pytest.mark.parametrize(
    ("engine", "is_fused"),
    [
        (Engine("cpu", "bf16-mixed"), False),
        (Engine("cpu", "32-true"), True),
        (Engine("cuda", "bf16-mixed"), True),
    ],
)
def test_attention__is_plain_in_bfloat16_on_a_cpu_alone(engine, is_fused):
    with engine.attention():
        assert (flash_sdp_enabled(), math_sdp_enabled()) == (is_fused, True)

    assert flash_sdp_enabled()


def test_attention__gives_the_same_numbers():
    """To the rounding of bfloat16."""
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 3, 15, 16).bfloat16()
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    with Engine("cpu", "bf16-mixed").attention():
        plain = torch.nn.functional.scaled_dot_product_attention(query, key, value)

    assert torch.allclose(plain, fused, atol=2e-2)


class TestLaunch:
    @pytest.fixture(name="workspace", autouse=True)
    @staticmethod
    def _workspace(monkeypatch):
        """cuBLAS is told nothing, and what a test changes is put back."""
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
        yield
        torch.use_deterministic_algorithms(mode=False)

    @pytest.mark.parametrize(("is_deterministic", "said"), [(True, ":4096:8"), (False, None)])
    def test_deterministic_kernels_need_a_workspace_of_cublas(self, is_deterministic, said):
        """Without it PyTorch refuses every matrix product on a GPU."""
        Engine(is_deterministic=is_deterministic).launch()

        assert said == os.environ.get("CUBLAS_WORKSPACE_CONFIG")  # noqa: TID251  # what cuBLAS reads

    def test_a_workspace_that_was_chosen_stays(self, monkeypatch):
        """There are two that give the same numbers each time."""
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")

        Engine(is_deterministic=True).launch()

        assert ":16:8" == os.environ["CUBLAS_WORKSPACE_CONFIG"]  # noqa: TID251  # what cuBLAS reads


class TestProcesses:
    @pytest.mark.parametrize(
        ("local", "num_visible", "expected"),
        [("2", 1, (4, 2)), ("2", 8, (4, 2)), ("4", 0, (4, 4)), (None, 2, (4, 2)), (None, 8, (4, 4)), (None, 0, (4, 4))],
    )
    def test_torchrun_says_how_many_are_on_this_machine(self, monkeypatch, local, num_visible, expected):
        """However many GPUs a process sees; only where it does not say so do they tell."""
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
        monkeypatch.setenv("WORLD_SIZE", "4")
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
        if local is not None:
            monkeypatch.setenv("LOCAL_WORLD_SIZE", local)

        assert expected == _processes(num_visible)

    def test_one_that_sees_a_single_gpu_takes_that(self):
        """CUDA_VISIBLE_DEVICES of a process leaves it one, and that is number 0 to it."""
        assert [torch.device("cuda", 0)] * 3 == devices_of_processes("cuda", 3, 1)

    def test_those_that_see_all_gpus_take_one_each(self):
        """Which need not be all."""
        assert [torch.device("cuda", rank) for rank in range(3)] == devices_of_processes("cuda", 3, 8)

    def test_all_share_the_cpu(self):
        """There is one."""
        assert [torch.device("cpu")] * 2 == devices_of_processes("cpu", 2, 0)

"""Momentum contrast: the laws of its key encoder and its queue, the loss, and several processes."""

import copy
import dataclasses
import threading
from collections import deque

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models.nets.densenet import DENSENET121, DenseNetShape
from models.nets.moco import MocoConfig, MomentumContrast
from models.nets.resnet import RESNET50, ResNetShape
from models.nets.slim_resnet import SlimShape

SHAPES = {
    "densenet": DenseNetShape(4, (1, 1, 1, 1), 8),
    "resnet": ResNetShape((1, 1, 1, 1), 4),
    "slim": SlimShape((1, 1, 1, 1), 4),
}
ENCODERS = pytest.mark.parametrize("encoder", SHAPES)
BATCH, QUEUE, DIM, SIDE_PX = 4, 12, 8, 32

# Normalising and cross-entropy in float32.
TOLERANCE = 1e-5


def _moco(encoder="densenet", queue=QUEUE, momentum=0.9):
    torch.manual_seed(0)
    return MomentumContrast(MocoConfig(SHAPES[encoder], DIM, queue, momentum))


def _views(seed, batch=BATCH):
    generator = torch.Generator().manual_seed(seed)
    queries, keys = torch.randn(2, batch, 3, SIDE_PX, SIDE_PX, generator=generator)
    return queries, keys, torch.randperm(batch, generator=generator)


def _parameters(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def _step(network, optimizer, *views):
    loss = network.training_loss(*views)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class TestArchitecture:
    def test_constants_are_those_of_moco_v2(self):
        """arXiv:2003.04297: 128 channels, 65,536 negatives, momentum 0.999, temperature 0.2."""
        assert MocoConfig(RESNET50, 128, 65_536, 0.999, 0.2) == MocoConfig(RESNET50)

    @pytest.mark.parametrize(
        ("shape", "head", "width"), [(DENSENET121, "classifier", 1024), (RESNET50, "fc", 2048)], ids=["DN121", "RN50"]
    )
    def test_names_and_shapes_are_the_reference_s(self, shape, head, width):
        """Of facebookresearch/moco with `--mlp`, without the `module.` of its containers."""
        with torch.device("meta"):
            state = MomentumContrast(MocoConfig(shape)).state_dict()
        expected = {
            f"encoder_{who}.{head}.{layer}.{kind}": dims
            for who in "qk"
            for layer, rows in ((0, width), (2, 128))
            for kind, dims in (("weight", (rows, width)), ("bias", (rows,)))
        }

        assert expected.items() <= {name: tuple(value.shape) for name, value in state.items()}.items()
        assert (128, 65_536) == tuple(state["queue"].shape)
        assert (1,) == tuple(state["queue_ptr"].shape)
        assert {"encoder_q", "encoder_k", "queue", "queue_ptr"} == {name.split(".")[0] for name in state}

    @pytest.mark.parametrize(
        "change", [{"queue": 0}, {"dim": 0}, {"momentum": 1.5}, {"temperature": 0.0}, {"splits": 0}]
    )
    def test_constants_that_mean_nothing_are_refused(self, change):
        """Before a run starts with them."""
        with pytest.raises(ValueError, match="no momentum contrast"):
            MocoConfig(RESNET50, **change)


@ENCODERS
class TestKeyEncoder:
    def test_it_starts_as_the_query_encoder(self, encoder):
        """Parameter by parameter, and as a copy."""
        network = _moco(encoder)
        pairs = list(zip(network.encoder_q.parameters(), network.encoder_k.parameters(), strict=True))

        assert all(torch.equal(query, key) for query, key in pairs)
        assert all(query.data_ptr() != key.data_ptr() for query, key in pairs)

    def test_it_never_learns_by_gradient(self, encoder):
        """Every one of its parameters says so, and a backward pass leaves none on it."""
        network = _moco(encoder)
        network.training_loss(*_views(1)).backward()

        assert not any(parameter.requires_grad for parameter in network.encoder_k.parameters())
        assert all(parameter.grad is None for parameter in network.encoder_k.parameters())
        assert all(parameter.grad is not None for parameter in network.encoder_q.parameters())

    @pytest.mark.parametrize("momentum", [0.0, 0.9, 0.999, 1.0])
    def test_it_is_the_exponential_average_of_the_query_encoder(self, encoder, momentum):
        """To the last bit: m * key + (1 - m) * query, once a step, before keys are computed."""
        network = _moco(encoder, momentum=momentum)
        with torch.no_grad():
            for parameter in network.encoder_q.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        queries, keys = _parameters(network.encoder_q), _parameters(network.encoder_k)

        network.training_loss(*_views(1))

        expected = [key * momentum + query * (1 - momentum) for query, key in zip(queries, keys, strict=True)]
        assert all(map(torch.equal, expected, _parameters(network.encoder_k)))
        assert all(map(torch.equal, queries, _parameters(network.encoder_q)))


class TestQueue:
    @given(length=st.integers(1, 9), batches=st.lists(st.integers(1, 9), max_size=12))
    def test_it_is_first_in_first_out_and_goes_round(self, length, batches):
        """Also where a batch does not divide its length; against a deque of the same length."""
        network = _bare_queue(length)
        model, number = deque(network.queue[0].tolist(), maxlen=length), 0
        for batch in (batch for batch in batches if batch <= length):
            keys = torch.arange(number, number + batch).float().unsqueeze(1)
            number += batch
            network._enqueue(keys)
            model.extend(keys[:, 0].tolist())

        oldest_first = network.queue[0].roll(-int(network.queue_ptr))
        assert list(model) == oldest_first.tolist()

    def test_keys_are_of_length_one_and_in_the_order_of_their_images(self):
        """From the first column on; the rest is as it was drawn, of length one too."""
        network = _moco().eval()
        before = network.queue.clone()
        queries, keys, permutation = _views(1)

        network.training_loss(queries, keys, permutation)

        expected = functional.normalize(network.encoder_k(keys), dim=1).t()
        assert torch.allclose(expected, network.queue[:, :BATCH], atol=TOLERANCE)
        assert torch.equal(before[:, BATCH:], network.queue[:, BATCH:])
        assert torch.allclose(torch.ones(QUEUE), network.queue.norm(dim=0), atol=TOLERANCE)
        assert [BATCH] == network.queue_ptr.tolist()

    @pytest.mark.parametrize(
        ("batch", "permuted", "complaint"),
        [(BATCH, BATCH - 1, "permutation of 3 for a batch of 4"), (QUEUE + 1, QUEUE + 1, "more than a queue of 12")],
    )
    def test_a_step_that_cannot_be_made_changes_nothing(self, batch, permuted, complaint):
        """Neither queue nor key encoder."""
        network = _moco()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        queries, keys, _ = _views(1, batch)

        with pytest.raises(ValueError, match=complaint):
            network.training_loss(queries, keys, torch.arange(permuted))

        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def _bare_queue(length):
    network = MomentumContrast(MocoConfig(SHAPES["densenet"], 1, length))
    network.queue[0] = -torch.arange(length).float()
    return network


class TestLoss:
    def test_it_is_the_cross_entropy_of_the_own_key_against_the_queue(self):
        """Written out for each image; negatives are the keys of earlier steps alone."""
        network = _moco().eval()
        queries_view, keys_view, permutation = _views(1)
        queue = network.queue.clone()
        loss = network.training_loss(queries_view, keys_view, permutation)
        queries, keys = network(queries_view), functional.normalize(network.encoder_k(keys_view), dim=1)

        expected = 0.0
        for query, key in zip(queries, keys, strict=True):
            weights = torch.exp(torch.cat([(query @ key).reshape(1), query @ queue]) / 0.2)
            expected -= torch.log(weights[0] / weights.sum()).item() / BATCH

        assert expected == pytest.approx(loss.item(), rel=TOLERANCE)

    def test_in_one_process_the_permutation_is_rounding(self):
        """Batch norm sees the same images in any order."""
        queries, keys, permutation = _views(1)
        there = _moco().training_loss(queries, keys, permutation)
        back = _moco().training_loss(queries, keys, permutation.flip(0))

        assert there.item() == pytest.approx(back.item(), rel=TOLERANCE)

    def test_split_keys_have_a_batch_norm_for_each_part(self):
        """Two parts of two: each key is what the key encoder says of its part alone, as the permutation has them."""
        queries, keys, permutation = _views(1)
        network = _moco("slim")
        network = MomentumContrast(dataclasses.replace(network.config, splits=2))
        follower = copy.deepcopy(network.encoder_k)
        network.training_loss(queries, keys, permutation)
        with torch.no_grad():
            parts = [follower(keys[permutation[part]]) for part in (slice(0, 2), slice(2, 4))]
        expected = functional.normalize(torch.cat(parts), dim=1)[permutation.argsort()]

        assert torch.allclose(expected.t(), network.queue[:, :BATCH], atol=1e-4)
        with torch.no_grad():
            whole = functional.normalize(copy.deepcopy(network.encoder_k)(keys), dim=1)
        assert not torch.allclose(whole.t(), network.queue[:, :BATCH], atol=1e-2)

    def test_similarities_are_float32_under_mixed_precision(self):
        """In bfloat16 they would tell an image from its neighbours by steps of 0.004 / 0.2."""
        network = _moco()
        queries, keys, negatives = (torch.randn(BATCH, DIM), torch.randn(BATCH, DIM), torch.randn(DIM, QUEUE))
        expected = network._info_nce(queries, keys, negatives)

        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(expected, network._info_nce(queries, keys, negatives))
            assert torch.float32 == network.training_loss(*_views(1)).dtype == network.queue.dtype

    def test_own_keys_come_to_beat_those_of_other_images(self):
        """Eight pictures, of which each step sees two noisy views: sixty steps double the distance to the others."""
        generator = torch.Generator().manual_seed(0)
        coarse = torch.randn(8, 3, 4, 4, generator=generator)
        pictures = functional.interpolate(coarse, size=(SIDE_PX, SIDE_PX))
        torch.manual_seed(0)
        network = MomentumContrast(MocoConfig(DenseNetShape(8, (1, 1, 1, 1), 16), DIM, queue=24, momentum=0.9))
        optimizer = torch.optim.SGD(network.encoder_q.parameters(), lr=0.1, momentum=0.9)

        def view():
            return pictures + 0.5 * torch.randn(pictures.shape, generator=generator)

        def margins():
            with torch.no_grad():
                similarity = network(view()) @ functional.normalize(network.encoder_k(view()), dim=1).t()
            return similarity.diag() - (similarity.sum(dim=1) - similarity.diag()) / 7

        before = margins()
        for _ in range(60):
            _step(network, optimizer, view(), view(), torch.randperm(8, generator=generator))

        assert before.mean() < 0.5
        assert margins().mean() > 0.7


@ENCODERS
def test_state_dict__lets_a_run_go_on_bit_for_bit(encoder):
    """Both encoders, their running statistics, the queue and its pointer; the optimizer brings its own."""

    def start():
        network = _moco(encoder, queue=10)  # four does not divide ten
        return network, torch.optim.SGD(network.encoder_q.parameters(), lr=0.05, momentum=0.9)

    network, optimizer = start()
    for seed in range(3):
        _step(network, optimizer, *_views(seed))
    saved = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    expected = [_step(network, optimizer, *_views(seed)) for seed in range(3, 6)]

    again, optimizer = start()
    again.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])

    assert expected == [_step(again, optimizer, *_views(seed)) for seed in range(3, 6)]
    assert all(map(torch.equal, network.state_dict().values(), again.state_dict().values()))


class _Processes:
    """Two processes as threads: `gather` waits until both have brought their part."""

    def __init__(self):
        self.parts = [None, None]
        self.barrier = threading.Barrier(2, timeout=60)

    def gather(self, rank, part):
        self.parts[rank] = part
        self.barrier.wait()
        whole = torch.cat(self.parts)
        self.barrier.wait()  # nobody brings the next part before both have taken this one
        return whole


def test_several_processes__share_a_queue_and_shuffle_their_company():
    """Each computes keys of images that both brought, and both queues get all keys in the order of images."""
    processes, networks, losses = _Processes(), [_moco(), _moco()], {}
    views = [_views(1), _views(2)]
    permutation = torch.tensor([5, 0, 3, 6, 1, 7, 2, 4])

    def run(rank):
        queries, keys, _ = views[rank]
        losses[rank] = networks[rank].training_loss(
            queries, keys, permutation, lambda part: processes.gather(rank, part), rank
        )

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    alone = _moco()
    everyone_s = torch.cat([views[0][1], views[1][1]])
    with torch.no_grad():
        companies = [everyone_s[permutation[:4]], everyone_s[permutation[4:]]]
        shuffled = torch.cat([functional.normalize(alone.encoder_k(company), dim=1) for company in companies])
    expected = torch.empty_like(shuffled)
    expected[permutation] = shuffled
    assert torch.allclose(expected.t(), networks[0].queue[:, :8], atol=TOLERANCE)
    assert torch.equal(networks[0].queue, networks[1].queue)
    assert [8] == networks[0].queue_ptr.tolist() == networks[1].queue_ptr.tolist()
    for rank in range(2):
        queries = _moco()(views[rank][0])
        own = (queries * expected[4 * rank : 4 * rank + 4]).sum(dim=1, keepdim=True)
        logits = torch.cat([own, queries @ alone.queue], dim=1) / 0.2
        wanted = functional.cross_entropy(logits, torch.zeros(4, dtype=torch.int64))
        assert wanted.item() == pytest.approx(losses[rank].item(), rel=TOLERANCE)

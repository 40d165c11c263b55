"""The moving average of a network's weights."""

import torch

from training.average import rising_average


def test_running_statistics_are_averaged_and_counts_are_not():
    """By hand: the first step as it is, then a tenth of the average and nine tenths of what is new."""
    network = torch.nn.BatchNorm1d(1)
    average = rising_average(network, 0.1)
    for count, mean in enumerate((4.0, 2.0, 3.0), start=1):
        network.running_mean.fill_(mean)
        network.num_batches_tracked.fill_(count)
        average.update_parameters(network)

    assert torch.allclose(torch.tensor([2.92]), average.module.running_mean)  # 0.1 * (0.1 * 4 + 0.9 * 2) + 0.9 * 3
    assert 3 == average.module.num_batches_tracked

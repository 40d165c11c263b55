"""A head solved exactly: regularised logistic regression on the features of a trained trunk."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from tqdm import tqdm

from models.nets.vit import VitClassifier
from training.data.crops import normalise

_BATCH = 64


def require_both_kinds(findings: Sequence[str], labels: NDArray[np.float32], who: str) -> None:
    """Refuse labels, (N, F), on which no head can be solved; `who` asks for one.

    Raises:
        ValueError: a finding has no known positive, or no known negative; all such findings are named.
    """
    if lacking := [
        name for name, column in zip(findings, labels.T, strict=True) if not {0.0, 1.0} <= set(column.tolist())
    ]:
        raise ValueError(
            f"{who} needs positives and negatives of each finding; {', '.join(lacking)} "
            f"{'lacks' if len(lacking) == 1 else 'lack'} one kind"
        )


def refit_head(
    network: VitClassifier, images: NDArray[np.uint8], labels: NDArray[np.float32], *, inverse_penalty: float
) -> None:
    """Replace a classifier's head by the solution of one logistic regression a finding; the trunk stays as it is.

    A few hundred steps move a head that starts near zero along one direction, sick against well. On a thousand images
    its best weights can be computed instead. Features are standardised for the fit, and the scaling folded into the
    weights.

    Args:
        network: changed in place, and left in eval mode.
        images: (N, S, S) uint8 of the network's size, without augmentation.
        labels: (N, F), 1 present, 0 absent, NaN unknown; every finding needs both kinds.
        inverse_penalty: scikit-learn's C; smaller is stiffer.
    """
    features = pooled_features(network, images)
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-6
    standardised = (features - mean) / std
    weight, bias = np.empty((labels.shape[1], features.shape[1])), np.empty(labels.shape[1])
    for finding, column in enumerate(labels.T):
        known = ~np.isnan(column)
        model = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(standardised[known], column[known] == 1)
        weight[finding] = model.coef_[0] / std
        bias[finding] = model.intercept_[0] - weight[finding] @ mean
    head = network.get_submodule("head")
    head.load_state_dict({"weight": torch.from_numpy(weight).float(), "bias": torch.from_numpy(bias).float()})


@torch.inference_mode()
def pooled_features(network: VitClassifier, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the head sees of each image: (N, D)."""
    network.eval()
    device = next(network.parameters()).device

    def pool(batch: NDArray[np.uint8]) -> Tensor:
        pixels = normalise(torch.from_numpy(np.array(batch)).to(device))
        pooled: Tensor = network.forward_head(network.forward_features(pixels), pre_logits=True)
        return pooled

    begins = tqdm(range(0, len(images), _BATCH), desc="features", unit="batch")
    features = torch.cat([pool(images[begin : begin + _BATCH]).cpu() for begin in begins])
    return features.double().numpy()

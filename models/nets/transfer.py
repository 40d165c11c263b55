"""Carrying an encoder over into a classifier: in whole, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from models.errors import CheckpointError
from models.nets.architecture import Classifier
from models.nets.layouts import exchange_of, locate, split
from models.nets.pos_embed import resample
from models.nets.state_dict import require_equal_names
from models.nets.vit import VitClassifier


@dataclass(frozen=True, slots=True)
class Transfer:
    """What an initialisation took over.

    Attributes:
        skipped: names in the source that have no place in the classifier: decoder, projection, queue, head.
        fresh: names of the classifier that the source does not have; they keep the values they had.
        resampled: whether position embeddings were carried to another grid.
        prefix: what the source has before the encoder's names.
    """

    skipped: tuple[str, ...]
    fresh: tuple[str, ...]
    resampled: bool
    prefix: str = ""


def take_over(classifier: Classifier, source: Mapping[str, Tensor]) -> Transfer:
    """Fill a classifier, its head excepted, from a source of any layout that `layouts` knows.

    Raises:
        CheckpointError: the source has no such encoder, several, a part of one or more than one; nothing was changed.
        ValueError: its position embeddings form no square grid.
    """
    own, exchange = classifier.state_dict(), exchange_of(classifier)
    layout = locate(source, [name for name in own if not name.startswith(exchange.kept)])
    encoder, strangers = split(source, layout)
    tensors = {name: value for name, value in encoder.items() if not name.startswith(exchange.left_behind)}
    fresh = tuple(name for name in own if name.startswith(exchange.kept) and name not in tensors)
    resampled = isinstance(classifier, VitClassifier) and _fit(tensors, classifier.patch_embed.grid_size[0])
    require_equal_names({name: value for name, value in own.items() if name not in fresh}, tensors | strangers)
    classifier.load_state_dict(tensors, strict=False)
    taken = {layout.prefix + name for name in tensors}
    return Transfer(tuple(name for name in source if name not in taken), fresh, resampled, layout.prefix)


def _fit(tensors: dict[str, Tensor], grid: int) -> bool:
    """Carry position embeddings to a grid; what is no table of numbers is left for the comparison to name."""
    if "dist_token" in tensors:
        raise CheckpointError("dist_token: a distilled transformer leans on a second token that this one does not have")
    table = tensors.get("pos_embed")
    if table is None or table.ndim != 3 or not table.is_floating_point():
        return False
    tensors["pos_embed"] = resample(table, grid)
    return tensors["pos_embed"] is not table

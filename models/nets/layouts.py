"""Where files keep an encoder: by which prefix its names begin, and what else such a file holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from models.errors import CheckpointError
from models.nets.architecture import Classifier
from models.nets.densenet import DenseNetClassifier
from models.nets.probe import ProbeClassifier
from models.nets.resnet import ResNetClassifier
from models.nets.slim_resnet import SlimClassifier
from models.nets.state_dict import below


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to keep an encoder.

    Attributes:
        prefix: before every name of the encoder.
        left_behind: how names begin that lie beside the encoder and are not needed.
    """

    prefix: str
    left_behind: tuple[str, ...] = ()


LAYOUTS = (
    # torchvision; timm and DeiT; facebookresearch/mae and medical_mae; BYOL as linusericsson/ssl-transfer converts it
    Layout(""),
    Layout("module."),  # the same out of DistributedDataParallel; facebookresearch/swav
    Layout("encoder."),
    Layout("module.encoder."),  # InsDis, PIRL, InfoMin, by the table of linusericsson/ssl-transfer
    Layout("model.encoder.", ("model.decoder.", "model.segmentation_head.")),  # medical_mae's U-Net, and ours
    Layout("encoder_q.", ("encoder_k.", "queue")),  # ours
    Layout("module.encoder_q.", ("module.encoder_k.", "module.queue")),  # facebookresearch/moco
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a classifier does not take over of an encoder, by how names begin.

    Attributes:
        left_behind: a source may have these in vain.
        kept: a source may lack these; the classifier keeps its own.
    """

    left_behind: tuple[str, ...]
    kept: tuple[str, ...]


def exchange_of(classifier: Classifier) -> Exchange:
    """Heads, and for vision transformers what belongs to them or to a decoder."""
    if isinstance(classifier, DenseNetClassifier):
        return Exchange(("classifier.",), ("classifier.",))
    if isinstance(classifier, ResNetClassifier):
        return Exchange(("fc.", "projection_head.", "prototypes."), ("fc.",))  # the latter two are SwAV's
    if isinstance(classifier, SlimClassifier):
        heads = tuple(f"members.{place}.fc." for place in range(len(classifier.members)))
        return Exchange(heads, heads)
    if isinstance(classifier, ProbeClassifier):
        raise ValueError("a probe takes a whole trunk over, not an encoder's names")  # noqa: TRY004  # the caller's mistake
    left_behind = ("head.", "decoder_", "mask_token")
    if classifier.global_pool == "token":
        return Exchange(left_behind, ("head.",))
    return Exchange((*left_behind, "norm."), ("head.", "fc_norm."))


def locate(state: Mapping[str, Tensor], encoder: Collection[str]) -> Layout:
    """The layout under which a file holds tensors of an encoder.

    Args:
        state: the file's tensors.
        encoder: names of the wanted encoder, head excepted.

    Raises:
        CheckpointError: there is none, or more than one.
    """
    found = [layout for layout in LAYOUTS if any(layout.prefix + name in state for name in encoder)]
    if len(found) == 1:
        return found[0]
    if found:
        prefixes = " and ".join(repr(layout.prefix) for layout in found)
        raise CheckpointError(f"it holds more than one encoder, under {prefixes}")
    raise CheckpointError(f"it holds no such encoder{_elsewhere(state, encoder)}")


def split(state: Mapping[str, Tensor], layout: Layout) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The encoder under its own names, and what the layout does not account for."""
    strangers = {
        name: value
        for name, value in state.items()
        if not name.startswith(layout.prefix) and not name.startswith(layout.left_behind)
    }
    return below(state, layout.prefix), strangers


def _elsewhere(state: Mapping[str, Tensor], encoder: Collection[str]) -> str:
    """Where it seems to be, if it is under a prefix that nobody told us."""
    prefixes = [name.removesuffix(own) for name in state for own in encoder if name.endswith(f".{own}")]
    if not prefixes:
        return ""
    known = ", ".join(repr(layout.prefix) for layout in LAYOUTS)
    return f" under a known prefix ({known}), but perhaps one under {max(prefixes, key=prefixes.count)!r}"

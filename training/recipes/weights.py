"""Weights that others published: what `reproduce --weights KEY=PATH` calls each, and where it comes from.

A file is opened from this machine; nothing is downloaded. The table in the README of lambert-x/medical_mae links to
most of them, as the very files that table 1 of arXiv:2210.12843 started from.
"""

from training.recipes.types import FromFile

DENSENET121_IMAGENET = FromFile(
    "densenet121-imagenet", "torchvision's densenet121-a639ec97.pth, 1000 classes of ImageNet"
)
RESNET50_MOCO = FromFile(
    "resnet50-moco-v2", "facebookresearch/moco's moco_v2_800ep_pretrain.pth.tar, or medical_mae's README"
)
RESNET50_BYOL = FromFile("resnet50-byol", "BYOL as linusericsson/ssl-transfer converts it, or medical_mae's README")
RESNET50_SWAV = FromFile(
    "resnet50-swav", "facebookresearch/swav's swav_800ep_pretrain.pth.tar, or medical_mae's README"
)
DEIT_SMALL = FromFile("vit-s-imagenet", "facebookresearch/deit's deit_small_patch16_224-cd65a155.pth, 1000 classes")
VIT_S_IMAGENET_MAE = FromFile("vit-s-imagenet-mae", "medical_mae's README: ViT-Small/16, ImageNet, MAE, pretrained")

VIT_S_XRAY_MAE = FromFile("vit-s-xray-mae", "medical_mae's vit-s_CXR_0.3M_mae.pth")
VIT_B_XRAY_MAE = FromFile("vit-b-xray-mae", "medical_mae's README: ViT-Base/16, X-rays (0.5M), MAE, pretrained")
DENSENET121_XRAY_MAE = FromFile("densenet121-xray-mae", "medical_mae's densenet121_CXR_0.3M_mae.pth")
DENSENET121_XRAY_MOCO = FromFile(
    "densenet121-xray-moco", "medical_mae's README: DenseNet-121, X-rays (0.3M), MoCo v2, pretrained"
)


def finetuned(pretrained: FromFile) -> FromFile:
    """The classifier of the 14 findings that medical_mae published beside what it started from."""
    return FromFile(f"{pretrained.key}-finetuned", f"medical_mae's README, column Finetuned, beside {pretrained.key}")

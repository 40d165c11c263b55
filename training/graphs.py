"""The two graphs of a bundle, as modules that take what serving sends: uint8 pixels, and masks as data."""

import torch
from torch import Tensor, nn

from models.nets.architecture import Classifier
from models.nets.mae import MaskedAutoencoder
from models.nets.patches import unpatchify
from training.committee import Committee
from training.data.crops import GREY_MEAN, GREY_STD, normalise


class ClassifierGraph(nn.Module):
    """image uint8 (B, 1, S, S) -> logits (B, F), saliency (B, F, G, G); normalisation inside."""

    def __init__(self, network: Classifier | Committee) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.network.saliency(normalise(image))


class ReconstructorGraph(nn.Module):
    """image uint8 (B, 1, S, S), keep int64 (M, V) -> reconstruction, spread (B, 1, S, S).

    Every image goes through M passes; pass m shows the V patches `keep[m]`. Reconstruction is the mean over the passes
    in which a patch was hidden, spread their standard deviation, both in the scale [0, 1] of the image; NaN where a
    patch was never hidden.
    """

    def __init__(self, network: MaskedAutoencoder) -> None:
        super().__init__()
        if network.config.norm_pix_loss:
            raise ValueError("norm_pix_loss: painted patches have lost their mean and contrast; no map can be drawn")
        self.network = network

    def forward(self, image: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        network, (passes, visible) = self.network, keep.shape
        batch = image.shape[0]
        ids_keep = keep.unsqueeze(0).expand(batch, -1, -1).reshape(batch * passes, visible)
        images = normalise(image).unsqueeze(1).expand(-1, passes, -1, -1, -1).flatten(0, 1)
        latents = network.encode(images, ids_keep)
        painted = network.decoder_pred(self._decode(latents, ids_keep))  # (B * M, L, patch**2 * 3)
        grey = painted.unflatten(2, (-1, 3)).mean(dim=-1) * GREY_STD + GREY_MEAN
        grey = grey.unflatten(0, (batch, passes))  # (B, M, L, patch**2)
        nothing = torch.zeros(passes, network.num_patches, dtype=grey.dtype, device=grey.device)
        hidden = 1 - nothing.scatter(1, keep, torch.ones_like(keep, dtype=grey.dtype))
        hidden = hidden.unsqueeze(-1)  # (M, L, 1)
        times_hidden = hidden.sum(dim=0)
        mean = (grey * hidden).sum(dim=1) / times_hidden  # 0 / 0 is the NaN that the contract promises
        spread = ((((grey - mean.unsqueeze(1)) ** 2) * hidden).sum(dim=1) / times_hidden).sqrt()
        return self._paint(mean), self._paint(spread)

    def _decode(self, latents: Tensor, ids_keep: Tensor) -> Tensor:
        """As `MaskedAutoencoder.decode`, for masks that name only what is visible."""
        network = self.network
        tokens = network.decoder_embed(latents)
        hidden = network.mask_token.expand(tokens.shape[0], network.num_patches, -1)
        places = ids_keep.unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
        patches = hidden.scatter(1, places, tokens[:, 1:])
        tokens = torch.cat([tokens[:, :1], patches], dim=1) + network.decoder_pos_embed
        for block in network.decoder_blocks:
            tokens = block(tokens)
        return network.decoder_norm(tokens)[:, 1:]  # type: ignore[no-any-return]

    def _paint(self, patches: Tensor) -> Tensor:
        return unpatchify(patches, self.network.config.patch_size_px, self.network.grid)

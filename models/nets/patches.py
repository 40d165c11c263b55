"""Images as sequences of square patches, and back."""

from torch import Tensor


def patchify(images: Tensor, patch_size_px: int) -> Tensor:
    """Cut square patches, row by row; within a patch the order is (row, column, channel).

    Args:
        images: (B, C, H, W); H and W divisible by `patch_size_px`.

    Returns:
        (B, L, patch_size_px**2 * C) with L = (H / patch_size_px) * (W / patch_size_px).

    Raises:
        ValueError: H or W is not divisible.

    Source: He et al. 2022, arXiv:2111.06377, section 3; the order matters for loading released weights.
    """
    batch, channels, height, width = images.shape
    if height % patch_size_px or width % patch_size_px:
        raise ValueError(f"{height}x{width} is not divisible into patches of {patch_size_px} px")
    rows, columns = height // patch_size_px, width // patch_size_px
    squares = images.reshape(batch, channels, rows, patch_size_px, columns, patch_size_px)
    return squares.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, patch_size_px**2 * channels)


def unpatchify(patches: Tensor, patch_size_px: int, rows: int) -> Tensor:
    """Undo `patchify`.

    Args:
        patches: (B, L, patch_size_px**2 * C), row by row.
        patch_size_px: side of one patch in pixels.
        rows: number of patch rows; L must be a multiple of it.

    Returns:
        (B, C, rows * patch_size_px, L / rows * patch_size_px).

    Raises:
        ValueError: L is no multiple of `rows`, or a patch is not `patch_size_px` square.
    """
    batch, num_patches, length = patches.shape
    if num_patches % rows or length % patch_size_px**2:
        raise ValueError(f"{num_patches} patches of length {length} do not fill {rows} rows of {patch_size_px} px")
    columns, channels = num_patches // rows, length // patch_size_px**2
    squares = patches.reshape(batch, rows, columns, patch_size_px, patch_size_px, channels)
    return squares.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels, rows * patch_size_px, columns * patch_size_px)

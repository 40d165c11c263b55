"""Where a picture lies in the square a model sees, and the way back.

Coordinates are pixel edges, (y, x), and may be fractions: the first row reaches from 0 to 1. *Image space* here is
source space (the picture as a viewer shows it); *model space* is the (side, side) square.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Final

ASPECT_LIMIT: Final = 8.0


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open rectangle of pixel edges: rows `top <= y < bottom`, columns `left <= x < right`."""

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        if not (self.top <= self.bottom and self.left <= self.right):
            raise ValueError(f"edges out of order: {self}")

    @property
    def area(self) -> float:
        """In square pixels; 0 where the box is empty."""
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class Placement(ABC):
    """A picture of (height, width) resized, then laid on, or cut by, a square of `side`.

    The picture is resized to whole pixels, so rows and columns have scales of their own, equal up to that rounding and
    to the shape of a source pixel.

    Attributes:
        aspect: height of a source pixel over its width; where it is not 1 the picture is resized to what it shows.
    """

    height: int
    width: int
    side: int
    aspect: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.side) < 1:
            raise ValueError(f"sizes must be positive: {self}")
        if not 1 / ASPECT_LIMIT <= self.aspect <= ASPECT_LIMIT:
            raise ValueError(f"pixels are at most {ASPECT_LIMIT} times as high as wide, or as wide as high: {self}")

    @property
    def tall(self) -> float:
        """Height of the picture in widths of its pixels."""
        return self.height * self.aspect

    @property
    @abstractmethod
    def resized(self) -> tuple[int, int]:
        """(rows, columns) of the whole picture at model scale."""

    @property
    @abstractmethod
    def offset(self) -> tuple[int, int]:
        """(row, column) of the resized picture's corner in model space; negative where the square cuts it."""

    @property
    def content(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the rows and columns of model space that hold picture, half-open."""
        (rows, columns), (top, left) = self.resized, self.offset
        return max(top, 0), max(left, 0), min(top + rows, self.side), min(left + columns, self.side)

    def to_model(self, y: float, x: float) -> tuple[float, float]:
        """Image space to model space; what lies outside the picture maps outside the content."""
        (rows, columns), (top, left) = self.resized, self.offset
        return top + y * rows / self.height, left + x * columns / self.width

    def to_image(self, y: float, x: float) -> tuple[float, float]:
        """Inverse of `to_model`; padding maps outside the picture."""
        (rows, columns), (top, left) = self.resized, self.offset
        return (y - top) * self.height / rows, (x - left) * self.width / columns

    def box_to_model(self, box: Box) -> Box:
        """Image space to model space, as it is: where the square cuts the picture, a box may reach beyond it."""
        return Box(*self.to_model(box.top, box.left), *self.to_model(box.bottom, box.right))

    def box_to_image(self, box: Box) -> Box:
        """Model space to image space, clipped to the picture; a box in the padding becomes empty."""
        top, left = self.to_image(box.top, box.left)
        bottom, right = self.to_image(box.bottom, box.right)
        return Box(
            top=min(max(top, 0.0), self.height),
            left=min(max(left, 0.0), self.width),
            bottom=min(max(bottom, 0.0), self.height),
            right=min(max(right, 0.0), self.width),
        )


@dataclass(frozen=True, slots=True)
class Letterbox(Placement):
    """The whole picture, aspect kept, its longest side filling `side`, centred; the rest is padding."""

    @property
    def resized(self) -> tuple[int, int]:
        longest = max(self.tall, self.width)
        return max(1, round(self.tall * self.side / longest)), max(1, round(self.width * self.side / longest))

    @property
    def offset(self) -> tuple[int, int]:
        rows, columns = self.resized
        return (self.side - rows) // 2, (self.side - columns) // 2


@dataclass(frozen=True, slots=True)
class CenterCrop(Placement):
    """Shorter side to `resize`, then the central square: the evaluation transform of the official code.

    Source: torchvision's Resize(256) and CenterCrop(224), rounding included (`int` of the long side, `round` of
    the corner), so that imported checkpoints see the same pixels.
    """

    resize: int = 256

    def __post_init__(self) -> None:
        # Without arguments `super` looks for the class that existed before `slots` made this one.
        super(CenterCrop, self).__post_init__()
        if self.resize < self.side:
            raise ValueError(f"a crop of {self.side} does not fit into a shorter side of {self.resize}")

    @property
    def resized(self) -> tuple[int, int]:
        if self.tall <= self.width:
            return self.resize, int(self.resize * self.width / self.tall)
        return int(self.resize * self.tall / self.width), self.resize

    @property
    def offset(self) -> tuple[int, int]:
        rows, columns = self.resized
        return -round((rows - self.side) / 2), -round((columns - self.side) / 2)
